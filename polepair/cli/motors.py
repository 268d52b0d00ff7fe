"""Commands about a motor at rest: list, design."""

import json
from pathlib import Path

import click

from ..design.motor import catalogue, load
from ..errors import CadError
from ..run.provenance import describe
from ..table import derived
from ..units import readable
from .common import JSON, SET, chosen_motor, say
from .typed import Typed


@click.command("list")
@JSON
def list_motors(as_json):
    """Motors that ship with polepair."""
    motors = {name: load(name) for name in catalogue()}
    width = max(map(len, motors))
    say(
        as_json,
        {n: m.description for n, m in motors.items()},
        [f"{n:<{width}}  {m.description}" for n, m in motors.items()],
    )


@click.command(cls=Typed)
@click.argument("motor")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for motor.step, motor.toml, motor.json and motor.mesh.npz.",
)
@click.option("--no-cad", is_flag=True, help="Constants only.")
@SET
@JSON
def design(motor, out, no_cad, settings, as_json):
    """Constants of a motor, and its solids where FreeCAD is installed."""
    from ..faces.cad import build_cad
    from ..files import apart, make_folder, same_file, write_text

    if out and settings:
        apart(out / "motor.toml", motor)  # its owner's text, and the values that --set changes
    m = chosen_motor(motor, settings)
    d = m.derive()
    data, lines = {**describe(m, kind="design"), "derived": d.as_dict()}, [f"{m.name}: {m.description}".rstrip(": ")]
    lines += [*_constants(d), f"  all {len(derived())} in SI units: --json"]
    if out:
        make_folder(out)
        if m.has_geometry and not no_cad:
            try:
                data["cad"] = build_cad(m, out / "motor.step", out / "motor.mesh.npz")
                lines.append(f"  {data['cad']['solids']} solids in {out / 'motor.step'}")
            except CadError as e:
                data["cad_error"] = str(e)
                lines.append(f"  no CAD: {e}")
        if not same_file(out / "motor.toml", motor):
            m.save(out / "motor.toml")
        write_text(out / "motor.json", json.dumps(data, indent=1))
    say(as_json, data, lines)


SHOWN = ("Kv", "Kt", "Rs", "Ld", "psi_pm", "J", "mass", "slot_fill")


def _constants(d) -> list[str]:
    """The constants that people compare motors by, in the units that they use."""
    lines = []
    for name in SHOWN:
        row, value = derived()[name], getattr(d, name)
        text = readable(value, row.unit)
        if name == "slot_fill":
            text = f"{100 * value:.0f} %"
        if name == "Ld" and d.Ld != d.Lq:
            name, text = "Ld, Lq", f"{text}, {readable(d.Lq, row.unit)}"
        if value:
            lines.append(f"  {name:<10} {text:<16} {row.doc}")
    return lines


COMMANDS = (list_motors, design)
