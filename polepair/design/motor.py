"""Motors: parameters with a name and a source, read from and written to TOML files."""

import json
import math
import os
import tomllib
from importlib import resources
from pathlib import Path

from .. import _core
from ..arguments import PATH, TEXT, a, takes
from ..errors import FileError, nearest, plain
from ..files import read_text, write_text
from ..table import groups, matching, parameters
from ..units import to_si

SCHEMA_VERSION = 1
DOTS_MAX = 4000
ABOUT = ("name", "description", "source")  # keys of the [motor] table


class Motor(_core.Params):
    """All parameters of a motor, its drive, control and load: motor.magnet.Br = 1.25 (checked against the table).

    `derive()` gives the constants; `name`, `description`, `source` say what it is.
    """

    def __init__(self, name: str = "unnamed", description: str = "", source: str = ""):
        self.name, self.description, self.source = name, description, source

    def __setattr__(self, name: str, value):
        if name in groups():
            raise AttributeError(f"motor.{name}: expected an assignment to one of its parameters{_fields_of(name)}")
        if name not in ABOUT and not name.startswith("_"):
            raise _no_attribute(name)
        if name in ABOUT and not isinstance(value, str):
            raise TypeError(f"motor.{name} = {_shown(value)}: expected text")
        super().__setattr__(name, value)

    def __getattr__(self, name: str):
        raise _no_attribute(name)

    def __repr__(self) -> str:
        return f"Motor({self.name!r}: {', '.join(f'{k}={v}' for k, v in self.changed().items())})"

    def __reduce__(self):
        return _rebuild, (self.name, self.description, self.source, self.changed())

    def changed(self) -> dict[str, float | int | str]:
        """Parameters that differ from their defaults, by full name."""
        values = {name: self.get(name) for name in parameters()}
        return {name: v for name, v in values.items() if v != parameters()[name].default}

    def copy(self) -> "Motor":
        """An independent copy."""
        other = Motor(self.name, self.description, self.source)
        other.update(self)
        return other

    @property
    def has_geometry(self) -> bool:
        """True unless the motor is described by a maker's datasheet."""
        return self.datasheet.R_ll == 0 and self.datasheet.R_phase == 0

    def iron_loss(self, omega_m: float) -> float:
        """Stator iron loss [W] at a speed [rad/s]."""
        return self.derive().iron_loss(self, omega_m)

    def dumps(self) -> str:
        """The text of a motor file (TOML, SI numbers) with every value that differs from its default."""
        doc = {"schema": SCHEMA_VERSION, "motor": {k: getattr(self, k) for k in ABOUT if getattr(self, k)}}
        for name, value in self.changed().items():
            group, field = name.split(".")
            doc.setdefault(group, {})[field] = value
        return "\n".join(_toml(doc))

    @takes(path=PATH)
    def save(self, path) -> None:
        """Writes `dumps()` to a file."""
        write_text(path, self.dumps())


def _fields_of(group: str) -> str:
    """A hint with some parameters of a group."""
    own = [row.name for row in parameters().values() if row.group == group]
    return f" such as motor.{own[0]}"


def _no_attribute(name: str) -> AttributeError:
    """What is said of motor.Br, motor.magnets: the parameter, group or method that is meant."""
    if name.startswith("__"):  # Python asks whether there is one
        return AttributeError(name)
    known = {n: n for n in (*ABOUT, *groups(), *(a for a in dir(Motor) if a[0] != "_"))}
    found = matching(name)
    hint = f", did you mean motor.{found}?" if found else nearest(name, known).replace("mean ", "mean motor.")
    wanted = hint or ", expected motor.GROUP.FIELD as in polepair.parameters()"
    return AttributeError(f"motor.{plain(name, 100)}: no such attribute{wanted}")


MOTOR = a("a Motor, as pp.load gives it", Motor)


def _toml(doc: dict):
    """Lines of a document of numbers, strings and tables of them."""
    plain = {k: v for k, v in doc.items() if not isinstance(v, dict)}
    yield from (f"{k} = {_toml_value(v)}" for k, v in plain.items())
    for name, table in doc.items():
        if name not in plain:
            yield from ("", f"[{name}]", *(f"{k} = {_toml_value(v)}" for k, v in table.items()))
    yield ""


