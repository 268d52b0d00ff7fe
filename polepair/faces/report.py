"""The report: one self-contained HTML page."""

import base64
import html
import json
import os
from datetime import datetime
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np

from .. import _core
from ..arguments import PATH, a, takes
from ..design.maps import efficiency_map
from ..design.motor import MOTOR
from ..draw import plots
from ..draw.quantities import quantity
from ..draw.section import cross_section, part_colour
from ..draw.sweep_plots import sweep_plot
from ..draw.views import NOT_RUN, fates_of, outputs_of, view_of
from ..errors import taken
from ..files import write_text
from ..run.result import Result
from ..run.saved import writable
from ..run.sweeps import SweepTable
from ..table import derived, groups, parameters
from .checks import checks_of, end_of, has_speed_control
from .inputs import SPIN_UP, checked_cad, checked_run, read_mesh
from .page import Section, arranged, contents, pairs, picture, png, resource, table

HEADLINE = {
    "Kv": "speed constant",
    "Kt": "torque constant",
    "Rs": "phase resistance",
    "Ld": "inductance",
    "psi_pm": "flux linkage",
    "J": "rotor inertia",
    "mass": "mass",
}
ASKED = ("t_end", "every", "mode", "seed", "retune", "plan", "source")  # of a result's description, as they stand


def _cards(d) -> str:
    found = [
        f"<div class=card><b>{quantity(getattr(d, n), derived()[n].unit, n)}</b><span>{what}</span></div>"
        for n, what in HEADLINE.items()
        if getattr(d, n)
    ]
    return "".join(found)


def _viewer(mesh_path) -> str:
    """A picture of the solids, and over it a WebGL view to turn where the browser has one."""
    read = read_mesh(mesh_path)
    about = [a for a, *_ in read]
    parts = [(v, f, part_colour(a[2], a[3] if len(a) > 3 else ""), a[1]) for a, v, f in read]
    hidden = {a[0] for a in about if a[2] == "housing"}
    visible = [p for p, a in zip(parts, about, strict=True) if a[0] not in hidden]
    still = png(plots.solid_picture([p[:3] for p in visible]), "the solids, seen from above")
    scale = 1 / max(float(np.abs(p[0]).max()) for p in visible)
    packed = []
    for vertices, faces, colour, body in visible:
        flat = np.rint(vertices[faces].reshape(-1, 3) * scale * 32767).astype("<i2")
        packed.append({"c": colour, "r": body == "rotor", "v": base64.b64encode(flat.tobytes()).decode()})
    script = resource("viewer.js").replace("@PARTS@", json.dumps(packed))
    return f'<div class="view">{still}<canvas></canvas></div><script>{script}</script>'


def _drawing(motor) -> Section:
    shapes = cross_section(motor)
    body = picture(lambda w: plots.cross_section(shapes, w), f"cross-section of {motor.name}")
    return Section("section", "Cross-section", body, "Cross: coil side going in; dot: coming out.")


def _solids(mesh) -> Section:
    note = "Drag to turn, wheel to zoom; the housing is left out. The same solids are in motor.step."
    return Section("solids", "Solids", _viewer(mesh), note)


def _map(motor, run) -> Section:
    found = efficiency_map(motor)
    point = end_of(run) if run is not None else None
    body = picture(lambda w: plots.torque_speed(found, point, w), "torque limit and efficiency over speed")
    lost = {"iron loss": found.iron_loss, "friction": found.friction_loss}
    absent = getattr(found, "omitted", None)
    absent = [n for n, loss in lost.items() if not loss.any()] if absent is None else list(absent)
    counted = ["copper", *(n.removesuffix(" loss") for n, loss in lost.items() if loss.any())]
    told = " and ".join(n for n in (", ".join(counted[:-1]), counted[-1]) if n)
    note = f"Limits: {quantity(motor.drive.i_max, 'A')} peak phase current, {quantity(motor.drive.u_dc, 'V')} bus. "
    note += f"Efficiency counts {told}; the inverter is ideal."
    note += _outside(point)
    note += f" Not given for this motor, so counted as nothing: {' and '.join(absent)}." if absent else ""
    return Section("map", "Torque, speed and efficiency", body, note)


