"""The report: one self-contained HTML page."""

import base64
import html
import io
import json
import os
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from .. import _core
from ..arguments import PATH, a, takes
from ..design.maps import efficiency_map
from ..design.motor import MOTOR
from ..draw import plots
from ..draw.section import cross_section, part_colour
from ..files import write_text
from ..run.result import Result
from ..run.sweeps import SweepTable
from ..table import derived, groups, parameters
from .cad import compare
from .inputs import SPIN_UP, checked_cad, checked_run, read_mesh

HEADLINE = {
    "Kv": "speed constant",
    "Kt": "torque constant",
    "Rs": "phase resistance",
    "Ld": "inductance",
    "psi_pm": "flux linkage",
    "J": "rotor inertia",
    "mass": "mass",
}
SCALES = (("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9), ("p", 1e-12))
RPM = 30 / np.pi


def _resource(name: str) -> str:
    """Text of a file of the folder web."""
    return resources.files("polepair.faces").joinpath("web", name).read_text(encoding="utf-8")


def _number(value: float, unit: str) -> str:
    """A value with its unit as a person writes it."""
    special = {
        "rad/s/V": (RPM, "rpm/V"),
        "kg*m^2": (1e7, "g cm²"),
        "kg": (1e3, "g") if abs(value) < 1 else (1.0, "kg"),
        "1": (1.0, ""),
    }
    if unit in special:
        scale, text = special[unit]
        return f"{value * scale:.4g} {text}".strip()
    shown = unit.replace("ohm", "Ω").replace("*", "·").replace("^0.5", "^½")
    if value == 0 or not np.isfinite(value) or unit in ("K", "degC"):
        return f"{value:.4g} {shown}"
    prefix, scale = next(((p, s) for p, s in SCALES if abs(value) >= 0.9999 * s), SCALES[-1])
    return f"{value / scale:.4g} {prefix}{shown}"


def _svg(fig) -> str:
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _png(fig, dpi: int = 160) -> str:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=dpi)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _checks(motor, run, cad) -> list[tuple[bool, str]]:
    """What was checked on the way, each with its figure."""
    rows = []
    if run is not None and "energy_in" in run:
        residual = abs(run.energy_residual)
        rows.append((residual < 1e-4, f"energy balance of the spin-up closes to {residual:.1e}"))
        rows.append((bool(np.isfinite(run.block).all()), f"{len(run)} samples, all finite"))
    if cad:
        worst = max(compare(motor, cad).values())
        rows.append((worst < 1e-9, f"closed-form mass and inertia agree with OpenCASCADE to {worst:.1e}"))
        rows.append((cad["valid"], f"{cad['solids']} solids, all valid, built in {cad['build_ms']:.0f} ms of CPU time"))
    if motor.has_geometry and motor.stator.slots:
        m, d, dims = motor.magnet, motor.derive(), motor.dims()
        gap = abs(dims["r_gap"] - dims["r_magnet"])
        naive = _core.naive_gap_field(m.Br, m.mu_r, m.thickness, gap, d.carter, dims["arc"])
        rows.append(
            (
                True,
                f"gap field {d.B_gap:.3f} T by the two-dimensional solution; "
                f"the one-dimensional formula would say {naive:.3f} T",
            )
        )
        rows.append((d.slot_fill < 0.6, f"copper fills {100 * d.slot_fill:.0f} % of the slot"))
        rows.append((d.B_tooth < 1.9, f"teeth carry {d.B_tooth:.2f} T, yoke {d.B_yoke:.2f} T (open circuit)"))
    return rows


def _viewer(mesh_path) -> str:
    """A picture of the solids, and over it a WebGL view to turn where the browser has one."""
    read = read_mesh(mesh_path)
    about = [a for a, *_ in read]
    parts = [(v, f, part_colour(a[2], a[3] if len(a) > 3 else ""), a[1]) for a, v, f in read]
    hidden = {a[0] for a in about if a[2] == "housing"}
    shown = [p for p, a in zip(parts, about, strict=True) if a[0] not in hidden]
    picture = _png(plots.solid_picture([p[:3] for p in shown]))
    scale = 1 / max(float(np.abs(p[0]).max()) for p in shown)
    packed = []
    for vertices, faces, colour, body in shown:
        flat = (vertices[faces].reshape(-1, 3) * scale * 32767).astype("<i2")
        packed.append({"c": colour, "r": body == "rotor", "v": base64.b64encode(flat.tobytes()).decode()})
    script = _resource("viewer.js").replace("@PARTS@", json.dumps(packed))
    return f'<div class="view">{picture}<canvas></canvas></div><script>{script}</script>'


def _section(title: str, body: str, note: str = "", wide: bool = False) -> str:
    text = f"<p>{html.escape(note)}</p>" if note else ""
    return f"<section{' class=wide' if wide else ''}><h2>{html.escape(title)}</h2>{body}{text}</section>"


def _constants(d) -> str:
    rows = [
        f"<tr><td>{n}</td><td class=n>{_number(getattr(d, n), f.unit)}</td><td class=d>{html.escape(f.doc)}</td></tr>"
        for n, f in derived().items()
        if getattr(d, n)
    ]
    return _table(rows)


def _table(rows) -> str:
    """Rows in two columns where the page is wide."""
    half = (len(rows) + 1) // 2
    tables = "".join(f"<div class=scroll><table>{''.join(part)}</table></div>" for part in (rows[:half], rows[half:]))
    return f"<div class=two>{tables}</div>"


def _parameters(motor) -> str:
    rows = []
    for group in groups():
        own = [
            p for p in parameters().values() if p.group == group and (group != "datasheet" or not motor.has_geometry)
        ]
        changed = [p for p in own if motor.get(p.name) != p.default]
        for p in changed:
            value = motor.get(p.name)
            text = value if p.choices else _number(float(value), p.unit)
            rows.append(f"<tr><td>{p.name}</td><td class=n>{text}</td><td class=d>{html.escape(p.doc)}</td></tr>")
    return _table(rows)


def _sweep_section(table) -> str:
    axes = [n for n in table.names if n in parameters() and len(np.unique(table[n])) > 1][:2]
    outputs = [n for n in table.names if n not in parameters() and n != "status"]
    chosen = [n for n in ("i_s.rms", "omega_m.final") if n in outputs] or outputs[:2]
    if not axes:
        return ""
    note = f"{len(table)} runs, {len(table.failed)} refused." + (
        f" First: {table.failed[0][1]}." if table.failed else ""
    )
    return _section("Sweep", _svg(plots.sweep_maps(table, axes, chosen)), note, wide=True)


MESH = "the .npz that build_cad wrote"


@takes(path=PATH, motor=MOTOR, run=a("a Result, as Twin.run gives it", Result), sweep=a("a SweepTable", SweepTable),
       cad=a("the answer of build_cad", dict), mesh=a(MESH, str, os.PathLike))  # fmt: skip
def write_report(path, motor, run=None, sweep=None, cad=None, mesh=None) -> Path:
    """Writes the page. `cad` is the answer of build_cad, `mesh` its .npz; parts that are missing are left out."""
    if run is not None:
        checked_run(run, SPIN_UP)
    if cad is not None:
        checked_cad(cad)
    d = motor.derive()
    cards = "".join(
        f"<div class=card><b>{_number(getattr(d, n), derived()[n].unit)}</b><span>{what}</span></div>"
        for n, what in HEADLINE.items()
        if getattr(d, n)
    )
    body = []
    if motor.has_geometry:
        body.append(
            _section(
                "Cross-section",
                _svg(plots.cross_section(cross_section(motor))),
                "Cross: coil side going in; dot: coming out.",
            )
        )
    if mesh:
        body.append(
            _section(
                "Solids",
                _viewer(mesh),
                "Drag to turn, wheel to zoom; the housing is left out. The same solids are in motor.step.",
            )
        )
    body.append(
        _section(
            "Torque, speed and efficiency",
            _svg(plots.torque_speed(efficiency_map(motor))),
            f"Limits: {motor.drive.i_max:g} A peak phase current, {motor.drive.u_dc:g} V bus. "
            "Efficiency counts copper, iron and friction.",
        )
    )
    if run is not None:
        control = "Field-oriented control" if motor.drive.kind == "foc" else "Six-step commutation"
        note = f"{control}, control period {motor.drive.period * 1e6:g} µs."
        body.append(_section("Spin-up", _svg(plots.spin_up(run, motor.control.speed_ref)), note))
    if sweep is not None:
        body.append(_sweep_section(sweep))
    checks = "".join(
        f"<li{'' if good else ' class=bad'}>{html.escape(text)}</li>" for good, text in _checks(motor, run, cad)
    )
    body.append(_section("Checks", f"<ul class=checks>{checks}</ul>", wide=True))
    body.append(_section("Parameters", _parameters(motor), "Those that differ from their defaults.", wide=True))
    body.append(_section("Constants", _constants(d), "Per equivalent star phase, peak values.", wide=True))
    page = Template(_resource("report.html")).substitute(
        name=html.escape(motor.name),
        description=html.escape(motor.description),
        source=html.escape(motor.source),
        style=_resource("report.css"),
        cards=cards,
        body="".join(body),
        version=_core.version,
    )
    write_text(path, page)
    return Path(path)
