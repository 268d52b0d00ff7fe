"""Axes and plans of a sweep as they are typed: rotor.gap=0.5mm,0.7mm and rotor.gap=0.5mm:1mm:11."""

import math

import numpy as np

from ..design.motor import _value
from ..errors import plain
from ..run import plans
from ..table import parameter

POINTS_MAX = 10**12
FORM = "expected GROUP.FIELD=a,b,c or GROUP.FIELD=first:last:count"
RANGE = "expected GROUP.FIELD=low:high of a number"


def _number(row, text: str):
    """One value, with or without a unit; the position of a choice."""
    try:
        value = _value(row, text.strip())
    except ValueError as e:
        raise ValueError(f"{row.name}={plain(text, 100)}: {e}") from None
    return row.choices.index(value) if row.choices else value


def _parted(text: str, form: str):
    """The parameter's row and what stands behind its name."""
    name, sign, values = text.partition("=")
    if not sign or not values.strip():
        raise ValueError(f"{plain(text, 200)}: {form}")
    return parameter(name.strip()), values


def _numbers(row, texts: list[str]) -> list:
    """Values of one parameter; in `1000,2000 rpm` the first would be in SI, which nobody means."""
    values = [_number(row, t) for t in texts]
    if len({_is_bare(t) for t in texts}) > 1 and not row.choices and row.unit not in ("", "1"):
        raise ValueError(f"{row.name}={plain(','.join(texts), 100)}: expected a unit on every value, or on none")
    return values


def _is_bare(text: str) -> bool:
    """Whether a value has no unit behind it."""
    try:
        float(text)
        return True
    except ValueError:
        return False


def axis(text: str) -> tuple[str, np.ndarray]:
    """NAME=a,b,c or NAME=first:last:count."""
    row, values = _parted(text, FORM)
    if ":" not in values:
        return row.name, np.array(_numbers(row, values.split(",")), dtype=float)
    parts = values.split(":")
    count = _count(parts[2]) if len(parts) == 3 else None
    if count is None or row.choices:
        raise ValueError(f"{plain(text, 200)}: {FORM}")
    if not 1 <= count <= POINTS_MAX:
        raise ValueError(f"{plain(text, 200)}: {count:,} points, expected 1 or more, and fewer than memory holds")
    plans.need_memory(count, 1)
    return row.name, np.linspace(*_numbers(row, parts[:2]), count)


def _count(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def span(text: str) -> tuple[str, tuple[float, float]]:
    """NAME=low:high."""
    row, values = _parted(text, RANGE)
    parts = values.split(":")
    if len(parts) != 2 or row.choices:
        raise ValueError(f"{plain(text, 200)}: {RANGE}")
    low, high = _numbers(row, parts)
    return row.name, (low, high)


def _named_once(pairs) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("sweep: a parameter is named twice")
    return found


def cases(texts, sobol=None, random=None, seed=None, table=None):
    """The cases of a sweep: a grid of the axes, a plan over their ranges, or a table from a file."""
    if sum(x is not None for x in (sobol, random, table)) > 1:
        raise ValueError("sweep: expected one of --sobol, --random and --cases")
    if table is not None and texts:
        raise ValueError(f"sweep: {plain(texts[0], 100)} with --cases: expected the cases of the table alone")
    if seed is not None and sobol is None and random is None:
        raise ValueError("sweep: --seed: expected --sobol or --random with it")
    if table is not None:
        return plans.table(table)
    if not texts:
        raise ValueError(f"sweep: no axes: {FORM}, or --cases TABLE")
    if sobol is None and random is None:
        return plans.checked(plans.grid(_named_once([axis(t) for t in texts])))
    ranges, count = _named_once([span(t) for t in texts]), random if sobol is None else sobol
    if count >= 1:
        plans.need_memory(2 ** math.ceil(math.log2(count)), len(ranges))
    plan = plans.random if sobol is None else plans.sobol
    return plan(ranges, count, seed or 0)
