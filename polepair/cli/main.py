"""The polepair command: list, design, run, sweep, report, film. --json prints machine-readable results."""

import json
import sys
from pathlib import Path

import click
import numpy as np

from .. import _core
from ..design.motor import catalogue, load
from ..errors import CadError, DivergedError, FileError, LinkError, StoreError, plain
from ..files import read_text
from ..run.twin import ALL, Twin
from ..table import derived, parameters
from .common import FILE, JSON, RPM, SET, blotted, chosen_motor, say, tell, told_warnings
from .live import COMMANDS
from .recording import COMMANDS as RECORDING


class Progress:
    """A progress bar on a terminal, silence elsewhere."""

    def __init__(self, label: str, quiet: bool):
        self.label, self.show, self.bar = label, not quiet and sys.stderr.isatty(), None

    def __enter__(self):
        if self.show:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn(self.label), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn()
            )
            self.bar.start()
            self.task = self.bar.add_task(self.label)
        return self

    def __call__(self, done: int, total: int) -> None:
        """Moves the bar."""
        if self.bar:
            self.bar.update(self.task, completed=done, total=total)

    def __exit__(self, *_):
        if self.bar:
            self.bar.stop()


class OneLine(click.Group):
    """Every error a user can cause ends as one line and exit code 2."""

    def invoke(self, ctx):
        """Runs the command."""
        try:
            with told_warnings():
                return super().invoke(ctx)
        except (FileError, DivergedError, CadError, LinkError, StoreError, ValueError) as e:
            tell(e)
            ctx.exit(2)
        except click.ClickException as e:
            e.message = plain(blotted(e.message), 4000)
            raise
        except ImportError as e:
            tell(f"{e.name} is missing, expected: pip install 'polepair[report]'")
            ctx.exit(2)


@click.group(cls=OneLine)
@click.version_option(_core.version)
def main():
    """Virtual twins of electric motors."""


@main.command("list")
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


@main.command()
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


@main.command()
@click.argument("motor")
@click.option("--time", "t_end", default=0.5, show_default=True, help="Simulated time, s.")
@click.option("--out", type=FILE, help="Result file: .parquet, .npz or .csv.")
@click.option("--every", default=1, show_default=True, help="Keep one sample in EVERY.")
@SET
@JSON
def run(motor, t_end, out, every, settings, as_json):
    """Simulates a motor with its drive and load from rest."""
    m = chosen_motor(motor, settings)
    with Progress("simulating", as_json) as bar:
        result = Twin(m).run(t_end, ALL, every, bar)
    if out:
        result.save(out)
    last = {n: float(result[n][-1]) for n in ("time", "omega_m", "torque", "i_s")}
    data = {
        "motor": m.name,
        "rows": len(result),
        "final": last,
        "i_peak": float(result["i_s"].max()),
        "energy_residual": result.energy_residual,
        "out": str(out) if out else None,
    }
    text = f"{m.name}: {last['omega_m'] * RPM:.1f} rpm, {last['torque'] * 1e3:.4g} mN m, {last['i_s']:.4g} A"
    text += f" after {last['time']:g} s"
    say(
        as_json,
        data,
        [
            f"{text}; peak {data['i_peak']:.4g} A; energy balance {data['energy_residual']:.1e}"
            + (f"; {out}" if out else "")
        ],
    )


def _axis(text: str):
    """NAME=a,b,c or NAME=first:last:count."""
    name, sign, values = text.partition("=")
    try:
        if not sign:
            raise ValueError
        if ":" in values:
            low, high, count = values.split(":")
            points = np.linspace(float(low), float(high), int(count))
        else:
            points = [
                float(v) if name not in parameters() or not parameters()[name].choices else v for v in values.split(",")
            ]
    except ValueError:
        raise ValueError(f"{text}: expected GROUP.FIELD=a,b,c or GROUP.FIELD=first:last:count") from None
    return name, list(points)