def _toml_value(value) -> str:
    """A number or a basic string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F") if isinstance(value, str) else repr(value)


def _rebuild(name: str, description: str, source: str, values: dict) -> Motor:
    """A motor from what pickle kept of it."""
    motor = Motor(name, description, source)
    for key, value in values.items():
        motor.set(key, value)
    return motor


def catalogue() -> dict[str, Path]:
    """Names and files of the motors that ship with polepair."""
    folder = Path(str(resources.files("polepair.design.motors")))
    return {p.stem: p for p in sorted(folder.glob("*.toml"))}


@takes(name_or_path=a("the name of a motor, or of its file", str, os.PathLike))
def load(name_or_path) -> Motor:
    """A motor from the catalogue or from a TOML file. FileError names file, key, value and what was expected."""
    if "://" in str(name_or_path):  # which may hold a password
        raise FileError("an address stands where a motor file or a name of the catalogue was expected")
    known = catalogue()
    path = known.get(str(name_or_path), Path(name_or_path))
    if not path.exists() and path.suffix != ".toml":
        raise FileError(
            f"{name_or_path}: no such file, and no motor of that name in the catalogue{nearest(name_or_path, known)}"
        )
    if path.suffix in (".parquet", ".npz", ".ppdb"):
        raise FileError(f"{path}: a result or recording, expected a motor file, or a name of the catalogue")
    return loads(read_text(path), str(path), path.stem)


@takes(text=TEXT, where=TEXT, name=TEXT)
def loads(text: str, where: str = "<text>", name: str = "unnamed") -> Motor:
    """A motor from the text of a motor file; `where` names it in errors."""
    if text.count(".") > DOTS_MAX:  # the parser's time goes with the square of a key's parts
        raise FileError(f"{where}: {text.count('.')} dots, expected at most {DOTS_MAX} in a motor file")
    try:
        doc = tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        raise FileError(f"{where}: not TOML: {plain(e, 200)}") from None
    if not doc:
        raise FileError(f"{where}: empty, expected a motor file with schema = {SCHEMA_VERSION}")
    schema = doc.pop("schema", None)
    if type(schema) is not int or schema != SCHEMA_VERSION:
        raise FileError(f"{where}: schema: expected schema = {SCHEMA_VERSION} at the top of the file")
    motor = Motor(**{"name": name, **_about(doc.pop("motor", {}), where)})
    for group, fields in doc.items():
        _read_group(motor, group, fields, where)
    try:
        motor.derive()
    except ValueError as e:
        raise FileError(f"{where}: {e}") from None
    return motor


def _about(table, where: str) -> dict[str, str]:
    if not isinstance(table, dict):
        raise FileError(f"{where}: motor: expected a table [motor]")
    for key, value in table.items():
        if key not in ABOUT:
            raise FileError(f"{where}: motor.{key}: unknown key{nearest(key, ABOUT)}")
        if not isinstance(value, str):
            raise FileError(f"{where}: motor.{key} = {_shown(value)}: expected text")
    return {k: v for k, v in table.items() if k != "name" or v.strip()}


def _read_group(motor: Motor, group: str, fields, where: str) -> None:
    if group not in groups():
        raise FileError(f"{where}: [{group}]: unknown table{nearest(group, groups())}")
    if not isinstance(fields, dict):
        raise FileError(f"{where}: {group} = {_shown(fields)}: expected a table [{group}]")
    for field, value in fields.items():
        name = f"{group}.{field}"
        row = parameters().get(name)
        if row is None:
            own = [p.field for p in parameters().values() if p.group == group]
            raise FileError(f"{where}: {name}: unknown key{nearest(field, own)}")
        try:
            motor.set(name, _value(row, value))
        except ValueError as e:
            text = str(e)
            said = text if text.startswith(name) else f"{name} = {_shown(value)}: {text}"
            raise FileError(f"{where}: {said}") from None


def _shown(value) -> str:
    """A value as an error may have it."""
    try:
        return plain(repr(value), 100)
    except ValueError:  # an integer of more digits than Python writes
        return f"a {type(value).__name__} without end"


def _value(row, value):
    """A TOML value as the row's number: SI, or a string with a unit."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(
            f"expected {'one of ' + ', '.join(row.choices) if row.choices else 'a number or a string with a unit'}"
        )
    if row.choices:
        if value not in row.choices:
            raise ValueError(f"expected one of {', '.join(row.choices)}")
        return value
    try:
        number = to_si(value, row.unit) if isinstance(value, str) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number
