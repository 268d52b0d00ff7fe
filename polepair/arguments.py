"""Arguments of public functions: of the kind that they need, or one line that says so before anything else happens."""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from typing import NamedTuple, TypeVar

from .errors import plain

Function = TypeVar("Function", bound=Callable)
_MISSING = object()
HUGE = 1 << 1023  # more does not fit a float


class Need(NamedTuple):
    """What an argument has to be: in words, its kind (else TypeError) and its range (else ValueError)."""

    wanted: str
    fits: Callable[[object], bool]
    inside: Callable[[object], bool] = lambda _: True


def a(wanted: str, *kinds: type) -> Need:
    """An object of one of these types."""
    return Need(wanted, lambda value: isinstance(value, kinds))


def having(wanted: str, *attributes: str) -> Need:
    """An object (no class) with these attributes."""
    return Need(wanted, lambda value: not isinstance(value, type) and all(hasattr(value, n) for n in attributes))


def number(low: float = -math.inf, high: float = math.inf, wanted: str = "a number") -> Need:
    """A real number from low to high; no bool, no text, no array."""
    if low == -math.inf and high == math.inf:
        return Need(wanted, _is_real)
    return Need(wanted, _is_real, lambda value: low <= value <= high)


def whole(low: int, high: float = math.inf) -> Need:
    """A whole number from low to high."""
    wanted = f"a whole number from {low} {'up' if high == math.inf else f'to {high}'}"
    return Need(wanted, _is_real, lambda value: isinstance(value, Integral) and low <= value <= high)


def _is_real(value) -> bool:
    if type(value) is int:
        return abs(value) < HUGE
    return type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))


def _are_names(value) -> bool:
    if isinstance(value, str):
        return True
    if not isinstance(value, Iterable) or isinstance(value, (Mapping, bytes, type)) or getattr(value, "ndim", 1) != 1:
        return False
    return not hasattr(value, "__len__") or all(isinstance(name, str) for name in value)


NUMBER = number()
TEXT = a("text", str)
FLAG = Need("True or False", lambda value: isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"))
PATH = a("the name of a file", str, os.PathLike)
NAMES = Need("a name, or several in a list", _are_names)
CALL = Need("a function", callable)
TABLE = a("columns by name in a dict", Mapping)


def shown(value) -> str:
    """A value as a message may have it."""
    try:
        return plain(repr(value), 80)
    except Exception:  # a number of more digits than Python writes, or somebody's own __repr__
        return f"a {type(value).__name__}"


def refuse(where: str, name: str, value, need: Need) -> None:
    """TypeError or ValueError where a value is not what is needed."""
    if not need.fits(value):
        raise TypeError(f"{where}: {name} = {shown(value)}: expected {need.wanted}")
    if not need.inside(value):
        raise ValueError(f"{where}: {name} = {shown(value)}: expected {need.wanted}")


def takes(**needs: Need) -> Callable[[Function], Function]:
    """Checks these arguments of a function when it is called; one whose default is None may be None."""

    def checking(function: Function) -> Function:
        known = signature(function).parameters
        where = function.__qualname__.removesuffix(".__init__")
        optional = {n for n in needs if n not in known or known[n].default is None}
        places = [(list(known).index(n) if n in known else math.inf, n, need) for n, need in needs.items()]

        @wraps(function)
        def checked(*args, **kwargs):
            for place, name, need in places:
                value = args[place] if place < len(args) else kwargs.get(name, _MISSING)
                if value is not _MISSING and not (value is None and name in optional):
                    refuse(where, name, value, need)
            return function(*args, **kwargs)

        return checked

    return checking
