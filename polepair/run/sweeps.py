"""Sweeps: many runs with some parameters replaced, in C on lanes and threads."""

import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _core
from ..arguments import CALL, FLAG, NAMES, NUMBER, PATH, TEXT, a, having, takes, whole
from ..design.motor import MOTOR
from ..errors import nearest, taken
from ..table import channels, derived, parameters
from . import executors, plans, provenance, saved, warnings
from .filling import Filling, reasons
from .parts import SHORTEST, Parts
from .sweep_table import SweepTable, load_table
from .twin import Twin, channel_columns, period_count

__all__ = ["SweepTable", "cases_from", "derive_sweep", "load_table", "sweep"]

MODES = ("exact", "fast", "single")
REDUCERS = ("final", "mean", "rms", "min", "max", "peak", "settle")
TABLES = (".parquet", ".npz")  # what a sweep can go on with
DEFAULT_OUTPUTS = ("omega_m.final", "torque.final", "i_s.peak", "i_s.rms", "warnings")


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
        if name == "warnings":
            rows.append((channels()["omega_m"].index, len(REDUCERS)))
            continue
        channel, _, reducer = name.partition(".")
        reducer = reducer or "final"
        if channel not in channels():
            raise ValueError(f"record: {name}: no such channel{nearest(channel, channels())}")
        if reducer not in REDUCERS:
            raise ValueError(f"record: {name}: no such reducer, expected one of {', '.join(REDUCERS)}")
        if reducer == "settle" and channel != "omega_m":
            raise ValueError(f"record: {name}: settle is for the speed, expected omega_m.settle")
        rows.append((channels()[channel].index, REDUCERS.index(reducer)))
    full = tuple(n if "." in n or n == "warnings" else f"{n}.final" for n in names)
    return full, np.array(rows, dtype=np.int32)


