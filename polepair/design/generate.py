"""What is written from the tables: python -m polepair.design.generate [FOLDER] makes the stub, the JSON Schema and the reference.

FOLDER is a checkout, by default the current folder; the tests compare its files with what this gives.
"""

import json
import sys
from pathlib import Path

from ..files import write_text
from ..table import channels, derived, groups, parameters
from .motor import ABOUT, SCHEMA_VERSION

NOTE = "made by python -m polepair.design.generate from csrc/include/polepair/*.def; do not edit"
TYPES = {"real": "float", "int": "int", "choice": "str"}


def _class_of(group: str) -> str:
    return group[0].upper() + group[1:]


def _range(p) -> str:
    unit = f" {p.unit}" if p.unit not in ("", "1") else ""
    return ", ".join(p.choices) if p.choices else f"{p.min:g} to {p.max:g}{unit}"


def stub() -> str:
    """polepair/_core.pyi."""
    lines = [
        f"# {NOTE}",
        "from collections.abc import Callable, Sequence",
        "from typing import Any, SupportsFloat, final, overload",
        "",
        "import numpy as np",
        "from numpy.typing import ArrayLike, NDArray",
        "from typing_extensions import disjoint_base",
        "",
    ]
    lines += ["version: str", ""]
    for group, doc in groups().items():
        lines += ["@final", f"class {_class_of(group)}:", f'    """{doc}"""', ""]
        for p in (p for p in parameters().values() if p.group == group):
            kind, given = TYPES[p.kind], "str | SupportsFloat" if p.choices else "SupportsFloat"
            lines += [
                "    @property",
                f"    def {p.field}(self) -> {kind}:",
                f'        """{p.doc} [{_range(p)}; default {p.default}]"""',
                f"    @{p.field}.setter",
                f"    def {p.field}(self, value: {given}) -> None: ...",
            ]
        lines.append("")
    lines += [
        "@disjoint_base",
        "class Params:",
        '    """Every parameter of a twin, by group."""',
        "",
        "    def __new__(cls, *args: Any, **kwargs: Any) -> Params: ...",
        "    def __eq__(self, other: object, /) -> bool: ...",
        "    def __ne__(self, other: object, /) -> bool: ...",
        "    __hash__: None  # type: ignore[assignment]",
    ]
    for group, doc in groups().items():
        lines += ["    @property", f"    def {group}(self) -> {_class_of(group)}:", f'        """{doc}"""']
    lines += [
        PARAMS_METHODS,
        "@final",
        "class Derived:",
        '    """Constants of a machine, per equivalent star phase, peak values."""',
        "",
    ]
    for f in derived().values():
        lines += ["    @property", f"    def {f.name}(self) -> float:", f'        """{f.doc} [{f.unit}]"""']
    lines += [DERIVED_METHODS]
    return "\n".join(lines)