def _outside(point) -> str:
    """Words for a run that ended where the map has no place for it."""
    if point is None or (point[0] >= 0 and point[1] >= 0):
        return ""
    return f" The run ended outside the map: {quantity(point[0], 'rad/s', 'omega_m')}, {quantity(point[1], 'N*m')}."


def _spin_up(motor, run) -> Section:
    wanted = motor.control.speed_ref if has_speed_control(motor) else None
    body = picture(lambda w: plots.spin_up(run, wanted, w), "speed, torque and currents over time")
    control = "Field-oriented control" if motor.drive.kind == "foc" else "Six-step commutation"
    note = f"{control}, control period {quantity(motor.drive.period, 's')}."
    return Section("run", "Spin-up", body, note)


def _sweep(sweep, axes, outputs) -> Section | None:
    """Every output asked for over the axes, with words for every name that the pictures use."""
    drawn = outputs_of(sweep, outputs)
    if not drawn or not any(n in parameters() for n in sweep.names):
        return None
    view = view_of(sweep, axes)
    full = view.panel is not None or view.kind == "strips"
    width = plots.FULL if full else plots.HALF
    pictures = [picture(lambda w, o=o: sweep_plot(sweep, view, o, w), f"{o} of the sweep", width) for o in drawn]
    body = "".join(f"<div class={'line' if full else 'half'}>{p}</div>" for p in pictures)
    return Section("sweep", "Sweep", f"<div class=plots>{body}</div>", _sweep_note(sweep, view, drawn), wide=True)


def _sweep_note(sweep, view, drawn) -> str:
    fates, _ = fates_of(sweep)
    refused, left = int((fates > 0).sum()), int((fates == NOT_RUN).sum())
    note = f"{len(sweep):,} cases, {refused:,} refused" + (f", {left:,} not run (interrupted)." if left else ".")
    if sweep.failed:
        note += f" First refused: case {sweep.failed[0][0]}, {sweep.failed[0][1]}."
    lost = int((~np.all([np.isfinite(sweep[a.name]) for a in view.axes], axis=0)).sum())
    note += f" {lost:,} cases have no place on the axes: their parameters are not numbers." if lost else ""
    if view.rest:
        note += (
            f" Also varied, and averaged over: {', '.join(f'{a.name} ({len(a.values)} values)' for a in view.rest)}."
        )
    if view.panel and len(view.panel.values) > 9 and view.kind == "map":
        note += f" Each panel holds several values of {view.panel.name}: a cell is the mean of its cases."
    more = [n for n in outputs_of(sweep, None) if n not in drawn]
    return note + (f" Also in the file: {', '.join(more)}." if more else "")


def _check_list(checks) -> Section:
    marks = {True: "", False: " class=bad", None: " class=told"}
    rows = "".join(f"<li{marks[c.good]}>{html.escape(c.text)}</li>" for c in checks)
    body = f"<ul class=checks>{rows}</ul>" if rows else "<p>Nothing was checked: no run, sweep, solids or geometry.</p>"
    note = "✓ holds, ! does not hold, · a figure that nothing was compared with." if rows else ""
    return Section("checks", "Checks", body, note)


