"""Which picture shows a sweep: its axes, its panels, what became of every case. Plain arrays, nothing is drawn here."""

import re
from dataclasses import dataclass

import numpy as np

from .. import _core
from ..errors import nearest
from ..table import parameters
from .quantities import Shown, digits, label, shown

CANCELLED = next(i for i, (_, text) in enumerate(_core.status_rows()) if text == "cancelled")
FEW = 5  # values that make curves rather than a map
PANELS = 9  # at most; more values of the third axis share panels
RAN, NOT_RUN = 0, -1
PREFERRED = ("i_s.rms", "omega_m.final")


@dataclass(frozen=True)
class Axis:
    """A varied parameter: its distinct values [SI], display unit, and the names of a choice (empty for numbers)."""

    name: str
    values: np.ndarray
    unit: Shown
    names: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Words, name and unit."""
        return label(self.name, self.unit.text)

    def places(self, values) -> np.ndarray:
        """Where SI values stand on the axis: in its unit, or by the order of the choice's names."""
        if self.names:
            return np.searchsorted(self.values, values).astype(float)
        return self.unit.of(values)

    def edges(self) -> np.ndarray:
        """Borders of the cells round the axis' values."""
        at = self.places(self.values)
        if len(at) == 1:
            half = 0.05 * abs(at[0]) or 0.5
            return np.array([at[0] - half, at[0] + half])
        middle = (at[1:] + at[:-1]) / 2
        return np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])

    def text(self, value: float) -> str:
        """A value as the axis shows it."""
        if self.names:
            return self.names[int(np.searchsorted(self.values, value))]
        return f"{digits(value / self.unit.size)} {self.unit.text}".strip()


def axis_of(table, name: str) -> Axis:
    """The axis of a column of a sweep."""
    values = np.unique(table[name][np.isfinite(table[name])])
    choices = parameters()[name].choices
    if choices and np.isin(values, np.arange(len(choices))).all():
        return Axis(name, values, Shown(1.0, ""), tuple(choices[int(v)] for v in values))
    return Axis(name, values, shown(table.unit(name), values, name))


@dataclass(frozen=True)
class View:
    """How a sweep is shown: kind is "map", "curves", "points" or "strips"; the rest of its axes have no place in it."""

    kind: str
    axes: tuple[Axis, ...]
    rest: tuple[Axis, ...] = ()

    @property
    def panel(self) -> Axis | None:
        """The axis of the small multiples."""
        return self.axes[2] if len(self.axes) > 2 and self.kind != "strips" else None


def varied(table) -> list[Axis]:
    """The parameters that take more than one value; the first one where none does."""
    given = [n for n in table.names if n in parameters()]
    axes = [axis_of(table, n) for n in given]
    return [a for a in axes if len(a.values) > 1] or axes[:1]


def _is_grid(table, axes) -> bool:
    """True where the cases fill at least half of the combinations of their values."""
    places = np.prod([float(len(a.values)) for a in axes])
    rows = np.unique(np.column_stack([table[a.name] for a in axes]), axis=0)
    return len(rows) >= 0.5 * places


def _asked(axes, names) -> list[Axis]:
    """The axes in the order asked for, then the others; ValueError for a name that does not vary."""
    by_name = {a.name: a for a in axes}
    for name in names:
        if name not in by_name:
            raise ValueError(f"axes: {name}: not varied in this sweep{nearest(name, by_name)}")
    if len(set(names)) != len(names) or not 1 <= len(names) <= 3:
        raise ValueError(f"axes: {', '.join(names)}: expected one to three different parameters of the sweep")
    others = sorted((a for a in axes if a.name not in names), key=lambda a: len(a.values))
    return [by_name[n] for n in names] + others


def _ordered(axes) -> list[Axis]:
    """Numbers with many values first, so that they lie along the picture; choices and few values last."""
    return sorted(axes, key=lambda a: (bool(a.names), -len(a.values)))


def view_of(table, axes=None) -> View:
    """The view of a sweep, by the axes asked for (x, y, panels) or by the plan itself."""
    found = varied(table)
    if not found:
        raise ValueError("this table varies no parameter, expected a sweep")
    ordered = _ordered(found) if axes is None else _asked(found, tuple(axes))
    grid = _is_grid(table, ordered)
    if axes is None and len(ordered) > (3 if grid else 2):
        return View("strips", tuple(found))
    used, rest = tuple(ordered[:3]), tuple(ordered[3:])
    if len(used) == 1 or (grid and min(len(a.values) for a in used[:2]) <= FEW):
        few_first = axes is None and len(used) > 1 and len(used[0].values) < len(used[1].values) and not used[1].names
        return View("curves", (used[1], used[0], *used[2:]) if few_first else used, rest)
    return View("map" if grid else "points", used, rest)


def panels_of(table, view: View) -> list[tuple[str, np.ndarray]]:
    """(title, rows) of every small multiple; each case is in exactly one."""
    axis = view.panel
    if axis is None:
        return [("", np.arange(len(table)))]
    column = table[axis.name]
    groups = np.array_split(axis.values, min(len(axis.values), PANELS))
    found = []
    for values in groups:
        ends = [axis.text(values[0])] + ([axis.text(values[-1])] if len(values) > 1 else [])
        rows = np.flatnonzero((column >= values[0]) & (column <= values[-1]))
        found.append((f"{axis.name} {' to '.join(ends)}", rows))
    return found


def _reason(text: str) -> str:
    """A refusal without the value that it names, so that like ones count together."""
    return re.sub(r" = [^:]*:", ":", text)


def fates_of(table) -> tuple[np.ndarray, list[str]]:
    """What became of each case, RAN, NOT_RUN or 1 and up for the refusals, whose reasons come in that order."""
    status = table["status"].astype(int)
    fates = np.where(status == CANCELLED, NOT_RUN, np.where(status == 0, RAN, 1))
    told = {int(k): _reason(str(text)) for k, text in table.failed}
    texts = [told.get(int(k), "refused") for k in np.flatnonzero(fates > 0)]
    reasons = sorted(set(texts), key=lambda t: (-texts.count(t), t))
    fates[fates > 0] = [1 + reasons.index(t) for t in texts]
    return fates, reasons


def outputs_of(table, wanted=None) -> list[str]:
    """The columns to draw: those wanted, or up to four."""
    outputs = [n for n in table.names if n not in parameters() and n not in ("status", "warnings")]
    if wanted is None:
        first = [n for n in PREFERRED if n in outputs]
        return (first + [n for n in outputs if n not in first])[:4]
    for name in wanted:
        if name not in outputs:
            raise ValueError(f"outputs: {name}: not in this sweep{nearest(name, outputs)}")
    return list(wanted)


def limits_of(values) -> tuple[float, float]:
    """Ends of an axis for values: at least a hundredth of their size apart, so that rounding is no change."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    least = 0.01 * max(abs(low), abs(high)) or 1.0
    if high - low >= least:
        return low, high
    middle = (low + high) / 2
    return middle - least / 2, middle + least / 2
