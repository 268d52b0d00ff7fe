"""A sweep's table while it fills: what is finished, what is on the disk, what an earlier start left."""

import contextlib
import time
from pathlib import Path

import numpy as np

from .. import _core
from ..errors import FileError
from ..table import parameters
from . import executors
from .parts import Parts, difference, identity
from .sweep_table import SweepTable, load_table


def _range(row) -> str:
    """The values of a parameter, for people."""
    if row.choices:
        return f"0 to {len(row.choices) - 1} ({', '.join(row.choices)})"
    unit = "" if row.unit == "1" else row.unit
    return f"{'a whole number from ' if row.kind == 'int' else ''}{row.min:g} to {row.max:g} {unit}".rstrip()


def reasons(motor, names, rows, status, where) -> list[tuple[int, str]]:
    """Why each refused case was refused, in the words of the core; cases that Ctrl-C left out are not refused."""
    texts = _core.status_rows()
    failed = []
    for k in np.flatnonzero((status != 0) & (status != executors.CANCELLED)):
        place, text = texts[status[k]]
        if where[k] >= 0:
            row = list(parameters().values())[where[k]]
            value = rows[k][names.index(row.name)] if row.name in names else motor.get(row.name)
            text = f"{row.name} = {value:g}: expected {_range(row)}"
        else:
            text = f"{place}: {text}" if place else text
        failed.append((int(k), text))
    return failed


class Filling:
    """A sweep's table as it fills: a row per case, first all unfinished."""

    def __init__(self, motor, names, rows, outputs, about: dict):
        self.motor, self.names, self.rows, self.about = motor, names, rows, about
        self.columns = (*names, *outputs, "status")
        self.block = np.empty((len(rows), len(self.columns)))
        self.block[:, : len(names)] = rows
        self.block[:, len(names) : -1] = np.nan
        self.status = self.block[:, -1]
        self.status[:] = executors.CANCELLED
        self.failed: dict[int, str] = {}
        self.trace = None
        self.started, self.before = time.time(), 0.0  # s that earlier starts took
        self._unsaved: list[np.ndarray] = []

    def todo(self) -> np.ndarray:
        """The cases that are not finished."""
        return np.flatnonzero(self.status == executors.CANCELLED)

    def take(self, cases: np.ndarray, answer: executors.Answer) -> None:
        """Fills in what came of some cases; their status last, so that nothing half filled counts."""
        self.block[cases, len(self.names) : -1] = answer.results
        refused = reasons(self.motor, self.names, self.rows[cases], answer.status, answer.where)
        self.failed |= {int(cases[k]): why for k, why in refused}
        if answer.trace is not None:
            self._take_trace(cases, answer.trace)
        self._unsaved.append(cases)
        self.status[cases] = answer.status

    def _take_trace(self, cases, trace) -> None:
        if len(cases) == len(self.rows):
            self.trace = trace
            return
        if self.trace is None:
            self.trace = np.full((len(self.rows), *trace.shape[1:]), np.nan)
        self.trace[cases] = trace

    @contextlib.contextmanager
    def on_disk(self, path: Path, resume: bool, every: float):
        """The parts of the sweep, with what they and the file hold filled in; at the end the file is whole."""
        parts = Parts(path, identity(self.about, self.columns, self.rows), resume, every)
        try:
            if resume:
                self._resume(path, parts)
            try:
                yield parts
            except BaseException:
                self._rescue(parts)
                raise
            self._join(path, parts)
        finally:
            parts.close()

    def _resume(self, path: Path, parts: Parts) -> None:
        old = _same_sweep(path, self, not parts.mine) if path.exists() else None
        if old is not None:
            self.block[:, len(self.names) :] = old.block[:, len(self.names) :]
            self.failed = dict(old.failed)
            self._began(old.about)
        for cases, numbers, reasons, duration in parts.read(len(self.rows), len(self.columns) - len(self.names)):
            self.block[cases, len(self.names) :] = numbers
            self.failed |= reasons
            self.before = max(self.before, duration)

    def _began(self, earlier: dict) -> None:
        duration = earlier.get("duration")
        self.before = duration if isinstance(duration, float) else 0.0
        self.about["date"] = earlier.get("date", self.about["date"])

    def save_part(self, parts: Parts) -> None:
        """Puts what is new on the disk; FileError says how much is kept there."""
        cases = np.concatenate([*self._unsaved, np.empty(0, np.int64)])
        cases = cases[self.status[cases] != executors.CANCELLED]
        if not len(cases):
            return
        failed = [(int(k), self.failed[int(k)]) for k in cases if int(k) in self.failed]
        try:
            parts.write(cases, self.block[cases, len(self.names) :], failed, self.before + self.elapsed())
        except FileError as e:
            raise type(e)(f"{e}; {self._where_kept(parts)}") from e
        self._unsaved = []

    def _where_kept(self, parts: Parts) -> str:
        kept = f"{parts.kept:,} of {len(self.rows):,} cases are kept in {parts.folder}"
        return f"{kept}: free some room and continue with --resume"

    def elapsed(self) -> float:
        """Seconds since the sweep began."""
        return time.time() - self.started

    def _rescue(self, parts: Parts) -> None:
        """Something went wrong: what is finished is kept, where there is room."""
        with contextlib.suppress(FileError):
            self.save_part(parts)

    def _join(self, path: Path, parts: Parts) -> None:
        try:
            self.table().save(path)
        except FileError as e:
            self._rescue(parts)
            raise type(e)(f"{e}; {self._where_kept(parts)}") from e
        except BaseException:
            self._rescue(parts)
            raise
        parts.remove()

    def table(self, traced=()) -> SweepTable:
        """The table as it is now."""
        failed = sorted(self.failed.items())
        self.about["duration"] = round(self.before + self.elapsed(), 6)
        table = SweepTable(self.columns, self.block, {**self.about, "failed": failed}, failed)
        if traced:
            table.trace, table.traced = self.trace, traced
        return table


def _same_sweep(path: Path, filling: Filling, needed: bool) -> SweepTable | None:
    """The earlier, interrupted sweep in `path`; for another one FileError, or None where it is not needed."""
    old = load_table(path)
    width = len(filling.names)
    same = old.names == filling.columns and old.block[:, :width].shape == filling.rows.shape
    same = same and np.array_equal(old.block[:, :width], filling.rows)
    why = "other columns or cases"
    if same:
        why = difference(old.about, identity(filling.about, filling.columns, filling.rows))
        values = old.about.get("values")  # older files list them
        if not why and values is not None and values != filling.motor.values().tolist():
            why = "other parameters of the motor"
        if not why:
            return old
    if not needed:
        return None
    raise FileError(f"{path}: holds another sweep ({why}), expected the one to go on with")
