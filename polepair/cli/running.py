"""Commands that simulate: run, sweep."""

import click
import numpy as np

from ..errors import Interrupted, nearest
from ..files import apart
from ..run.saved import writable
from ..run.twin import ALL, Twin, period_count
from ..run.warnings import codes
from ..table import parameters
from .common import FILE, JSON, RPM, SET, Progress, chosen_motor, say, tell
from .typed import Typed

BEST = 10  # rows of a sweep that is not saved


@click.command(cls=Typed)
@click.argument("motor")
@click.option("--time", "t_end", default=0.5, show_default=True, help="Simulated time, s.")
@click.option("--out", type=FILE, help="Result file: .parquet, .npz or .csv.")
@click.option("--every", default=1, show_default=True, help="Keep one sample in EVERY.")
@SET
@JSON
def run(motor, t_end, out, every, settings, as_json):
    """Simulates a motor with its drive and load from rest."""
    m = chosen_motor(motor, settings)
    if out:
        writable(out)
    periods = period_count(t_end, m.drive.period)
    if every > periods:
        raise ValueError(f"run: every = {every}: expected at most the {periods:,} control periods of the run")
    with Progress("simulating", as_json) as bar:
        result = _simulated(m, t_end, every, bar)
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
        tell(doubt, "warning")


def _simulated(motor, t_end: float, every: int, bar):
    """The run; Interrupted says how far it came."""
    rows = [0, 0]

    def progress(done: int, total: int) -> None:
        rows[:] = done, total
        bar(done, total)

    try:
        return Twin(motor).run(t_end, ALL, every, progress)
    except KeyboardInterrupt:
        far = f": {rows[0]:,} of {rows[1]:,} samples" if rows[1] else ""
        raise Interrupted(f"run: interrupted{far}; nothing was saved") from None


@click.command(cls=Typed)
@click.argument("motor")
@click.argument("axes", nargs=-1)
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
@click.option("--sobol", type=int, metavar="N", help="N points of a Sobol sequence over AXES as GROUP.FIELD=low:high.")
@click.option("--random", type=int, metavar="N", help="N random points over AXES as GROUP.FIELD=low:high.")
@click.option("--seed", type=int, help="Of --sobol or --random (default: 0).")
@click.option("--cases", "table", type=FILE, help="A .csv whose columns are parameters, a row a case, instead of AXES.")
@click.option("--sort", metavar="COLUMN", help="Order of the rows that are printed; -COLUMN: from the largest down.")
@click.option("--out", type=FILE, help="Result file: .parquet, .npz or .csv.")
@click.option("--resume", is_flag=True, help="Go on with what OUT or OUT.parts holds of this sweep.")
@click.option("--save-every", default=30.0, show_default=True, help="Finished cases reach the disk so often, s.")
@SET
@JSON
def sweep(motor, axes, record, keep_tuning, sort, settings, as_json, **given):
    """Runs every combination of AXES: GROUP.FIELD=a,b,c or GROUP.FIELD=first:last:count; values may have units.

    Without --out the best rows are printed and nothing is saved. An interrupted sweep goes on with --resume.
    """
    from ..run.sweeps import TABLES
    from .axes import cases as cases_of

    m = chosen_motor(motor, settings)
    out, resume = given.pop("out"), given.pop("resume")
    cases_file = given["table"]
    cases = cases_of(axes, *(given.pop(k) for k in ("sobol", "random", "seed", "table")))
    record = list(dict.fromkeys([*(name.strip() for name in record.split(",")), "warnings"]))
    by = _order(sort, [*cases[0], *(n if "." in n or n == "warnings" else f"{n}.final" for n in record)], len(cases[0]))
    if resume and not out:
        raise ValueError("sweep: --resume: expected --out with it, the file to go on with")
    if out:
        apart(out, cases_file)
        writable(out, TABLES if resume else (*TABLES, ".csv"))
    if out and out.suffix in TABLES:
        given["resume" if resume else "out"] = out
    table = _swept(m, cases, record, not keep_tuning, as_json, given)
    if out and out.suffix not in TABLES:
        table.save(out)
    _say_sweep(m, table, out, by, as_json)
    if not table.complete:
        raise Interrupted(_left(table, out, given))
    if len(table.failed) == len(table):
        tell(f"sweep: all {len(table):,} cases were refused, expected values that make a motor")
        raise SystemExit(1)


def _order(sort: str | None, columns: list[str], axes: int) -> tuple[str, bool]:
    """The column to sort by, and whether the largest comes first; ValueError for one that will not be there."""
    if not sort:
        return columns[axes], True
    name = sort.removeprefix("-")
    if name not in columns:
        raise ValueError(f"--sort {sort}: no such column{nearest(name, columns)}")
    return name, sort.startswith("-")


def _swept(motor, cases, record, retune: bool, quiet: bool, options: dict):
    """The table, partial after Ctrl-C."""
    from ..run.sweeps import sweep as run_sweep

    with Progress("sweeping", quiet) as bar:
        return run_sweep(Twin(motor), cases, record=record, retune=retune, progress=bar, **options)


def _left(table, out, given: dict) -> str:
    """What is said of an interrupted sweep."""
    text = f"interrupted: {int((~table.unfinished).sum()):,} of {len(table):,}"
    if not out:
        return f"{text}; nothing was saved"
    kept = "resume" in given or "out" in given
    return f"{text}; continue with --resume" if kept else f"{text} in {out}; a .csv cannot be continued"


def _say_sweep(motor, table, out, by, as_json: bool) -> None:
    """What came of a sweep; its best rows where they are not saved."""
    data = {
        "motor": motor.name,
        "cases": len(table),
        "failed": table.failed,
        "complete": table.complete,
        "warnings": [str(w) for w in table.warnings],
        "out": str(out) if out else None,
    }
    if not out:
        data["columns"] = {n: [None if np.isnan(v) else v for v in table[n].tolist()] for n in table.names}
    warn(as_json, table)
    text = f"{motor.name}: {len(table)} cases, {len(table.failed)} refused"
    if not table.complete:
        text += f", {int(table.unfinished.sum())} not run"
    lines = [text + (f"; {out}" if out else "")]
    lines += [f"  case {k}: {why}" for k, why in table.failed[:5]] + (["  ..."] if len(table.failed) > 5 else [])
    if not out:
        lines += _best(table, *by)
    say(as_json, data, lines)


def _best(table, column: str, largest: bool) -> list[str]:
    """The first rows in an order, and that they are kept nowhere."""
    ran = np.flatnonzero(table["status"] == 0)
    order = np.argsort(-table[column][ran] if largest else table[column][ran], kind="stable")
    names = [n for n in table.names if n != "status"]
    rows = [["case", *(f"{n} [{table.unit(n)}]" if table.unit(n) not in ("", "1") else n for n in names)]]
    for k in ran[order[:BEST]]:
        rows.append([str(k), *(_cell(n, table[n][k]) for n in names)])
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = ["  " + "  ".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True)) for cells in rows]
    shown = min(len(ran), BEST)
    told = f"  {shown} of {len(ran)} rows, {'largest' if largest else 'smallest'} {column} first (--sort)"
    return [*lines, f"{told}; nothing was saved: --out FILE keeps them"] if shown else ["  nothing was saved"]


def _cell(name: str, value: float) -> str:
    if name == "warnings":
        return " ".join(codes(value)) or "-"
    row = parameters().get(name)
    return row.choices[int(value)] if row and row.choices else f"{value:.6g}"


COMMANDS = (run, sweep)
