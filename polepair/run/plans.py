"""Sampling plans for sweeps: names of parameters and one row of values per case.

Every plan gives (names, rows), which `sweep` takes as its cases.
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..arguments import PATH, a, shown, takes, whole
from ..errors import FileError, plain
from ..files import refusal
from ..table import parameter
from ..units import to_si
from .memory import SMALL, free_memory

Cases = tuple[tuple[str, ...], np.ndarray]
AXES = a("a dict of values by parameter", Mapping)
RANGES = a("a dict of (low, high) by parameter", Mapping)


class Plan(tuple):
    """(names, rows), and in `about` how they came: the kind of plan and its seed."""

    about: dict

    def __new__(cls, names, rows, about: dict):
        """The pair with its description (JSON)."""
        plan = super().__new__(cls, (names, rows))
        plan.about = about
        return plan

    def __reduce__(self):
        return Plan, (*self, self.about)


@takes(axes=AXES)
def grid(axes) -> Cases:
    """Every combination of {name: values}; names of choices may stand for their positions."""
    names = tuple(axes)
    if not names:
        raise ValueError("sweep: no parameters given, so no cases")
    columns = [_axis(name, axes[name]) for name in names]
    need_memory(math.prod(len(c) for c in columns), len(names))
    stacked = np.meshgrid(*columns, indexing="ij")
    return Plan(names, np.stack([g.ravel() for g in stacked], axis=1), {"kind": "grid"})


@takes(ranges=RANGES, count=whole(1, 10**12), seed=whole(0))
def random(ranges, count: int, seed: int = 0) -> Cases:
    """`count` cases drawn evenly between (low, high) for each name; the same for the same seed."""
    points = np.random.default_rng(seed).random((_count(count), len(ranges)))
    return _scaled(ranges, points, {"kind": "random", "seed": seed})


@takes(ranges=RANGES, count=whole(1, 10**12), seed=whole(0))
def sobol(ranges, count: int, seed: int = 0) -> Cases:
    """`count` points of a scrambled Sobol sequence between (low, high) for each name; powers of two are best."""
    try:
        from scipy.stats import qmc
    except ImportError:
        raise ValueError("a Sobol plan needs SciPy, expected: pip install scipy") from None
    power = max(0, math.ceil(math.log2(_count(count))))
    points = qmc.Sobol(len(ranges), seed=seed).random_base2(power)[:count]
    return _scaled(ranges, points, {"kind": "sobol", "seed": seed})


@takes(path=PATH)
def table(path) -> Cases:
    """The cases in a .csv file whose header holds the parameters' names; units in brackets where they are not SI."""
    path = Path(path)
    try:
        with open(path, encoding="utf-8-sig") as f:  # a spreadsheet writes a mark before its UTF-8
            names, units = zip(*map(_head, f.readline().strip().split(",")), strict=True)
            lines = [line for line in f if line.strip()]
        rows = np.loadtxt(lines, delimiter=",", ndmin=2) if lines else np.empty((0, len(names)))
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except (ValueError, UnicodeDecodeError) as e:
        raise FileError(f"{path}: not a table of numbers ({plain(e, 200)})") from None
    except OSError as e:
        raise refusal(path, e, "cannot read, expected a table of numbers") from None
    if not rows.size:
        raise FileError(f"{path}: no cases, expected a header of parameters and a row a case")
    plan = checked(Plan(names, rows, {"kind": "table", "file": str(path)}), str(path))
    for k, unit in enumerate(units):
        plan[1][:, k] = _in_si(plan[1][:, k], unit, parameter(names[k]), path)
    return plan


def _head(text: str) -> tuple[str, str]:
    """Name and unit of a column."""
    name, _, unit = text.partition("[")
    return name.strip(), unit.partition("]")[0].strip()


def _in_si(column: np.ndarray, unit: str, row, path) -> np.ndarray:
    if unit in ("", "1", row.unit):
        return column
    try:
        zero, one = (to_si(f"{k} {unit}", row.unit) for k in (0, 1))
    except ValueError as e:
        raise FileError(f"{path}: {row.name} [{plain(unit, 64)}]: {e}") from None
    return column * (one - zero) + zero


def checked(cases, where: str = "sweep") -> Cases:
    """The cases if their names are known, different, and as many as the columns."""
    names, rows = tuple(cases[0]), np.atleast_2d(np.asarray(cases[1], dtype=float))
    if len(set(names)) != len(names):
        raise ValueError(f"{where}: a parameter is named twice")
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise ValueError(f"{where}: {len(names)} names but rows of {rows.shape[-1]} values")
    for name in names:
        parameter(name)
    if len(rows) == 0:
        raise ValueError(f"{where}: no cases")
    about = getattr(cases, "about", {"kind": "cases"})
    return Plan(names, np.ascontiguousarray(rows), about)


def need_memory(cases: int, columns: int, outputs: int = 0) -> None:
    """ValueError with both figures when the arrays of a sweep cannot fit in the memory that is free."""
    need = 8.0 * cases * (3 * columns + 2 * outputs + 2)
    free = free_memory() if need > SMALL else math.inf
    if need > 0.8 * free:
        raise ValueError(
            f"sweep: {cases:,} cases need {need / 1e9:.1f} GB and {free / 1e9:.1f} GB are free: "
            "expected fewer cases or outputs, or several sweeps"
        )


def _count(count) -> int:
    if not isinstance(count, (int, np.integer)) or count < 1:
        raise ValueError(f"count = {count!r}: expected a whole number from 1 up")
    need_memory(int(count), 1)
    return int(count)


def _scaled(ranges, unit: np.ndarray, about: dict) -> Cases:
    """Unit points stretched to the ranges; whole parameters rounded to values inside."""
    names = tuple(ranges)
    rows = np.empty_like(unit)
    for k, name in enumerate(names):
        try:
            low, high = (float(v) for v in ranges[name])
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} = {shown(ranges[name])}: expected a low and a high value") from None
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"{name} = ({low}, {high}): expected a low and a high value")
        whole = parameter(name).kind == "int"
        rows[:, k] = np.floor(low + unit[:, k] * (high + 1 - low)) if whole else low + unit[:, k] * (high - low)
        rows[:, k] = np.clip(rows[:, k], low, high)
    return checked(Plan(names, rows, about))


def _axis(name: str, values) -> np.ndarray:
    """The values of one parameter as numbers; names of choices become their positions."""
    row = parameter(name)
    listed = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    for k, v in enumerate(listed):
        if isinstance(v, (bool, np.bool_)):
            raise ValueError(f"{name}: expected numbers ({v})")
        if isinstance(v, str):
            if v not in row.choices:
                wanted = f"one of {', '.join(row.choices)}" if row.choices else "a number"
                raise ValueError(f"{name} = {v!r}: expected {wanted}")
            listed[k] = row.choices.index(v)
    if not listed:
        raise ValueError(f"sweep: {name}: no values")
    try:
        return np.array([float(v) for v in listed])
    except (TypeError, ValueError, OverflowError) as e:
        raise ValueError(f"{name}: expected numbers ({e})") from None