class Options(NamedTuple):
    """What `sweep` takes by name only."""

    mode: str = "exact"
    executor: object = None
    chunk: int | None = None
    resume: object = None
    trace: object = None
    every: int = 1
    out: object = None
    save_every: float = 30.0


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
    its reference), or "warnings", a bit for each row of warnings.def, which `table.warnings` tells in words. retune:
    each case tunes its controller to its own machine, else all keep the base machine's.
    progress(done, total) is called now and then. Options, by name (see Options):

    mode: "exact" gives the bits of single runs, "fast" lets the compiler fuse multiply and add, "single" runs on float
    lanes (error about 1e-4). executor: a concurrent.futures executor to spread cases over, `chunk` of them a task (by
    default four tasks a worker). trace: channels to keep over time, one row each `every` periods, as `table.trace`
    (float64, cases x rows x channels; `table.run(k)` is a view on one case); it is not saved with the table.

    out: the file (.parquet or .npz) that the table goes to. On the way the finished cases are put into OUT.parts/, at
    the latest every `save_every` seconds, so that a killed process costs no more (or one case, where that takes
    longer). resume: such a file, to go on with: what it or its parts hold is not run again.

    Bad cases get NaN and a reason in `failed`; the rest run. Ctrl-C keeps the finished cases (`complete` is False). A
    disk that is full ends the sweep with a FileError that says how many cases are kept.
    """
    given = taken(Options, options, "sweep")
    began = time.time()
    cases = cases_from(axes)
    names, rows = cases
    outputs, spec = _outputs(record)
    threads = _threads(threads)
    job = _job(twin, cases, t_end, spec, retune, given)
    kept = job.trace.rows * len(job.trace.columns) if job.trace else 0
    plans.need_memory(len(rows), len(names), len(outputs) + kept)
    twin.params.derive()
    params = twin.params.copy()  # progress may change the motor, or another thread
    asked = {"kind": "sweep", "t_end": float(t_end), "retune": bool(retune), "mode": given.mode, "axes": list(names)}
    asked |= {"record": list(outputs), "plan": getattr(cases, "about", {}), "cancelled": executors.CANCELLED}
    about = provenance.describe(params, began, **asked)
    columns = np.array([parameters()[n].index for n in names], dtype=np.int32)
    filling = Filling(params, names, rows, outputs, about)
    run = partial(_run_all, executors.Work(params, columns, rows, job), filling, threads, progress, given)
    path = given.resume if given.resume is not None else given.out
    if path is None:
        run(None)
    else:
        with filling.on_disk(saved.writable(path, TABLES), given.resume is not None, given.save_every) as parts:
            run(parts)
    table = filling.table(channel_columns(given.trace)[0] if job.trace else ())
    if warnings.is_strict():
        table.failed = sorted(table.failed + table.doubted())
    return table


def _run_all(
    work: executors.Work, filling: Filling, threads: int, progress, given: Options, parts: Parts | None
) -> None:
    """Runs what is not finished yet. After Ctrl-C the finished cases are there."""
    todo = filling.todo()
    total = len(filling.block)
    tell = (lambda done: progress(total - len(todo) + done, total)) if progress else None
    if len(todo) < total:
        work = work._replace(rows=work.rows[todo])

    def keep(first: int, answer) -> None:
        filling.take(todo[first : first + len(answer.status)], answer)
        if parts and parts.due():
            filling.save_part(parts)

    seconds = parts.seconds if parts else None
    try:
        if given.executor is None:
            executors.run_here(work, threads, keep, tell, seconds)
        else:
            executors.Spread(given.executor, work, given.chunk, keep, seconds).run(tell)
    except KeyboardInterrupt:  # what is finished is worth more than the traceback: the table says what is not
        pass


def _threads(threads) -> int:
    """Worker threads; all cores where none are given."""
    if threads is None:
        return min(os.cpu_count() or 1, executors.THREADS_MAX)
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= executors.THREADS_MAX:
        raise ValueError(f"threads = {threads!r}: expected a whole number from 1 to {executors.THREADS_MAX}")
    return threads


def _job(twin, cases, t_end: float, spec, retune: bool, given: Options) -> executors.Job:
    """What every case of a sweep shares; ValueError for what cannot be asked."""
    names, rows = cases
    if given.mode not in MODES:
        raise ValueError(f"mode = {given.mode!r}: expected one of {', '.join(MODES)}")
    period = twin.params.drive.period
    if "drive.period" in names:
        tried = rows[:, names.index("drive.period")]
        period = max((p for p in tried.tolist() if p > 0), default=period)
    period_count(t_end, period)
    if given.resume is not None and given.out is not None and Path(given.resume) != Path(given.out):
        raise ValueError(f"sweep: resume = {given.resume} and out = {given.out}: expected one of them")
    if not isinstance(given.save_every, (int, float)) or not given.save_every >= SHORTEST:
        raise ValueError(f"save_every = {given.save_every!r} s: expected at least {SHORTEST} s")
    return executors.Job(float(t_end), spec, retune, MODES.index(given.mode), _trace(twin, names, t_end, given))


def _trace(twin, names, t_end: float, given: Options) -> executors.Trace | None:
    """The trace wanted, or None."""
    if given.trace is None:
        return None
    if given.resume is not None or given.out is not None or "drive.period" in names:
        raise ValueError("trace: cannot be kept with resume, out or different control periods, expected none of them")
    if not isinstance(given.every, int) or given.every < 1:
        raise ValueError(f"every = {given.every!r}: expected a whole number from 1 up")
    rows = _core.run_samples(t_end, twin.params.drive.period) // given.every + 1
    return executors.Trace(channel_columns(given.trace)[1], given.every, rows)


@takes(motor=MOTOR, fields=NAMES)
def derive_sweep(motor, axes, fields=None) -> SweepTable:
    """Derives every case without running it: geometry to constants, mass and inertia, at C speed."""
    began = time.time()
    cases = cases_from(axes)
    names, rows = cases
    fields = (fields,) if isinstance(fields, str) else fields
    chosen = tuple(derived() if fields is None or not len(fields) else fields)
    for f in chosen:
        if f not in derived():
            raise ValueError(f"fields: {f}: no such derived value{nearest(f, derived())}")
    columns = np.array([parameters()[n].index for n in names], dtype=np.int32)
    wanted = np.array([derived()[f].index for f in chosen], dtype=np.int32)
    results, status, where = _core.sweep_derive(motor, columns, rows, wanted)
    failed = reasons(motor, names, rows, status, where)
    block = np.column_stack([rows, results, status.astype(float)])
    asked = {"kind": "derive", "axes": list(names), "fields": list(chosen), "plan": getattr(cases, "about", {})}
    about = provenance.describe(motor, began, **asked, failed=failed)
    return SweepTable((*names, *chosen, "status"), block, about, failed)
