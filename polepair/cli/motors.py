"""Commands about a motor at rest: list, design."""

import json
from pathlib import Path

import click

from ..design.motor import catalogue, load
from ..errors import CadError
from ..table import derived
from .common import JSON, SET, chosen_motor, say


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


@click.command()
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
    from ..files import write_text

    m = chosen_motor(motor, settings)
    d = m.derive()
    data, lines = {"motor": m.name, "derived": d.as_dict()}, [f"{m.name}: {m.description}"]
    lines += [f"  {n:<20} {getattr(d, n):<12.6g} {f.unit:<10} {f.doc}" for n, f in derived().items() if getattr(d, n)]
    if out:
        out.mkdir(parents=True, exist_ok=True)
        if m.has_geometry and not no_cad:
            try:
                data["cad"] = build_cad(m, out / "motor.step", out / "motor.mesh.npz")
                lines.append(f"  {data['cad']['solids']} solids in {out / 'motor.step'}")
            except CadError as e:
                data["cad_error"] = str(e)
                lines.append(f"  no CAD: {e}")
        m.save(out / "motor.toml")
        write_text(out / "motor.json", json.dumps(data, indent=1))
    say(as_json, data, lines)


COMMANDS = (list_motors, design)