def _settings(values) -> str:
    """Parameters by name with their values, folded."""
    texts = []
    for name, value in values.items():
        row = parameters().get(name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        text = quantity(value, row.unit, name) if row and number and not row.choices else str(value)
        texts.append(f"{html.escape(name)} {html.escape(text)}")
    return f"<details><summary>{len(texts)} parameters differ from their defaults</summary>{', '.join(texts)}</details>"


def _origin(what: str, result):
    """What a result says of itself; older files say little."""
    about = result.about
    if about.get("command"):
        yield f"{what}: command", f"<code>{html.escape(str(about['command']))}</code>"
    made = [str(about["date"])] if about.get("date") else []
    made += [f"polepair {about['version']}"] if about.get("version") else []
    made += [f"digest {str(about['digest'])[:12]}"] if about.get("digest") else []
    if made:
        yield f"{what}: made", html.escape(", ".join(made))
    asked = [f"{k} {v}" for k, v in about.items() if k in ASKED and isinstance(v, (int, float, str))]
    if asked:
        yield f"{what}: options", html.escape(", ".join(asked))
    if isinstance(about.get("settings"), dict) and about["settings"]:
        yield f"{what}: parameters", _settings(about["settings"])


def _page_about(motor, run, sweep, command: str) -> Section:
    """Where the page's figures come from."""
    rows = [("motor", html.escape(f"{motor.name} ({motor.source})" if motor.source else motor.name))]
    rows += list(_origin("run", run)) if run is not None else []
    rows += list(_origin("sweep", sweep)) if sweep is not None else []
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    rows.append(("page", html.escape(f"{made}, polepair {_core.version}")))
    if command:
        rows.append(("page: command", f"<code>{html.escape(command)}</code>"))
    return Section("origin", "Where this comes from", pairs(rows))


def _parameters(motor) -> Section:
    rows = []
    for group in groups():
        if group == "datasheet" and motor.has_geometry:
            continue
        own = (p for p in parameters().values() if p.group == group and motor.get(p.name) != p.default)
        for p in own:
            value = motor.get(p.name)
            rows.append((p.name, value if p.choices else quantity(float(value), p.unit, p.name), p.doc))
    return Section("parameters", "Parameters", table(rows), "Those that differ from their defaults.", wide=True)


def _constants(d) -> Section:
    rows = [(n, quantity(getattr(d, n), f.unit, n), f.doc) for n, f in derived().items() if getattr(d, n)]
    return Section("constants", "Constants", table(rows), "Per equivalent star phase, peak values.", wide=True)


class Options(NamedTuple):
    """What `write_report` takes by name only."""

    axes: tuple | None = None
    outputs: tuple | None = None
    command: str = ""


MESH = "the .npz that build_cad wrote"


PAGES = (".html", ".htm")  # how the file of a page is named


@takes(path=PATH, motor=MOTOR, run=a("a Result, as Twin.run gives it", Result), sweep=a("a SweepTable", SweepTable),
       cad=a("the answer of build_cad", dict), mesh=a(MESH, str, os.PathLike))  # fmt: skip
def write_report(path, motor, run=None, sweep=None, cad=None, mesh=None, **options) -> Path:
    """Writes the page; parts that are missing are left out.

    `cad` is the answer of build_cad, `mesh` its .npz. Options, by name (see Options): `axes` names up to three
    parameters of the sweep: across, up, and the panels; `outputs` the columns to draw (up to four by themselves);
    `command` is told at its foot. ValueError for names that the sweep has not.
    """
    given = taken(Options, options, "write_report")
    writable(path, PAGES)
    if run is not None:
        checked_run(run, SPIN_UP)
    if cad is not None:
        checked_cad(cad)
    figures = [_drawing(motor)] if motor.has_geometry else []
    figures += [_solids(mesh)] if mesh else []
    figures.append(_map(motor, run))
    if run is not None:
        figures.append(_spin_up(motor, run))
    tail = [_check_list(checks_of(motor, run, sweep, cad)), _page_about(motor, run, sweep, given.command)]
    swept = _sweep(sweep, given.axes, given.outputs) if sweep is not None else None
    wide = [s for s in (swept, _parameters(motor), _constants(motor.derive())) if s]
    page = Template(resource("report.html")).substitute(
        name=html.escape(motor.name),
        description=html.escape(motor.description),
        source=html.escape(motor.source),
        style=resource("report.css"),
        cards=_cards(motor.derive()),
        contents=contents([*figures, *tail, *wide]),
        body=arranged(figures, tail, wide),
        version=_core.version,
    )
    write_text(path, page)
    return Path(path)
