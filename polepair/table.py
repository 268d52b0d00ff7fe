"""The parameter table at run time: rows made from csrc/include/polepair/*.def by the compiler."""

from dataclasses import dataclass
from functools import cache

from . import _core
from .errors import nearest, plain


@dataclass(frozen=True)
class Parameter:
    """One row of the table; `choices` is empty unless kind is "choice", `unit` is SI."""

    group: str
    field: str
    symbol: str
    kind: str
    unit: str
    default: float | int | str
    min: float
    max: float
    doc: str
    index: int
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The full name, group.field."""
        return f"{self.group}.{self.field}"


@dataclass(frozen=True)
class Field:
    """A derived value or a channel: name, symbol (may be empty), SI unit, meaning, position."""

    name: str
    symbol: str
    unit: str
    doc: str
    index: int


@cache
def parameters() -> dict[str, Parameter]:
    """Every parameter by its full name, in table order."""
    rows = {}
    for i, (group, field, symbol, kind, unit, default, _, low, high, doc) in enumerate(_core.parameter_rows()):
        choices = tuple(unit.split("|")) if kind == "choice" else ()
        shown = "" if choices else unit
        rows[f"{group}.{field}"] = Parameter(group, field, symbol, kind, shown, default, low, high, doc, i, choices)
    return rows


@cache
def groups() -> dict[str, str]:
    """Group name to description, in table order."""
    return dict(_core.group_rows())


@cache
def derived() -> dict[str, Field]:
    """Every derived value by name."""
    return {n: Field(n, s, u, d, i) for i, (n, s, u, d) in enumerate(_core.derived_rows())}


@cache
def channels() -> dict[str, Field]:
    """Every channel of a run by name."""
    return {n: Field(n, "", u, d, i) for i, (n, u, d) in enumerate(_core.channel_rows())}


def matching(name: str) -> str:
    """The parameter whose field, or the group whose name, is `name` but for case and an s; else an empty string."""
    rows = {row.field: row.name for row in reversed(parameters().values())}
    known = {key.casefold(): full for key, full in {**rows, **{group: group for group in groups()}}.items()}
    short = name.casefold()
    return rows.get(name) or known.get(short) or known.get(short.removesuffix("s"), "")


def parameter(name: str) -> Parameter:
    """The row of "group.field"; ValueError names the nearest match."""
    rows = parameters()
    if name not in rows:
        found = matching(name)
        hint = f", did you mean {found}?" if found in rows else nearest(name, rows)
        raise ValueError(f"{plain(name, 100)}: no such parameter{hint or ', expected GROUP.FIELD such as magnet.Br'}")
    return rows[name]
