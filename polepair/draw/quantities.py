"""Numbers as people write them: one table of display units, scaled, for cards, tables and axes alike."""

import re
from typing import NamedTuple

import numpy as np

from ..table import channels, derived, parameters

RPM = 30 / np.pi
SPEEDS = ("control.speed_ref", "datasheet.n_no_load", "omega_m")  # rad/s that are a shaft's, not a bandwidth
REDUCED = {
    "final": "at the end",
    "mean": "mean",
    "rms": "rms",
    "min": "least",
    "max": "greatest",
    "peak": "peak",
    "settle": "settling time",
}


class Shown(NamedTuple):
    """A display unit: its size in SI and how it is written."""

    size: float
    text: str

    def of(self, values):
        """SI values in this unit."""
        return np.asarray(values, float) / self.size


def _prefixed(text: str, prefixes: str = "nµm k", tail: str = ""):
    """Rows of a unit with these prefixes; a blank is none."""
    sizes = {"p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, " ": 1.0, "k": 1e3, "M": 1e6}
    return tuple((sizes[p], sizes[p], f"{p.strip()}{text}{tail}") for p in prefixes)


# SI unit: rows of (used from this SI value up, size, text), rising
UNITS = {
    "m": ((0.0, 1e-6, "µm"), (5e-5, 1e-3, "mm"), (10.0, 1.0, "m")),
    "kg": ((0.0, 1e-6, "mg"), (1e-3, 1e-3, "g"), (1.0, 1.0, "kg")),
    "kg*m^2": ((0.0, 1e-7, "g cm²"), (1e-4, 1e-4, "kg cm²"), (0.1, 1.0, "kg m²")),
    "rad/s^2": ((0.0, 1 / RPM, "rpm/s"), (1e4 / RPM, 1e3 / RPM, "krpm/s")),
    "rad/s/V": ((0.0, 1 / RPM, "rpm/V"),),
    "V*s": ((0.0, 1e-3 * RPM, "V/krpm"),),
    "N*m": _prefixed("N m", "nµm "),
    "N*m/A": _prefixed("N m/A", "µm "),
    "N*m*s": _prefixed("N m s"),
    "N*m*s^2": _prefixed("N m s²"),
    "N*m/W^0.5": _prefixed("N m/√W", "µm "),
    "ohm*m": _prefixed("Ω m"),
    "ohm": _prefixed("Ω", "µm k"),
    "1/K": ((0.0, 0.01, "%/K"),),
    "degC": ((0.0, 1.0, "°C"),),
    "rad/s": ((0.0, 1.0, "rad/s"),),
    "rad": ((0.0, 1.0, "rad"),),
    "1": ((0.0, 1.0, ""),),
    "": ((0.0, 1.0, ""),),
    **{unit: _prefixed(unit) for unit in ("s", "J", "W", "V", "A", "T")},
    **{unit: _prefixed(unit) for unit in ("H", "Wb")},
}


def pretty(unit: str) -> str:
    """An SI unit of the tables as it is printed: raised exponents, blanks between factors."""
    for written, printed in (("^1.5", "^(3/2)"), ("^0.5", "^½"), ("^2", "²"), ("^3", "³"), ("*", " "), ("ohm", "Ω")):
        unit = unit.replace(written, printed)
    return unit


def shown(unit: str, values=(), name: str = "") -> Shown:
    """The display unit for these SI values, chosen by the largest of them; `name` tells speeds from bandwidths."""
    if unit == "rad/s" and (name in SPEEDS or name.partition(".")[0] in SPEEDS):
        return Shown(1 / RPM, "rpm")
    rows = UNITS.get(unit)
    if rows is None:
        return Shown(1.0, pretty(unit))
    finite = np.abs(np.asarray(values, float).ravel())
    finite = finite[np.isfinite(finite)]
    largest = float(finite.max()) if len(finite) else 0.0
    if largest == 0:
        return Shown(*next((row[1:] for row in rows if row[1] == 1.0), rows[-1][1:]))
    fitting = [row for row in rows if largest >= 0.99995 * row[0]]
    return Shown(*(fitting or rows)[-1 if fitting else 0][1:])


def digits(value: float) -> str:
    """Four figures, without an exponent between 0.0001 and ten million."""
    if not np.isfinite(value):
        return "not finite"
    if 1e4 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def quantity(value: float, unit: str, name: str = "") -> str:
    """A value with its unit as a person writes it: quantity(0.0123, "m") is "12.3 mm"."""
    unit_shown = shown(unit, [value], name)
    return f"{digits(float(value) / unit_shown.size)} {unit_shown.text}".strip()


def _clause(text: str) -> str:
    """The first clause of a description: up to a parenthesis, or past it where only a word stands before."""
    first = re.split(r" \(", text)[0]
    kept = first if " " in first else re.sub(r" \([^)]*\)", "", text)
    return re.split(r"[;:,]", kept)[0].replace("degC", "°C").strip()


def meaning(name: str) -> str:
    """What a parameter, constant, channel or output of a sweep is, in words; its name where nothing is known."""
    if name in parameters():
        row = parameters()[name]
        return name if row.choices else _clause(row.doc)
    if name in derived():
        return _clause(derived()[name].doc)
    channel, _, reducer = name.partition(".")
    if channel not in channels():
        return name
    if reducer == "settle":
        return "settling time of the speed"
    words = _clause(channels()[channel].doc)
    return f"{words}, {REDUCED[reducer]}" if reducer in REDUCED else words


def label(name: str, unit_text: str) -> str:
    """Label of an axis: the words, the name that files and options use, the unit."""
    words = meaning(name)
    called = "" if words == name else f"{words} "
    named = f"({name})" if called else name
    return f"{called}{named}, {unit_text}" if unit_text else f"{called}{named}"