@main.command()
@click.argument("motor")
@click.argument("axes", nargs=-1, required=True)
@click.option("--time", "t_end", default=0.5, show_default=True, help="Simulated time of each case, s.")
@click.option(
    "--record",
    default="omega_m.final,torque.final,i_s.peak,i_s.rms",
    show_default=True,
    help="Outputs as CHANNEL.REDUCER.",
)
@click.option("--keep-tuning", is_flag=True, help="All cases keep the base motor's controller.")
@click.option("--threads", type=int, help="Worker threads (default: all cores).")
@click.option(
    "--mode",
    type=click.Choice(["exact", "fast", "single"]),
    default="exact",
    show_default=True,
    help="exact: the bits of single runs; fast: fused multiply-add; single: floats, error 1e-4.",
)
@click.option("--out", type=FILE, help="Result file: .parquet, .npz or .csv.")
@SET
@JSON
def sweep(motor, axes, record, keep_tuning, out, settings, as_json, **options):
    """Runs every combination of AXES: GROUP.FIELD=a,b,c or GROUP.FIELD=first:last:count."""
    from ..run.sweeps import sweep as run_sweep

    m = chosen_motor(motor, settings)
    grid = dict(_axis(a) for a in axes)
    if len(grid) != len(axes):
        raise ValueError("sweep: a parameter is named twice")
    with Progress("sweeping", as_json) as bar:
        options |= {"record": record.split(","), "retune": not keep_tuning, "progress": bar}
        table = run_sweep(Twin(m), grid, **options)
    if out:
        table.save(out)
    data = {
        "motor": m.name,
        "cases": len(table),
        "failed": table.failed,
        "complete": table.complete,
        "out": str(out) if out else None,
    }
    if not out:
        data["columns"] = {n: [None if np.isnan(v) else v for v in table[n].tolist()] for n in table.names}
    lines = [f"{m.name}: {len(table)} cases, {len(table.failed)} refused" + (f"; {out}" if out else "")]
    lines += [f"  case {k}: {why}" for k, why in table.failed[:5]] + (["  ..."] if len(table.failed) > 5 else [])
    say(as_json, data, lines)


@main.command()
@click.argument("motor")
@click.option("--run", "run_file", type=FILE, help="Result of `polepair run`; simulated when missing.")
@click.option("--sweep", "sweep_file", type=FILE, help="Result of `polepair sweep`.")
@click.option(
    "--cad", "cad_file", type=FILE, help="motor.json of `polepair design`; motor.mesh.npz is taken from beside it."
)
@click.option("--out", type=FILE, default=Path("report.html"), show_default=True)
@SET
@JSON
def report(motor, run_file, sweep_file, cad_file, out, settings, as_json):
    """One page about a motor: drawing, constants, limits, spin-up, sweep, checks."""
    from ..faces.report import write_report
    from ..run.result import Result
    from ..run.sweeps import load_table

    m = chosen_motor(motor, settings)
    result = Result.load(run_file) if run_file else Twin(m).run(0.5)
    table = load_table(sweep_file) if sweep_file else None
    cad = _cad_of(cad_file) if cad_file else None
    mesh = cad_file.with_name("motor.mesh.npz") if cad_file else None
    path = write_report(out, m, result, table, cad, mesh if mesh and mesh.exists() else None)
    say(as_json, {"out": str(path)}, [f"{m.name}: {path}"])


def _cad_of(path) -> dict | None:
    """What `polepair design` wrote of the solids."""
    try:
        read = json.loads(read_text(path))
    except (ValueError, RecursionError) as e:
        raise e if isinstance(e, FileError) else FileError(f"{path}: not JSON ({plain(e, 100)})") from None
    if not isinstance(read, dict) or not isinstance(read.get("cad"), (dict, type(None))):
        raise FileError(f"{path}: expected the motor.json of polepair design")
    return read.get("cad")


@main.command()
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
    from ..run.result import Result

    m = chosen_motor(motor, settings)
    result = Result.load(run_file) if run_file else Twin(m).run(0.5)
    with Progress("rendering", as_json):
        data = make_film(m, result, out, seconds, slow)
    say(as_json, data, [f"{m.name}: {data['frames']} frames in {out}"])


for command in (*COMMANDS, *RECORDING):
    main.add_command(command)
