"""Commands that simulate: run, sweep."""

import click
import numpy as np

from ..run.twin import ALL, Twin
from ..table import parameters
from .common import FILE, JSON, RPM, SET, Progress, chosen_motor, say


@click.command()
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
        "warnings": [str(w) for w in result.warnings],
        "out": str(out) if out else None,
    }
    warn(as_json, result)
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


def warn(as_json: bool, result) -> None:
    """The warnings of a run or sweep, a line each on the terminal's error stream; JSON has them in itself."""
    for doubt in () if as_json else result.warnings:
        click.echo(f"polepair: warning: {doubt}", err=True)


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


@click.command()
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
        options |= {
            "record": list(dict.fromkeys([*record.split(","), "warnings"])),
            "retune": not keep_tuning,
            "progress": bar,
        }
        table = run_sweep(Twin(m), grid, **options)
    if out:
        table.save(out)
    data = {
        "motor": m.name,
        "cases": len(table),
        "failed": table.failed,
        "complete": table.complete,
        "warnings": [str(w) for w in table.warnings],
        "out": str(out) if out else None,
    }
    if not out:
        data["columns"] = {n: [None if np.isnan(v) else v for v in table[n].tolist()] for n in table.names}
    warn(as_json, table)
    lines = [f"{m.name}: {len(table)} cases, {len(table.failed)} refused" + (f"; {out}" if out else "")]
    lines += [f"  case {k}: {why}" for k, why in table.failed[:5]] + (["  ..."] if len(table.failed) > 5 else [])
    say(as_json, data, lines)


COMMANDS = (run, sweep)
