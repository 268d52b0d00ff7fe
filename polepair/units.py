"""Numbers with units in files: "7.62 mm" -> 0.00762. pint does the work; the core sees SI floats only."""

import re
from functools import cache

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


@cache
def _registry():
    try:
        import pint
    except ImportError:
        raise ValueError("units in files need the package pint, expected: pip install pint") from None
    return pint.UnitRegistry()


def _spell(unit: str) -> str:
    """pint's spelling of what people write."""
    return unit.replace("%", "percent").replace("·", "*").replace("Ω", "ohm").replace("^", "**")


def to_si(text: str, unit: str) -> float:
    """The number in `text` converted to the SI `unit`; a bare number is taken as SI. ValueError tells what is wrong."""
    match = _NUMBER.match(text)
    if not match:
        raise ValueError(f"expected a number with a unit of {unit}")
    number, given = float(match[1]), match[2]
    if not given:
        return number
    registry = _registry()
    try:
        return float(registry.Quantity(number, _spell(given)).to("" if unit == "1" else _spell(unit)).magnitude)
    except Exception as e:
        if type(e).__name__ == "DimensionalityError":
            raise ValueError(f"unit {given} does not convert to {unit}") from None
        raise ValueError(f"unknown unit {given}, expected one that converts to {unit}") from None