PARAMS_METHODS = """\
    def derive(self) -> Derived: ...
    def get(self, name: str, /) -> float | int | str: ...
    def set(self, name: str, value: str | SupportsFloat, /) -> None: ...
    def update(self, other: Params, /) -> None: ...
    def values(self) -> NDArray[np.float64]: ...
    def outline(self, part: str, /) -> NDArray[np.float64]: ...
    def dims(self) -> dict[str, float]: ...
    def masses(self) -> dict[str, dict[str, float]]: ...
    def winding_layout(self) -> tuple[NDArray[np.int8], NDArray[np.int8], int]: ...
"""
DERIVED_METHODS = '''\
    def as_dict(self) -> dict[str, float]: ...
    def torque_limit(self, omega_m: ArrayLike, i_max: float, u_max: float, /) -> NDArray[np.float64]: ...
    def mtpa_id(self, amplitude: float, /) -> float: ...
    def operating_point(self, id: float, iq: float, omega_m: float, /) -> dict[str, float]: ...
    def iron_loss(self, params: Params, omega_m: float, /) -> float: ...
    def reach(self, params: Params, omega_m: ArrayLike, torque: ArrayLike, /) -> NDArray[np.int8]: ...
    def idle(self, params: Params, /) -> list[int]: ...
    @overload
    def copper_loss(self, id: float, iq: float, /) -> float: ...
    @overload
    def copper_loss(self, id: ArrayLike, iq: ArrayLike, /) -> NDArray[np.float64]: ...
    @overload
    def torque(self, id: float, iq: float, /) -> float: ...
    @overload
    def torque(self, id: ArrayLike, iq: ArrayLike, /) -> NDArray[np.float64]: ...

@final
class Twin:
    """Model and state of a twin."""

    def __new__(cls, params: Params, nominal: Derived | None = None) -> Twin: ...
    @property
    def period(self) -> float: ...
    @property
    def sample(self) -> int: ...
    def run(self, rows: int, every: int, stop: bool, channels: ArrayLike, out: NDArray[np.float64] | None = None, /) -> NDArray[np.float64]: ...
    def step(self, speed_ref: float | None = None, load_torque: float | None = None, /) -> NDArray[np.float64]: ...
    def reset(self) -> None: ...
    def fork(self) -> Twin: ...
    def run_fine(self, periods: int, fine: int, stop: bool, channels: ArrayLike, out: NDArray[np.float64] | None = None, /) -> NDArray[np.float64]: ...
    def ask(self, speed_ref: float, load_torque: float, /) -> None: ...
    def place(self, id: float, iq: float, omega_m: float, theta_m: float, torque: float, /) -> None: ...
    def warnings(self) -> int: ...

@final
class Journal:
    """Raw messages in mapped segment files."""

    def __new__(cls, folder: str, segment_bytes: int, spare_bytes: int, after: int) -> Journal: ...
    def sync(self) -> None: ...

@final
class Stream:
    """Messages of one source, decoded into columns."""

    def __new__(cls, format: int, channels: int, keys: Sequence[tuple[str, int]], aliases: Sequence[tuple[int, int]], scales: Sequence[float], layout: tuple[Any, ...] | None, capacity: int, size_limit: int, seq_per_sample: bool, time_unit: float) -> Stream: ...
    @property
    def head(self) -> int: ...
    @property
    def floor(self) -> int: ...
    def push(self, message: bytes, arrival: int | None = None, flags: int = 0, /) -> bool: ...
    def wait(self, seen: int, seconds: float, /) -> int: ...
    def column(self, column: int, first: int, last: int, /) -> NDArray[Any]: ...
    def counts(self) -> dict[str, int]: ...
    def examples(self) -> dict[str, bytes]: ...
    def journal(self, journal: Journal | None, about: bytes, /) -> None: ...
    def describe(self, about: bytes, /) -> bytes: ...
    def learn(self, description: bytes, marks: bytes, /) -> None: ...
    def reformat(self, other: Stream, /) -> None: ...
    def handle(self) -> Any: ...

@final
class Decoder:
    """Journaled messages into rows."""

    def __new__(cls, about: bytes, description: bytes | None = None, marks: bytes | None = None) -> Decoder: ...
    def read(self, segment: Any, offset: int, rows: int, closed: bool, number: int, /) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[NDArray[np.float64]], int, int, str]: ...
    def state(self) -> bytes: ...
    def marks(self) -> bytes: ...
    def new_marks(self) -> bytes: ...

@final
class Observer:
    """Kalman filter of a drive."""

    def __new__(cls, params: Params, current: float = 0.0, adapt: bool = True, theta_e: float = 0.0, sigma: float = ...) -> Observer: ...
    def run(self, time: ArrayLike, u_alpha: ArrayLike, u_beta: ArrayLike, i_alpha: ArrayLike, i_beta: ArrayLike, estimates: ArrayLike, out: NDArray[np.float64] | None = None, unscented: bool = False, /) -> NDArray[np.float64]: ...
    def predict(self, u_alpha: float, u_beta: float, dt: float, /) -> None: ...
    def coast(self, dt: float, /) -> None: ...
    def currents(self, i_alpha: float, i_beta: float, /) -> None: ...
    def speed(self, omega_m: float, sigma: float, /) -> None: ...
    def angle(self, theta_m: float, sigma: float, /) -> None: ...
    def bus(self, i_bus: float, u_dc: float, sigma: float, /) -> None: ...
    def estimates(self) -> NDArray[np.float64]: ...
    def fork(self) -> Observer: ...

def frame(values: ArrayLike, time: int, step: int, seq: int, boot: int = 0, encoding: int = 0, scales: ArrayLike | None = None, dropped: int = 0, flags: int = 0) -> bytes: ...
def frame_header(frame: bytes, /) -> dict[str, int]: ...
def cobs_encode(packet: bytes, /) -> bytes: ...
def cobs_decode(line: bytes, /) -> bytes: ...
def crc32c(*buffers: Any) -> int: ...
def line_protocol(head: bytes, columns: Sequence[tuple[bytes, ArrayLike]], time: ArrayLike, /) -> bytes: ...
def estimate_rows() -> list[tuple[str, str, str]]: ...
def refusal_rows() -> list[tuple[str, str]]: ...
def parameter_rows() -> list[tuple[str, str, str, str, str, float | int | str, float, float, float, str]]: ...
def group_rows() -> list[tuple[str, str]]: ...
def derived_rows() -> list[tuple[str, str, str, str]]: ...
def channel_rows() -> list[tuple[str, str, str]]: ...
def status_rows() -> list[tuple[str, str]]: ...
def warning_rows() -> list[tuple[str, str, str]]: ...
def run_samples(t_end: float, period: float, /) -> int: ...
def isa() -> str: ...
def force_isa(name: str | None, /) -> bool: ...
def naive_gap_field(Br: float, mu_r: float, thickness: float, gap: float, carter: float, arc: float, /) -> float: ...
def sweep(params: Params, columns: ArrayLike, values: ArrayLike, t_end: float, outputs: ArrayLike, retune: bool = False, threads: int = 0, progress: Callable[[int], object] | None = None, mode: int = 0, trace: tuple[ArrayLike, int, int] | None = None) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int16], bool, NDArray[np.float64] | None]: ...
def sweep_derive(params: Params, columns: ArrayLike, values: ArrayLike, fields: Sequence[int] | ArrayLike, /) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int16]]: ...
'''


