"""Sweeps: many runs with some parameters replaced, in C on lanes and threads."""

import os
from pathlib import Path

import numpy as np

from . import _core
from .errors import FileError
from .result import FORMAT, Result
from .table import channels, derived, nearest, parameter, parameters
from .twin import Twin

REDUCERS = ("final", "mean", "rms", "min", "max", "peak")
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

    def unit(self, name: str) -> str:
        """SI unit of a column."""
        if name in parameters():
            return parameters()[name].unit
        base = name.rsplit(".", 1)[0]
        known = {**channels(), **derived()}
        return known[base].unit if base in known else known[name].unit if name in known else ""

    def __repr__(self) -> str:
        return f"SweepTable({len(self)} cases, {len(self.failed)} failed: {', '.join(self.names)})"


def cases_from(axes) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and float64 cases x names from {name: values} (full grid) or (names, table)."""
    if isinstance(axes, tuple) and len(axes) == 2 and not isinstance(axes[0], str):
        names, rows = tuple(axes[0]), np.atleast_2d(np.asarray(axes[1], dtype=float))
    else:
        names = tuple(axes)
        if not names:
            raise ValueError("sweep: no parameters given, so no cases")
        grid = np.meshgrid(*(_axis(name, axes[name]) for name in names), indexing="ij")
        rows = np.stack([g.ravel() for g in grid], axis=1)
    if len(set(names)) != len(names):
        raise ValueError("sweep: a parameter is named twice")
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise ValueError(f"sweep: {len(names)} names but rows of {rows.shape[-1]} values")
    for name in names:
        parameter(name)
    return names, np.ascontiguousarray(rows)


def _axis(name: str, values) -> np.ndarray:
    """The values of one parameter as numbers; names of choices become their positions."""
    row = parameter(name)
    listed = [values] if isinstance(values, (str, int, float)) else list(values)
    for k, v in enumerate(listed):
        if isinstance(v, str):
            if v not in row.choices:
                wanted = f"one of {', '.join(row.choices)}" if row.choices else "a number"
                raise ValueError(f"{name} = {v!r}: expected {wanted}")
            listed[k] = row.choices.index(v)
    if not listed:
        raise ValueError(f"sweep: {name}: no values")
    return np.array(listed, dtype=float)


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
        rows.append((channels()[channel].index, REDUCERS.index(reducer)))
    full = tuple(n if "." in n else f"{n}.final" for n in names)
    return full, np.array(rows, dtype=np.int32)


def _reasons(motor, names, rows, status, where) -> list[tuple[int, str]]:
    """Why each failed case failed, in the words of the core."""
    texts = _core.status_rows()
    failed = []
    for k in np.flatnonzero(status):
        place, text = texts[status[k]]
        if where[k] >= 0:
            row = list(parameters().values())[where[k]]
            value = rows[k][names.index(row.name)] if row.name in names else motor.get(row.name)
            text = f"{row.name} = {value:g}: expected {row.min:g} to {row.max:g} {row.unit}".rstrip()
        else:
            text = f"{place}: {text}" if place else text
        failed.append((int(k), text))
    return failed


def sweep(
    twin: Twin,
    axes,
    t_end: float,
    record=DEFAULT_OUTPUTS,
    retune: bool = True,
    threads: int | None = None,
    progress=None,
):
    """Runs `twin` for t_end seconds once per case; `axes` is {name: values} (every combination) or (names, rows).

    `record` names outputs as "channel.reducer" (final, mean, rms, min, max, peak). `retune` tunes every controller
    to its own case, else all keep the base machine's. `progress(done, total)` is called now and then. Bad cases
    get NaN and a reason in `failed`; the rest run. Ctrl-C keeps the finished cases (`complete` is then False).
    """
    names, rows = cases_from(axes)
    outputs, spec = _outputs(record)
    if len(rows) == 0:
        raise ValueError("sweep: no cases")
    if not t_end > 0 or t_end / twin.params.drive.period > 1e10:
        raise ValueError(f"t_end = {t_end} s: expected more than 0")
    twin.params.derive()
    columns = np.array([parameters()[n].index for n in names], dtype=np.int32)
    total = len(rows)
    tell = (lambda done: progress(done, total)) if progress else None
    count = threads or os.cpu_count() or 1
    results, status, where, complete = _core.sweep(twin.params, columns, rows, float(t_end), spec, retune, count, tell)
    failed = _reasons(twin.params, names, rows, status, where)
    block = np.column_stack([rows, results, status.astype(float)])
    about = {"motor": twin.params.name, "t_end": t_end, "failed": failed}
    return SweepTable((*names, *outputs, "status"), block, about, failed, complete)


def derive_sweep(motor, axes, fields=None) -> SweepTable:
    """Derives every case without running it: geometry to constants, mass and inertia, at C speed."""
    names, rows = cases_from(axes)
    chosen = tuple(fields or derived())
    for f in chosen:
        if f not in derived():
            raise ValueError(f"fields: {f}: no such derived value{nearest(f, derived())}")
    columns = np.array([parameters()[n].index for n in names], dtype=np.int32)
    wanted = np.array([derived()[f].index for f in chosen], dtype=np.int32)
    results, status, where = _core.sweep_derive(motor, columns, rows, wanted)
    failed = _reasons(motor, names, rows, status, where)
    block = np.column_stack([rows, results, status.astype(float)])
    return SweepTable((*names, *chosen, "status"), block, {"motor": motor.name, "failed": failed}, failed)


def load_table(path) -> SweepTable:
    """Reads a saved sweep."""
    result = Result.load(path)
    if "status" not in result:
        raise FileError(f"{Path(path)}: not a sweep (format {FORMAT}), it has no status column")
    return SweepTable(result.names, result.block, result.about, [tuple(f) for f in result.about.get("failed", [])])
