"""Commands that draw: report, film."""

import json
import logging
from pathlib import Path

import click

from ..errors import FileError, plain
from ..files import apart, read_text
from ..run import provenance
from ..run.saved import writable
from ..run.twin import Twin
from .common import FILE, JSON, SET, Progress, chosen_motor, say, tell
from .typed import Typed


@click.command(cls=Typed)
@click.argument("motor")
@click.option("--run", "run_file", type=FILE, help="Result of `polepair run`; simulated when missing.")
@click.option("--sweep", "sweep_file", type=FILE, help="Result of `polepair sweep`.")
@click.option(
    "--cad", "cad_file", type=FILE, help="motor.json of `polepair design`; motor.mesh.npz is taken from beside it."
)
@click.option("--axes", metavar="A,B,C", help="Parameters of the sweep: across, up, and one panel for each value of C.")
@click.option("--outputs", metavar="A,B", help="Outputs of the sweep to draw (default: up to four).")
@click.option("--out", type=FILE, default=Path("report.html"), show_default=True)
@SET
@JSON
def report(motor, run_file, sweep_file, cad_file, axes, outputs, out, settings, as_json):
    """One page about a motor: drawing, constants, limits, spin-up, sweep, checks."""
    from ..faces.inputs import SPIN_UP
    from ..faces.report import PAGES, write_report
    from ..run.sweeps import load_table

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it speaks of its cache where HOME is closed
    writable(out, PAGES)
    apart(out, motor, run_file, sweep_file, cad_file)
    m = chosen_motor(motor, settings)
    result = _run_of(run_file, m, SPIN_UP) if run_file else Twin(m).run(0.5)
    table = load_table(sweep_file) if sweep_file else None
    if table is not None:
        if not table.complete:
            left = f"{int(table.unfinished.sum()):,} of {len(table):,} cases were not run"
            tell(f"{sweep_file}: {left} (interrupted), so the page is of the others", "warning")
        varied = table.about.get("axes")
        _same_motor(table.about, m, sweep_file, varied if isinstance(varied, list) else ())
    cad = _cad_of(cad_file, m) if cad_file else None
    mesh = cad_file.with_name("motor.mesh.npz") if cad_file else None
    drawn = {"axes": _listed("--axes", axes, table), "outputs": _listed("--outputs", outputs, table)}
    mesh = mesh if mesh and mesh.exists() else None
    path = write_report(out, m, result, table, cad, mesh, **drawn, command=provenance.COMMAND.get() or "")
    say(as_json, {"out": str(path)}, [f"{m.name}: {path}"])


def _listed(option: str, text: str | None, table):
    """The names of an option, or None; it needs a sweep."""
    if text is None:
        return None
    if table is None:
        raise ValueError(f"{option} {plain(text, 100)}: there is no sweep to draw, expected --sweep FILE")
    return [name.strip() for name in text.split(",")]


def _run_of(path, motor, channels):
    """A run of this motor with these channels; FileError for another result, another motor or other values."""
    from ..faces.inputs import read_run

    result = read_run(path, channels)
    _same_motor(result.about, motor, path)
    return result


def _same_motor(about: dict, motor, path, without=()) -> None:
    differs = provenance.first_difference(about, motor, path, without)
    if differs:
        raise FileError(f"{differs}: expected a result of this very motor (the same file and --set)")


def _cad_of(path, motor) -> dict | None:
    """What `polepair design` wrote of the solids of this motor."""
    from ..faces.inputs import checked_cad

    try:
        read = json.loads(read_text(path))
    except (ValueError, RecursionError) as e:
        raise e if isinstance(e, FileError) else FileError(f"{path}: not JSON ({plain(e, 100)})") from None
    designed = isinstance(read, dict) and isinstance(read.get("derived"), dict)
    if not designed or not isinstance(read.get("cad"), (dict, type(None))):
        raise FileError(f"{path}: expected the motor.json of polepair design")
    _same_motor(read, motor, path, provenance.NOT_THE_MOTOR)
    if not read.get("cad"):
        why = plain(read.get("cad_error", "made with --no-cad, or of a motor without a geometry"), 200)
        return tell(f"{path}: holds no solids, so the page has none ({why})", "warning")
    try:
        return checked_cad(read["cad"])
    except ValueError as e:
        raise FileError(f"{path}: {e}") from None


@click.command(cls=Typed)
@click.argument("motor")
@click.option("--run", "run_file", type=FILE, help="Result of `polepair run`; simulated when missing.")
@click.option("--out", type=FILE, default=Path("spinup.mp4"), show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="Length of the clip.")
@click.option("--slow", default=0.0, help="Slow motion factor (0: so that the whole run fills the clip).")
@SET
@JSON
def film(motor, run_file, out, seconds, slow, settings, as_json):
    """A short clip of the spin-up, rendered by Blender without a display."""
    from ..faces.film import make_film
    from ..faces.inputs import TURNING

    if out.suffix != ".mp4":
        raise ValueError(f"{plain(out, 200)}: expected a clip named .mp4")
    apart(out, motor, run_file)
    m = chosen_motor(motor, settings)
    result = _run_of(run_file, m, TURNING) if run_file else Twin(m).run(0.5)
    with Progress("rendering", as_json) as bar:
        data = make_film(m, result, out, seconds, slow, progress=bar)
    say(as_json, data, [f"{m.name}: {data['frames']} frames in {out}"])


COMMANDS = (report, film)
