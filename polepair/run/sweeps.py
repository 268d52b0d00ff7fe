"""Sweeps: many runs with some parameters replaced, in C on lanes and threads."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _core
from ..arguments import CALL, FLAG, NAMES, NUMBER, PATH, TEXT, a, having, takes, whole
from ..design.motor import MOTOR
from ..errors import FileError, nearest, taken
from ..table import channels, derived, parameters
from . import executors, plans
from .result import FORMAT, Result
from .twin import Twin, channel_columns

MODES = ("exact", "fast", "single")
REDUCERS = ("final", "mean", "rms", "min", "max", "peak", "settle")
DEFAULT_OUTPUTS = ("omega_m.final", "torque.final", "i_s.peak", "i_s.rms")


class SweepTable(Result):
    """A row per case: the parameters given, the outputs, and `status` (0 where the case ran).

    table["magnet.Br"], table["omega_m.final"]; `failed` says which cases did not run and why; `complete` is False
    after Ctrl-C.
    """

    def __init__(self, names, block, about=None, failed=(), complete=True):
        super().__init__(names, block, about)
        self.failed = list(failed)
        self.complete = complete
        self.trace, self.traced = None, ()

    def run(self, case: int) -> Result:
        """The trace of one case as a Result: a view, not a copy."""
        if self.trace is None:
            raise ValueError("this sweep kept no trace, expected sweep(..., trace=[channels])")
        return Result(self.traced, self.trace[case], {**self.about, "case": case})

    def unit(self, name: str) -> str:
        """SI unit of a column."""
        if name in parameters():
            return parameters()[name].unit
        if name.endswith(".settle"):
            return "s"
        base = name.rsplit(".", 1)[0]
        known = {**channels(), **derived()}
        return known[base].unit if base in known else known[name].unit if name in known else ""

    def __repr__(self) -> str:
        return f"SweepTable({len(self)} cases, {len(self.failed)} failed: {', '.join(self.names)})"


def cases_from(axes) -> plans.Cases:
    """Names and float64 cases x names from {name: values} (every combination) or from a plan's (names, rows)."""
    if isinstance(axes, Mapping):
        return plans.checked(plans.grid(axes))
    if isinstance(axes, tuple) and len(axes) == 2 and not isinstance(axes[0], str):
        return plans.checked(axes)
    given = f"({axes[0]!r}, ...)" if isinstance(axes, tuple) and axes else type(axes).__name__
    raise TypeError(f"axes: {given}: expected {{name: values}}, or the (names, rows) of a plan")


def _outputs(record) -> tuple[tuple[str, ...], np.ndarray]:
    """ "omega_m.final" -> (channel, reducer)."""
    names = (record,) if isinstance(record, str) else tuple(record)
    rows = []
    for name in names:
        channel, _, reducer = name.partition(".")
        reducer = reducer or "final"
        if channel not in channels():
            raise ValueError(f"record: {name}: no such channel{nearest(channel, channels())}")
        if reducer not in REDUCERS:
            raise ValueError(f"record: {name}: no such reducer, expected one of {', '.join(REDUCERS)}")
        if reducer == "settle" and channel != "omega_m":
            raise ValueError(f"record: {name}: settle is for the speed, expected omega_m.settle")
        rows.append((channels()[channel].index, REDUCERS.index(reducer)))
    full = tuple(n if "." in n else f"{n}.final" for n in names)
    return full, np.array(rows, dtype=np.int32)


def _reasons(motor, names, rows, status, where) -> list[tuple[int, str]]:
    """Why each refused case was refused, in the words of the core; cases that Ctrl-C left out are not refused."""
    texts = _core.status_rows()
    failed = []
    for k in np.flatnonzero((status != 0) & (status != executors.CANCELLED)):
        place, text = texts[status[k]]
        if where[k] >= 0:
            row = list(parameters().values())[where[k]]
            value = rows[k][names.index(row.name)] if row.name in names else motor.get(row.name)
            text = f"{row.name} = {value:g}: expected {row.min:g} to {row.max:g} {row.unit}".rstrip()
        else:
            text = f"{place}: {text}" if place else text
        failed.append((int(k), text))
    return failed


class Options(NamedTuple):
    """What `sweep` takes by name only."""

    mode: str = "exact"
    executor: object = None
    chunk: int | None = None
    resume: object = None
    trace: object = None
    every: int = 1


TWIN = a("a Twin, as pp.Twin(motor) gives it", Twin)
EXECUTOR = having("an executor, as concurrent.futures has them", "submit")


@takes(twin=TWIN, t_end=NUMBER, record=NAMES, retune=FLAG, progress=CALL, mode=TEXT, resume=PATH,
       executor=EXECUTOR, chunk=whole(1), trace=NAMES, every=whole(1))  # fmt: skip
