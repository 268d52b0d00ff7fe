"""What a run doubts: the rows of warnings.def as lines for people, and strictness about them."""

import threading
from contextvars import ContextVar
from dataclasses import astuple, dataclass
from functools import cache

import numpy as np

from .. import _core
from ..table import parameters


class StrictError(ValueError):
    """A run has warnings, and pp.strict() is on."""


@dataclass(frozen=True)
class Doubt:
    """One warning of a run: its code of warnings.def, the parameter it speaks of, and a line without it."""

    code: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


@cache
def rows() -> tuple[Doubt, ...]:
    """Every warning; bit k of a sweep's column `warnings` is row k."""
    return tuple(Doubt(*row) for row in _core.warning_rows())


def codes(mask) -> list[str]:
    """The codes in a number of a sweep's column `warnings`."""
    return [row.code for row in plain_rows(mask)]


def plain_rows(mask) -> list[Doubt]:
    """The warnings in a mask, without a motor's values; none in the NaN of a refused case."""
    bits = 0 if mask != mask else int(mask)
    return [row for k, row in enumerate(rows()) if bits >> k & 1]


def doubts(mask: int, motor) -> list[Doubt]:
    """The warnings in a mask, with the motor's values; settings without effect by name."""
    return [_told(row, motor) for row in plain_rows(mask)]


def _told(row: Doubt, motor) -> Doubt:
    if row.code == "IDLE":
        names = tuple(parameters())
        idle = ", ".join(names[k] for k in motor.derive().idle(motor))
        return Doubt(row.code, idle, f"without effect here: expected the default, or {_instead(motor)}")
    value = motor.get(row.where)
    shown = f"{value:.6g} {parameters()[row.where].unit}".rstrip(" 1") if isinstance(value, float) else value
    return Doubt(row.code, f"{row.where} = {shown}", row.text)


def _instead(motor) -> str:
    """What decides that settings have no effect."""
    route = "the geometry" if motor.has_geometry else "the datasheet"
    return f"a drive that uses it ({motor.drive.kind}, from {route})"


def in_cases(masks) -> list[Doubt]:
    """The kinds of warnings in a sweep's column, each with the number of its cases."""
    bits = np.nan_to_num(np.asarray(masks)).astype(np.int64)
    counts = [int((bits >> k & 1).sum()) for k in range(len(rows()))]
    told = zip(rows(), counts, strict=True)
    return [Doubt(r.code, f"{n} of {len(bits)} cases{': ' + r.where if r.where else ''}", r.text) for r, n in told if n]


def stored(found: list[Doubt]) -> list[list[str]]:
    """As JSON has them."""
    return [list(astuple(doubt)) for doubt in found]


def restored(about: dict) -> list[Doubt]:
    """The warnings in the metadata of a result; none where they have no sense."""
    kept = about.get("warnings", [])
    good = isinstance(kept, list) and all(isinstance(k, list) and len(k) == 3 for k in kept)
    return [Doubt(*map(str, k)) for k in kept] if good else []


_lock = threading.Lock()
_open: list["strict"] = []  # every strict() that still holds, the newest last
_here: ContextVar[bool | None] = ContextVar("strict", default=None)  # within a `with` of this thread or task
KEPT = 1000  # of those that no `with` ends: more than any program has at a time


class strict:
    """Turns warnings into errors from here on, or within a `with`; strict(False) turns them back.

    A run with warnings raises StrictError (a ValueError) that names all of them; a case of a sweep is among `failed`.
    It holds for all threads, but in a thread or task with a `with` of its own that one counts.
    """

    def __init__(self, on: bool = True):
        self._on, self._entered, self._thread = bool(on), False, threading.get_ident()
        self._outer = _here.get()
        if self._outer is not None:
            _here.set(self._on)
        with _lock:
            _open.append(self)
            loose = [s for s in _open if not s._entered]
            if len(loose) > KEPT:
                _open.remove(loose[0])

    def __enter__(self) -> "strict":
        self._entered = True
        _here.set(self._on)
        return self

    def __exit__(self, *error) -> None:
        _here.set(self._outer)
        with _lock:
            if self not in _open:
                return
            at = _open.index(self)
            inside = [s for s in _open[at + 1 :] if s._entered or s._thread != self._thread]
            _open[at:] = inside


def is_strict() -> bool:
    """Whether warnings are errors now, in this thread."""
    here = _here.get()
    if here is not None:
        return here
    with _lock:
        return bool(_open) and _open[-1]._on


def need_none(name: str, found: list[Doubt]) -> None:
    """StrictError where there are warnings and they are errors."""
    if found and is_strict():
        raise StrictError(f"{name}: {'; '.join(map(str, found))}")
