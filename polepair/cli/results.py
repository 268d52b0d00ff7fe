"""Commands about results: show, rerun."""

from pathlib import Path

import click
import numpy as np

from ..errors import FileError, Interrupted, plain
from ..files import apart, refusal
from ..run import provenance, saved
from ..run.result import Result
from ..run.twin import Twin
from ..table import groups, parameters
from .common import FILE, JSON, Progress, say
from .typed import Typed

ASKED = ("t_end", "every", "fine", "mode", "retune", "record", "axes", "fields", "plan", "method", "adapt", "noise")
SQLITE = b"SQLite format 3\0"
UNITS = {"t_end": " s", "noise": " A"}


@click.command()
@click.argument("file", type=FILE)
@JSON
def show(file, as_json):
    """Says what a result is of: motor, settings, how it was run, by which polepair, when."""
    if file.suffix not in (".parquet", ".npz", ".csv"):
        _need_store(file)
        say(as_json, *_store(file))
        return
    result = _columns(file) if file.suffix == ".csv" else opened(file)
    kind = provenance.kind(result.about, result.names)
    made = provenance.channels_digest(result.names, result.block)
    data = {"file": str(file), "kind": kind, "rows": len(result), "columns": list(result.names), "channels": made}
    data["about"] = {k: v for k, v in result.about.items() if k != "values"}
    lines = [f"{file}: {_title(kind, result)}", f"  columns   {', '.join(result.names)}"]
    if "status" in result:
        lines.append(f"  cases     {_cases(result)}")
    say(as_json, data, [*lines, *_told(result.about), f"  digest    {made} (of the columns)"])


def opened(file: Path) -> Result:
    """A run, sweep or estimate; FileError for anything else."""
    if file.suffix == ".npz" and file.exists():
        columns = saved.guarded(file, "a result file", saved.npz_arrays)
        if columns.keys() not in (saved.NEW, saved.OLD):
            from ..live.estimation import load_estimate

            return load_estimate(file, columns)
    result = Result.load(file)
    if "status" in result:
        from ..run.sweep_table import as_table

        return as_table(result)
    return result


def _columns(file: Path) -> Result:
    columns = saved.guarded(file, "a table of numbers", saved.read_csv) if file.exists() else None
    if columns is None:
        raise FileError(f"{file}: no such file")
    return Result(tuple(columns), np.column_stack(list(columns.values())), {"kind": "table"})


def _title(kind: str, result: Result) -> str:
    name = result.about.get("motor")
    of = f" of {plain(name, 100)}" if isinstance(name, str) else ""
    return f"a {kind}{of}, {len(result):,} rows"


def _cases(table) -> str:
    left = int(table.unfinished.sum())
    text = f"{len(table):,}, {len(table.failed):,} refused"
    return f"{text}; {left:,} not run: go on with --resume" if left else text


def _told(about: dict) -> list[str]:
    """Lines of a description, as far as it goes."""
    lines = []
    if "version" in about:
        lasted = about.get("duration")
        took = f" in {lasted:.3g} s" if isinstance(lasted, (int, float)) else ""
        lines.append(f"  made      {plain(about.get('date'), 40)}{took} by polepair {plain(about['version'], 40)}")
    if "command" in about:
        lines.append(f"  command   {plain(about['command'], 4000)}")
    asked = [f"{k} = {plain(_text(about[k]), 400)}{UNITS.get(k, '')}" for k in ASKED if k in about]
    lines += [f"  asked     {', '.join(asked)}"] if asked else []
    warned = about.get("warnings")
    lines += [f"  warning   {plain(w, 400)}" for w in warned] if isinstance(warned, list) else []
    return [*lines, *_settings(about)]


def _text(value) -> str:
    if isinstance(value, dict):
        return " ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _settings(about: dict) -> list[str]:
    """What differs from the defaults, a line a group."""
    settings = provenance.known_settings(about)
    if settings is None:
        return ["  settings  not told: an older file, or one of something else"]
    lines = [f"  motor     {plain(about['digest'], 40)} (digest of all {len(parameters())} parameters); not default:"]
    for group in groups():
        own = [_setting(n, v) for n, v in settings.items() if n.partition(".")[0] == group]
        lines += [f"  {group:<9} {', '.join(own)}"] if own else []
    return lines


def _setting(name: str, value) -> str:
    row = parameters().get(name)
    unit = row.unit if row and row.unit != "1" else ""
    return f"{plain(name.partition('.')[2], 60)} = {plain(_text(value), 60)} {unit}".rstrip()


def _need_store(file: Path) -> None:
    """FileError for what cannot be a store by its first bytes, in words for somebody who meant another file."""
    if not file.exists():
        raise FileError(f"{file}: no such file")
    if not file.is_file():
        raise FileError(f"{file}: not a plain file, expected a result or a store")
    try:
        with open(file, "rb") as f:
            head = f.read(len(SQLITE))
    except OSError as e:
        raise refusal(file, e, "cannot read, expected a result or a store") from None
    if head != SQLITE and file.suffix != ".ppdb":
        hint = "; a motor file goes to polepair design" if file.suffix == ".toml" else ""
        wanted = "expected .parquet, .npz or .csv, or a store made by polepair record"
        raise FileError(f"{file}: not a result: {wanted}{hint}")