def sweep(
    twin: Twin,
    axes,
    t_end: float,
    record=DEFAULT_OUTPUTS,
    retune: bool = True,
    threads: int | None = None,
    progress=None,
    **options,
) -> SweepTable:
    """Runs `twin` for t_end seconds once per case.

    axes: {name: values} for every combination, or the (names, rows) of a plan (pp.plans). record: outputs as
    "channel.reducer" (final, mean, rms, min, max, peak; omega_m.settle is the time until the speed stays within 2 % of
    its reference). retune: each case tunes its controller to its own machine, else all keep the base machine's.
    progress(done, total) is called now and then. Options, by name (see Options):

    mode: "exact" gives the bits of single runs, "fast" lets the compiler fuse multiply and add, "single" runs on float
    lanes (error about 1e-4). executor: a concurrent.futures executor to spread cases over, `chunk` of them a task (by
    default four tasks a worker). resume: a file that keeps an interrupted sweep and goes on with it. trace: channels to
    keep over time, one row each `every` periods, as `table.trace` (float64, cases x rows x channels; `table.run(k)` is
    a view on one case); it is not saved with the table.

    Bad cases get NaN and a reason in `failed`; the rest run. Ctrl-C keeps the finished cases (`complete` is False).
    """
    given = taken(Options, options, "sweep")
    names, rows = cases_from(axes)
    outputs, spec = _outputs(record)
    job = _job(twin, names, t_end, spec, retune, given)
    kept = job.trace.rows * len(job.trace.columns) if job.trace else 0
    plans.need_memory(len(rows), len(names), len(outputs) + kept)
    twin.params.derive()
    about = {"motor": twin.params.name, "t_end": t_end, "retune": retune, "mode": given.mode}
    params = twin.params.copy()  # progress may change the motor, or another thread
    about["values"] = params.values().tolist()
    old = _partial(given.resume, (*names, *outputs, "status"), rows, about)
    todo = np.arange(len(rows)) if old is None else np.flatnonzero(old["status"] == executors.CANCELLED)
    tell = (lambda done: progress(len(rows) - len(todo) + done, len(rows))) if progress else None
    columns = np.array([parameters()[n].index for n in names], dtype=np.int32)
    cases = params, columns, rows[todo], job
    if given.executor is None:
        run = executors.run_cases(*cases, threads or os.cpu_count() or 1, tell)
    else:
        run = executors.run_on(given.executor, *cases, given.chunk, tell)
    results, status, where, complete, trace = run
    block = np.column_stack([rows, np.empty((len(rows), len(outputs) + 1))]) if old is None else old.block
    block[todo, len(names) : -1], block[todo, -1] = results, status
    refused = [(int(todo[k]), why) for k, why in _reasons(params, names, rows[todo], status, where)]
    failed = sorted(([] if old is None else old.failed) + refused)
    table = SweepTable((*names, *outputs, "status"), block, {**about, "failed": failed}, failed, complete)
    if given.resume:
        table.save(given.resume)
    if job.trace:
        table.trace, table.traced = trace, channel_columns(given.trace)[0]
    return table


def _job(twin, names, t_end: float, spec, retune: bool, given: Options) -> executors.Job:
    """What every case of a sweep shares; ValueError for what cannot be asked."""
    if given.mode not in MODES:
        raise ValueError(f"mode = {given.mode!r}: expected one of {', '.join(MODES)}")
    if not t_end > 0 or not t_end / twin.params.drive.period < 1e10 - 1:
        raise ValueError(f"t_end = {t_end} s: expected more than 0")
    return executors.Job(float(t_end), spec, retune, MODES.index(given.mode), _trace(twin, names, t_end, given))


def _trace(twin, names, t_end: float, given: Options) -> executors.Trace | None:
    """The trace wanted, or None."""
    if given.trace is None:
        return None
    if given.resume or "drive.period" in names:
        raise ValueError("trace: cannot be kept with resume or over different control periods, expected neither")
    if not isinstance(given.every, int) or given.every < 1:
        raise ValueError(f"every = {given.every!r}: expected a whole number from 1 up")
    rows = _core.run_samples(t_end, twin.params.drive.period) // given.every + 1
    return executors.Trace(channel_columns(given.trace)[1], given.every, rows)


def _partial(path, names, rows, about) -> SweepTable | None:
    """An earlier, interrupted sweep in `path`; FileError when it was another sweep."""
    if path is None or not Path(path).exists():
        return None
    old = load_table(path)
    same = old.names == names and np.array_equal(old.block[:, : rows.shape[1]], rows)
    if not same or any(old.about.get(k) != v for k, v in about.items()):
        raise FileError(
            f"{path}: holds another sweep (parameters, cases or outputs differ), expected the one to go on with"
        )
    return old


@takes(motor=MOTOR, fields=NAMES)
def derive_sweep(motor, axes, fields=None) -> SweepTable:
    """Derives every case without running it: geometry to constants, mass and inertia, at C speed."""
    names, rows = cases_from(axes)
    chosen = tuple(derived() if fields is None or not len(fields) else fields)
    for f in chosen:
        if f not in derived():
            raise ValueError(f"fields: {f}: no such derived value{nearest(f, derived())}")
    columns = np.array([parameters()[n].index for n in names], dtype=np.int32)
    wanted = np.array([derived()[f].index for f in chosen], dtype=np.int32)
    results, status, where = _core.sweep_derive(motor, columns, rows, wanted)
    failed = _reasons(motor, names, rows, status, where)
    block = np.column_stack([rows, results, status.astype(float)])
    return SweepTable((*names, *chosen, "status"), block, {"motor": motor.name, "failed": failed}, failed)


@takes(path=PATH)
def load_table(path) -> SweepTable:
    """Reads a saved sweep."""
    result = Result.load(path)
    if "status" not in result:
        raise FileError(f"{Path(path)}: not a sweep (format {FORMAT}), it has no status column")
    return SweepTable(result.names, result.block, result.about, [tuple(f) for f in result.about.get("failed", [])])
