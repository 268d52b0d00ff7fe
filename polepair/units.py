"""Numbers with units in files: "7.62 mm" -> 0.00762. A fixed table of units; the core sees SI floats only.

A number times a factor: two roundings, so the result may be a unit in the last place beside the nearest double, as
"6.5 mm" is. The order of the products is part of the format: a motor derives to the same bits today as when it was
written (tests/golden/units.txt). Nothing here takes longer than the text is long.
"""

import math
import re
from functools import cache, lru_cache
from typing import NamedTuple

from .errors import plain

LONGEST = 64  # characters of a unit
EXPONENT_MAX = 6
_NUMBER = re.compile(r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*", re.S)
_TOKEN = re.compile(
    r"\s*(?:([A-Za-z%\u00b0\u00b5\u03bc\u03a9\u2126]+)|(\*\*|\^)\s*(-?[0-9](?:\.5)?)(?![0-9.])|([*/·()])|(1)(?![0-9.]))"
)
_SUPERSCRIPTS = {"²": "^2", "³": "^3"}

BASES = ("m", "kg", "s", "A", "K")
_ALONE = {  # unit: its factors, and exponents of BASES
    "1": ((), ()),
    "m": ((), (1,)),
    "g": ((1e-3,), (0, 1)),
    "s": ((), (0, 0, 1)),
    "A": ((), (0, 0, 0, 1)),
    "K": ((), (0, 0, 0, 0, 1)),
    "rad": ((), ()),
    "Hz": ((), (0, 0, -1)),
    "N": ((), (1, 1, -2)),
    "J": ((), (2, 1, -2)),
    "W": ((), (2, 1, -3)),
    "Pa": ((), (-1, 1, -2)),
    "V": ((), (2, 1, -3, -1)),
    "C": ((), (0, 0, 1, 1)),
    "F": ((), (-2, -1, 4, 2)),
    "ohm": ((), (2, 1, -3, -2)),
    "S": ((), (-2, -1, 3, 2)),
    "H": ((), (2, 1, -2, -2)),
    "Wb": ((), (2, 1, -2, -1)),
    "T": ((), (0, 1, -2, -1)),
    "Nm": ((), (2, 1, -2)),
    "rpm": ((1 / 60, math.tau), (0, 0, -1)),
}
_FIXED = {  # units that take no prefix
    "%": ((0.01,), ()),
    "percent": ((0.01,), ()),
    "ppm": ((1e-6,), ()),
    "degC": ((), (0, 0, 0, 0, 1)),  # in products, a difference of temperatures
    "°C": ((), (0, 0, 0, 0, 1)),
    "deg": ((math.pi / 180,), ()),
    "turn": ((math.tau,), ()),
    "rev": ((math.tau,), ()),
    "min": ((60.0,), (0, 0, 1)),
    "h": ((3600.0,), (0, 0, 1)),
    "d": ((86400.0,), (0, 0, 1)),
    "in": ((0.0254,), (1,)),
    "ft": ((0.3048,), (1,)),
    "lb": ((0.45359237,), (0, 1)),
    "oz": ((0.028349523125,), (0, 1)),
    "kgf": ((9.80665,), (1, 1, -2)),
    "lbf": ((4.4482216152605,), (1, 1, -2)),
    "ozf": ((0.27801385095378125,), (1, 1, -2)),
}
_WORDS = {"meter": "m", "metre": "m", "gram": "g", "second": "s", "ampere": "A", "amp": "A", "kelvin": "K"}
_WORDS |= {"radian": "rad", "hertz": "Hz", "newton": "N", "joule": "J", "watt": "W", "volt": "V", "Ohm": "ohm"}
_WORDS |= {
    "ohm": "ohm",
    "Ω": "ohm",
    "\u2126": "ohm",
    "henry": "H",
    "weber": "Wb",
    "tesla": "T",
}  # Greek letter and ohm sign
_PLAIN = {"inch": "in", "degree": "deg", "minute": "min", "hour": "h", "day": "d", "pound": "lb", "ounce": "oz"}
_PREFIXES = {"": 0, "p": -12, "n": -9, "u": -6, "\u00b5": -6, "\u03bc": -6, "m": -3, "c": -2, "d": -1}  # both mus
_PREFIXES |= {"k": 3, "M": 6, "G": 9}
_PREFIX_WORDS = {"nano": -9, "micro": -6, "milli": -3, "centi": -2, "kilo": 3, "mega": 6}
_TEMPERATURES = {  # what a thermometer shows: factor and zero in K
    "K": (1.0, 0.0),
    "degC": (1.0, 273.15),
    "degF": (5 / 9, 459.67 * 5 / 9),
}
_SPELLED = {"°C": "degC", "celsius": "degC", "Celsius": "degC", "°F": "degF"}


class Unit(NamedTuple):
    """Factors to SI, whose product counts, and the exponents of BASES (the loss coefficients have halves)."""

    factors: tuple[float, ...]
    exponents: tuple[float, ...]

    def times(self, other: "Unit", power: float) -> "Unit":
        """This unit times a power of another one."""
        factors = tuple(f**power for f in other.factors)
        added = zip(self.exponents, other.exponents, strict=True)
        return Unit(self.factors + factors, tuple(a + power * b for a, b in added))


def _row(factors, exponents, prefix: int = 0) -> Unit:
    first = (float(f"1e{prefix}"),) if prefix else ()
    return Unit((*first, *factors), (*exponents, *[0] * (len(BASES) - len(exponents))))


@cache
def table() -> dict[str, Unit]:
    """Every unit by every way to write it, prefixes included."""
    found = {}
    for name, row in _ALONE.items():
        found |= {prefix + name: _row(*row, power) for prefix, power in _PREFIXES.items()}
    for word, name in _WORDS.items():
        prefixes = _PREFIXES if name == "ohm" else {"": 0, **_PREFIX_WORDS}
        spelled = {prefix + word: _row(*_ALONE[name], power) for prefix, power in prefixes.items()}
        found |= spelled | {f"{text}s": unit for text, unit in spelled.items() if len(word) > 2}
    found |= {name: _row(*row) for name, row in _FIXED.items()}
    for word, name in _PLAIN.items():
        found[word] = found[f"{word}s"] = found[name]
    # 1 is no quantity of its own: k1 and the like are none
    return {text: unit for text, unit in found.items() if text == "1" or not text.endswith("1")}


class _Reader:
    """A unit as people write it: names, products, quotients, one small exponent each, parentheses."""

    def __init__(self, text: str):
        self.text, self.at = text, 0
        self.kind, self.token = 0, ""
        self.advance()

    def advance(self) -> None:
        """The next token: kind 1 a name, 2 an exponent (its number is `token`), 4 a sign, 5 a one, 0 the end."""
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise ValueError("no unit")
            self.kind, self.token = 0, ""
            return
        self.at = match.end()
        self.kind = 2 if match[2] else match.lastindex
        self.token = match[3] if match[2] else match[self.kind]

    def product(self) -> Unit:
        """Factors one after the other; a blank multiplies."""
        unit, sign = _row((), ()), 1
        while True:
            unit = unit.times(*self.power(sign))
            if self.kind == 0 or self.token == ")":
                return unit
            sign = -1 if self.token == "/" else 1
            if self.kind == 4 and self.token != "(":
                self.advance()

    def power(self, sign: int) -> tuple[Unit, float]:
        """A name or a parenthesis and its exponent."""
        unit = self.single()
        if self.kind != 2:
            return unit, sign
        exponent = float(self.token)
        if abs(exponent) > EXPONENT_MAX:
            raise ValueError("an exponent above 6")
        self.advance()
        return unit, exponent * sign

    def single(self) -> Unit:
        """A name of the table, a one, or a parenthesis."""
        kind, token = self.kind, self.token
        self.advance()
        if kind in (1, 5) and token in table():
            return table()[token]
        if token != "(":
            raise ValueError("no unit")
        unit = self.product()
        if self.token != ")":
            raise ValueError("no unit")
        self.advance()
        return unit


@lru_cache(256)
def read_unit(text: str) -> Unit:
    """The unit that `text` names; ValueError for one that the table cannot make."""
    if len(text) > LONGEST:
        raise ValueError("a unit too long")
    for sign, spelled in _SUPERSCRIPTS.items():
        text = text.replace(sign, spelled)
    reader = _Reader(text)
    unit = reader.product()
    if reader.kind:
        raise ValueError("no unit")
    return unit


def _converted(number: float, given: str, unit: str) -> float:
    given = _SPELLED.get(given, given)
    if given in _TEMPERATURES and unit in _TEMPERATURES:
        (factor, zero), (own, own_zero) = _TEMPERATURES[given], _TEMPERATURES[unit]
        return number if given == unit else (number * factor + zero - own_zero) / own
    try:
        source = read_unit(given)
    except (ValueError, OverflowError):
        raise ValueError(f"unknown unit {plain(given, LONGEST)}, expected one that converts to {unit}") from None
    target = read_unit(unit)
    if source.exponents != target.exponents:
        raise ValueError(f"unit {plain(given)} does not convert to {unit}")
    return number * (math.prod(source.factors) / math.prod(target.factors))


def to_si(text: str, unit: str) -> float:
    """The number in `text` converted to the SI `unit`; a bare number is taken as SI. ValueError tells what is wrong."""
    unit = unit or "1"
    match = _NUMBER.fullmatch(text)
    if not match:
        raise ValueError(f"expected a number with a unit of {unit}")
    number, given = float(match[1]), match[2]
    return _converted(number, given, unit) if given else number