def _json_type(p) -> dict:
    if p.choices:
        return {"enum": list(p.choices)}
    number = {"type": "integer" if p.kind == "int" else "number", "minimum": p.min, "maximum": p.max}
    return {"anyOf": [number, {"type": "string", "description": f"a number with a unit of {p.unit}"}]}


def schema() -> dict:
    """JSON Schema of a motor file."""
    tables = {
        g: {"type": "object", "description": doc, "additionalProperties": False, "properties": {}}
        for g, doc in groups().items()
    }
    for p in parameters().values():
        tables[p.group]["properties"][p.field] = {
            "description": f"{p.doc} [{_range(p)}]",
            "default": p.default,
            **_json_type(p),
        }
    about = {"type": "object", "additionalProperties": False, "properties": {k: {"type": "string"} for k in ABOUT}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "polepair motor file",
        "description": f"TOML; {NOTE}",
        "type": "object",
        "required": ["schema"],
        "additionalProperties": False,
        "properties": {"schema": {"const": SCHEMA_VERSION}, "motor": about, **tables},
    }


def _symbol(text: str) -> str:
    return f"`{text}`" if text else ""


def reference() -> str:
    """docs/parameters.md."""
    lines = [
        "# Parameters",
        "",
        f"<!-- {NOTE} -->",
        "",
        "SI units inside; a motor file may give a number with any unit that converts.",
        "",
        "Units: m g s A K rad Hz N J W Pa V C F ohm (Ω) S H Wb Vs T G Nm rpm with the prefixes p n u m c d k M G, and % ppm deg turn",
        "rev r min h d Ncm Nmm in ft lb oz lbf ozf kgf degC degF; products (`*`, `·` or a blank), quotients, parentheses, one exponent up",
        "to 6 on each (`g*cm^2`, `kg cm2`, `V/krpm`, `V/(1000 rpm)`, `W/(kg T^2 Hz)`). Hz is 1/s: a speed in turns is rpm or turn/s.",
        "",
    ]
    for group, doc in groups().items():
        lines += [
            f"## {group}",
            "",
            f"{doc[0].upper()}{doc[1:]}.",
            "",
            "| key | symbol | unit | default | range | meaning |",
            "|---|---|---|---|---|---|",
        ]
        for p in (p for p in parameters().values() if p.group == group):
            shown = p.default if isinstance(p.default, str) else f"{p.default:.6g}"
            lines.append(f"| `{p.field}` | {_symbol(p.symbol)} | {p.unit} | {shown} | {_range(p)} | {p.doc} |")
        lines.append("")
    for title, rows in (("Derived values", derived()), ("Channels of a run", channels())):
        lines += [f"# {title}", "", "| name | symbol | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| `{f.name}` | {_symbol(f.symbol)} | {f.unit} | {f.doc} |" for f in rows.values()] + [""]
    return "\n".join(lines)


def files() -> dict[str, str]:
    """Every generated file by its path in the checkout."""
    return {
        "polepair/_core.pyi": stub(),
        "polepair/motor.schema.json": json.dumps(schema(), indent=1) + "\n",
        "docs/parameters.md": reference(),
    }


def main(folder: Path) -> None:
    """Writes them."""
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / name, text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