def _store(file: Path):
    """What a store of recordings says of itself: data and lines."""
    from ..live.store import Store

    with Store(file) as store:
        streams = [_stream(store, row) for row in store.rows_of_streams()]
    lines = [f"{file}: a store of recordings, {len(streams)} stream{'s' if len(streams) != 1 else ''}"]
    for s in streams:
        said = f"{s['rows']:,} rows of {', '.join(s['channels'])}"
        lines.append(f"  {s['name']}: {said}; {s['format']}, {s['from']} to {s['to']}")
    return {"file": str(file), "kind": "store", "streams": streams}, lines


def _stream(store, row) -> dict:
    asked = "SELECT min(t0), max(t1), coalesce(sum(rows), 0) FROM chunk WHERE stream = ?"
    with store.guard():
        first, last, rows = store.db.execute(asked, (row.id,)).fetchone()
        times = [None if t is None else str(np.datetime64(int(t), "ns"))[:23] + "Z" for t in (first, last)]
        data = {"name": row.name, "channels": list(row.channels), "format": row.format.kind, "rows": int(rows)}
    return {**data, "from": times[0], "to": times[1]}


# made again ---------------------------------------------------------------------------------------------------------


@click.command(cls=Typed)
@click.argument("file", type=FILE)
@click.option("--out", "-o", type=FILE, help="Where to save what is made again.")
@JSON
def rerun(file, out, as_json):
    """Makes a run, sweep or estimate again from what its file says, and compares the numbers bit by bit.

    The exit code is 1 when they are not equal.
    """
    if file.suffix not in (".parquet", ".npz"):
        wanted = "expected a run, sweep or estimate (.parquet or .npz): a recording cannot be made again"
        raise FileError(f"{file}: {wanted}")
    if out:
        saved.writable(out)
        apart(out, file)
    old = opened(file)
    with Progress("running again", as_json) as bar:
        new = _again(file, old, bar)
    before, after = (provenance.channels_digest(r.names, r.block) for r in (old, new))
    if out:
        new.save(out)
    same = before == after
    data = {"file": str(file), "equal": same, "before": before, "after": after, "out": str(out) if out else None}
    text = f"equal, bit by bit ({after})" if same else f"not equal: {_where(old, new)} ({before} before, {after} now)"
    say(as_json, data, [f"{file}: {len(new):,} rows made again: {text}" + (f"; {out}" if out else "")])
    if not same:
        raise SystemExit(1)


def _again(file: Path, old: Result, progress) -> Result:
    """The result that the description of another one gives."""
    about = old.about
    kind = provenance.kind(about, old.names)
    makers = {"run": _run, "sweep": _sweep, "derive": _derive, "estimate": _estimate}
    if kind not in makers:
        raise FileError(f"{file}: a {kind}, expected a run, sweep or estimate")
    motor = provenance.motor_of(about, file)
    try:
        return makers[kind](file, motor, old, progress)
    except KeyboardInterrupt:
        raise Interrupted("rerun: interrupted; nothing was saved") from None
    except FileError:
        raise
    except (KeyError, TypeError, ValueError) as e:
        raise FileError(
            f"{file}: cannot be made again ({plain(e, 200)}), expected a description as it was saved"
        ) from None


def _run(file, motor, old, progress) -> Result:
    about = old.about
    if about.get("tuned_to"):
        raise FileError(f"{file}: its controller was tuned to another machine, which the file does not hold")
    return Twin(motor).run(about["t_end"], old.names, about["every"], progress, fine=about["fine"])


def _axes(old):
    """The cases of a table: its first columns."""
    names = tuple(old.about["axes"])
    if names != old.names[: len(names)] or "status" not in old:
        raise ValueError("other columns than a sweep's")
    return names, old.block[:, : len(names)]


def _sweep(file, motor, old, progress) -> Result:
    from ..run.sweeps import sweep

    cases = _axes(old)
    if not old.complete:
        raise FileError(f"{file}: {int(old.unfinished.sum()):,} of {len(old):,} cases were not run, expected all")
    about = old.about
    options = {"record": about["record"], "retune": about["retune"], "mode": about["mode"]}
    table = sweep(Twin(motor), cases, about["t_end"], progress=progress, **options)
    if not table.complete:
        raise KeyboardInterrupt
    return table


def _derive(file, motor, old, progress) -> Result:
    from ..run.sweeps import derive_sweep

    return derive_sweep(motor, _axes(old), old.about["fields"])


def _estimate(file, motor, old, progress) -> Result:
    from ..live.estimation import checked, estimate
    from .live import recorded

    about = old.about
    if not isinstance(about.get("record"), str):
        raise FileError(f"{file}: an estimate of what no file holds (live), expected one of a record")
    columns = recorded(_record_of(file, about["record"]))
    checked(columns, about["record"])
    new = estimate(motor, columns, about["adapt"], about["noise"], about["method"])
    if new.about["record_digest"] != about["record_digest"]:
        raise FileError(f"{about['record']}: another record than the one of {file}")
    new.about["record"] = about["record"]
    return new


def _record_of(file: Path, named: str) -> Path:
    """The record as it was named, or else beside the estimate: both may have been moved together."""
    places = (Path(named), file.parent / named, file.parent / Path(named).name)
    return next((place for place in places if place.exists()), places[0])


def _where(old: Result, new: Result) -> str:
    """The first number that differs."""
    if old.names != new.names or old.block.shape != new.block.shape:
        return "other columns or rows"
    other = ~((old.block == new.block) | (np.isnan(old.block) & np.isnan(new.block)))
    if not other.any():
        return "zeros of another sign"
    row, column = np.argwhere(other)[0]
    return f"{old.names[column]} in row {row} was {old.block[row, column]:.17g}, is {new.block[row, column]:.17g}"


COMMANDS = (show, rerun)
