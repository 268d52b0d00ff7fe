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
_LETTER = r"[^\W\d_]"
_TOKEN = re.compile(  # a name, an exponent (cm^2, cm2), a sign (N-m is a product), a one, a power of ten
    rf"\s*(?:([A-Za-z%\u00b0\u00b5\u03bc\u03a9\u2126]+)"
    rf"|(\*\*|\^|(?<={_LETTER})(?=[2-6]))\s*(-?[0-9](?:\.5)?)(?![0-9.])"
    rf"|([*/·()]|(?<={_LETTER})-(?={_LETTER}))|(1)(?![0-9.])|(10{{1,6}})(?![0-9.]))"
)
_JOINED = re.compile(r"(?<![A-Za-z])(k?g)([cm]?m)(?=\^?2)")  # kgcm2 is kg cm^2
_SEPARATED = re.compile(r"[,_'\u2019]\d")
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
    "Vs": ((), (2, 1, -2, -1)),
    "rpm": ((1 / 60, math.tau), (0, 0, -1)),
    "RPM": ((1 / 60, math.tau), (0, 0, -1)),
    "sec": ((), (0, 0, 1)),
    "G": ((1e-4,), (0, 1, -2, -1)),
    "gauss": ((1e-4,), (0, 1, -2, -1)),
    "Gauss": ((1e-4,), (0, 1, -2, -1)),
}
_FIXED = {  # units that take no prefix
    "%": ((0.01,), ()),
    "percent": ((0.01,), ()),
    "ppm": ((1e-6,), ()),
    "degC": ((), (0, 0, 0, 0, 1)),  # in products, a difference of temperatures
    "°C": ((), (0, 0, 0, 0, 1)),
    "deg": ((math.pi / 180,), ()),
    "°": ((math.pi / 180,), ()),
    "turn": ((math.tau,), ()),
    "r": ((math.tau,), ()),
    "Ncm": ((1e-2,), (2, 1, -2)),
    "Nmm": ((1e-3,), (2, 1, -2)),
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
        """The next token: kind 1 a name, 2 an exponent (its number is `token`), 4 a sign, 5 a one, 6 ten to some power,
        0 the end."""
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise ValueError("no unit")
            self.kind, self.token = 0, ""
            return
        self.at = match.end()
        self.kind = 2 if match[3] else match.lastindex
        self.token = match[3] or match[self.kind]

    def product(self, below: bool = False) -> Unit:
        """Factors one after the other; a blank multiplies. below: it divides, so that 1000 rpm may stand there."""
        unit, sign = _row((), ()), 1
        while True:
            unit = unit.times(*self.power(sign, below))
            if self.kind == 0 or self.token == ")":
                return unit
            sign = -1 if self.token == "/" else 1
            if self.kind == 4 and self.token != "(":
                self.advance()

    def power(self, sign: int, below: bool = False) -> tuple[Unit, float]:
        """A name or a parenthesis and its exponent."""
        unit = self.single(below or sign < 0)
        if self.kind != 2:
            return unit, sign
        exponent = float(self.token)
        if abs(exponent) > EXPONENT_MAX:
            raise ValueError("an exponent above 6")
        self.advance()
        return unit, exponent * sign

    def single(self, below: bool) -> Unit:
        """A name of the table, a one, a parenthesis, or below a stroke 1000 rpm."""
        kind, token = self.kind, self.token
        self.advance()
        if kind in (1, 5) and token in table():
            return table()[token]
        if kind == 6 and below and self.token in ("rpm", "RPM"):
            return _row((float(token),), ()).times(*self.power(1))
        if token != "(":
            raise ValueError("no unit")
        unit = self.product(below)
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
    reader = _Reader(_JOINED.sub(r"\1*\2", text))
    unit = reader.product()
    if reader.kind:
        raise ValueError("no unit")
    return unit


def _exponents(text: str):
    """Of a unit; None where the text is none."""
    try:
        return read_unit(text).exponents
    except (ValueError, OverflowError):
        return None


def _meant(given: str, unit: str) -> str:
    """A hint with what is spelled like `given` and converts to `unit`, or with `unit` itself."""
    from difflib import get_close_matches

    wanted, tried = _exponents(unit), [given.strip(" ;:,.")[:LONGEST]]
    tried += [re.sub(r"1/min|min\s*(?:\^|\*\*)?-1|min⁻¹", "rpm", tried[0])]
    for name in dict.fromkeys(re.findall(f"{_LETTER}+", tried[-1])):
        same = [known for known in table() if known.casefold() == name.casefold()]
        same.sort(key=lambda known: -sum(a == b for a, b in zip(known, name, strict=False)))
        near = [*same, {"oz": "ozf", "lb": "lbf", "kg": "kgf"}.get(name, name)]
        near += get_close_matches(name, table(), 3, 0.6) if name not in table() else []
        tried += [re.sub(rf"(?<!{_LETTER}){name}(?!{_LETTER})", other, text) for text in tried for other in near][:20]
    found = next((text for text in tried if _exponents(text) == wanted), None)
    return f", did you mean {found}?" if found else f", expected one that converts to {unit}"


def _converted(number: float, given: str, unit: str) -> float:
    given = _SPELLED.get(given, given)
    if given in _TEMPERATURES and unit in _TEMPERATURES:
        (factor, zero), (own, own_zero) = _TEMPERATURES[given], _TEMPERATURES[unit]
        return number if given == unit else (number * factor + zero - own_zero) / own
    try:
        source = read_unit(given)
    except (ValueError, OverflowError):
        raise ValueError(f"unknown unit {plain(given, LONGEST)}{_meant(given, unit)}") from None
    target = read_unit(unit)
    if source.exponents != target.exponents:
        raise ValueError(f"unit {plain(given)} does not convert to {unit}{_meant(given, unit)}")
    return number * (math.prod(source.factors) / math.prod(target.factors))


def to_si(text: str, unit: str) -> float:
    """The number in `text` converted to the SI `unit`; a bare number is taken as SI. ValueError tells what is wrong."""
    unit = unit or "1"
    match = _NUMBER.fullmatch(text)
    if not match:
        raise ValueError(f"expected a number{f' with a unit of {unit}' if unit != '1' else ''}")
    number, given = float(match[1]), match[2]
    if _SEPARATED.match(given):
        raise ValueError("expected a decimal point and no other separator, as in 1.5 or 1500")
    return _converted(number, given, unit) if given else number


_SHOWN = {  # what people write for an SI unit: factor and name
    "rad/s/V": (60 / math.tau, "rpm/V"),
    "rad/s": (60 / math.tau, "rpm"),
    "kg*m^2": (1e7, "g cm^2"),
    "1": (1.0, ""),
    "": (1.0, ""),
}


def readable(value: float, unit: str) -> str:
    """A value in SI `unit` as people write it, four digits: 113.9 uH, 184.8 rpm/V, 345 g cm^2."""
    if unit in _SHOWN:
        factor, name = (1e4, "kg cm^2") if unit == "kg*m^2" and abs(value) >= 1e-3 else _SHOWN[unit]
        return f"{value * factor:.4g} {name}".strip()
    factor, name = (1e3, "g") if unit == "kg" and abs(value) < 1 else (1.0, unit.replace("*", " "))
    powers = () if value == 0 or not math.isfinite(value) or unit in ("K", "degC", "kg") else range(9, -13, -3)
    power = next((p for p in powers if abs(value) >= 0.99995 * 10.0**p), 0)
    prefix = {9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p"}[power]
    return f"{value * factor / 10.0**power:.4g} {prefix}{name}"
