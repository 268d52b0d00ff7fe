"""Commands and files that hypothesis draws, and what may come of them: an answer, or one line of polepair's own.

Times are of a few control periods, so that what happens to be right ends soon.
"""

import json
import math
import re
import tempfile
import warnings
from pathlib import Path

from click.testing import CliRunner
from hypothesis import strategies as st

import polepair as pp
from polepair.cli.main import main

M = "outrunner-12s14p"
CODES = {0, 1, 2, 130}
OURS = re.compile(  # words of which each line of polepair has one
    r"expected|no such|did you mean|not recorded|unknown|cannot|missing|not a |does not|twice|none|diverged|damaged|"
    r"interrupted|no cases|need \d|too |no \w+ of|see polepair|argument|refused|empty|bytes|dots|not TOML|not JSON|"
    r"not UTF-8|no values|no channel|no column|cut short|failed|--mqtt|surrogates"
)
RAW = re.compile(
    r"' object|'NoneType'|index \d+ is out|(?<!\()could not convert|unpack|broadcast|Errno|encountered|"
    r"a defect of polepair|ambiguous"
)
ENV = {"POLEPAIR_BPY_PYTHON": "/nonexistent", "POLEPAIR_FREECAD_PYTHON": "/nonexistent", "POLEPAIR_DEBUG": ""}


class Found(AssertionError):
    """Something that no user should see."""


def need(truth, text) -> None:
    """Found unless it is so."""
    if not truth:
        raise Found(text)


# commands ------------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "",
        " ",
        "-",
        "--",
        "=",
        ",",
        ":",
        "x",
        "é",
        "\udc80",
        "\x1b[2J",
        "a\nb",
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "1e300",
        "None",
        "True",
        "[]",
        "{}",
        "../..",
        "/",
        "/dev/null",
        "/proc/self/mem",
        "~",
        "%s",
        "mqtt://bob:hunter2@h/a",
        "0x10",
        "1,5",
        "1;2",
        "magnet",
        "magnet.Br",
        "--json",
        "--help",
        "x" * 300,
    ]
)
MOTORS = st.sampled_from(
    [M] * 6 + ["ipmsm-2k2", "maxon-ec45flat-70w-24v", "outruner", "good.toml", "bad.toml", "run.npz"]
)
FIELDS = st.sampled_from([*pp.parameters(), "Br", "magnet", "magnet.brr", "", "stator.", ".length", "motor.name"])
VALUES = WORDS | st.sampled_from(
    [
        "1",
        "1.2",
        "1 T",
        "15 mm",
        "1,5 mm",
        "15mm;",
        "1e9",
        "1e-9",
        "-5",
        "2.5",
        "arc",
        "mtpa",
        "foc",
        "six_step",
        "inner",
        "yes",
        "3 V/krpm",
        "5 %",
        "20 degC",
        "1 kg cm2",
    ]
)
SETTINGS = st.tuples(FIELDS, VALUES).map("=".join) | WORDS
TIMES = st.sampled_from(["0.001", "0.002", "0", "-1", "nan", "inf", "1e300", "x", "1e-9", ""])
FILES = st.sampled_from(
    ["run.npz", "run.parquet", "few.npz", "sweep.npz", "record.csv", "motor.json", "damaged", "none.npz", ".", ""]
)
OUTS = st.sampled_from(
    ["o.npz", "o.parquet", "o.csv", "o.xyz", "o", "no/o.npz", "run.npz/o.npz", "/proc/o.npz", "/dev/full", ""]
)
AXES = st.tuples(
    FIELDS,
    st.sampled_from(["1,1.1", "1:1.2:2", "1:2", "1:2:0", "1:2:-1", "1:x:2", "a,b", "", "nan,1", "1:2:1e3", "5,6"]),
)
URLS = st.sampled_from(
    [
        "mqtt://127.0.0.1:1/a",
        "mqtts://127.0.0.1:1/a",
        "mqtt://",
        "http://h",
        "x",
        "",
        "mqtt://h:x/a",
        "mqtt://127.0.0.1:1",
    ]
)
NAMES = st.sampled_from(["omega_m.final", "omega_m", "x.final", "omega_m.x", "id.settle", "", ",", "ia,ib", "u_alpha"])
NUMBERS = st.sampled_from(["1", "2", "0", "-1", "100", "1.5", "x", "", "99999999999999999999"])
SETS = ("--set", SETTINGS)
TIME = ("--time", TIMES)
OUT = ("--out", OUTS)
FLAG = st.none()

COMMANDS = {  # its arguments, and its options with what they take
    "list": ([], []),
    "design": ([MOTORS], [SETS, OUT, ("--no-cad", FLAG)]),
    "run": ([MOTORS], [SETS, SETS, OUT, ("--every", NUMBERS)]),
    "sweep": (
        [MOTORS, AXES.map("=".join)],
        [SETS, OUT, ("--threads", NUMBERS), ("--record", NAMES), ("--mode", WORDS), ("--keep-tuning", FLAG)],
    ),
    "report": ([MOTORS], [SETS, ("--sweep", FILES), ("--cad", FILES)]),
    "film": ([MOTORS], [SETS, ("--run", FILES), ("--seconds", NUMBERS), ("--slow", NUMBERS), OUT]),
    "estimate": ([FILES], [("--motor", MOTORS), OUT, ("--method", WORDS), ("--noise", NUMBERS), SETS]),
    "live": (
        [MOTORS],
        [("--replay", FILES), ("--mqtt", URLS), ("--serial", FILES), ("--pace", NUMBERS), ("--channels", NAMES), SETS],
    ),
    "device": ([MOTORS], [("--mqtt", URLS), SETS]),
    "replay": ([FILES], [("--mqtt", URLS), ("--stream", WORDS), ("--pace", NUMBERS)]),
    "broker-config": (
        [WORDS],
        [
            ("--no-tls", FLAG),
            ("--port", NUMBERS),
            ("--out", OUTS),
            ("--host", WORDS),
            ("--bind", WORDS),
            ("--autosave", NUMBERS),
            ("--prefix", WORDS),
        ],
    ),
    "record": ([URLS], [OUT, ("--stream", WORDS), ("--channels", NAMES), ("--keep", WORDS)]),
    "verify": ([FILES], []),
    "export": ([FILES], [OUT, ("--stream", WORDS)]),
}
FIXED = {  # what ends a command that would go on, or take seconds
    "run": ["--time", "0.001"],
    "sweep": ["--time", "0.001"],
    "live": ["--time", "0.01"],
    "device": ["--time", "0.01"],
    "record": ["--time", "0.01"],
    "broker-config": ["--no-tls"],
}


@st.composite
def command_lines(draw):
    """A command line that is nearly right."""
    name = draw(st.sampled_from(list(COMMANDS)))
    places, options = COMMANDS[name]
    args = [draw(place) for place in places]
    if draw(st.integers(0, 9)) == 0:
        args = [draw(WORDS) if draw(st.booleans()) else a for a in args]
    cut = draw(st.integers(0, 19))
    args = args[:-1] if cut == 0 else [*args, draw(WORDS)] if cut == 1 else args
    for option, takes in options:
        if draw(st.integers(0, 2)) == 0:
            value = draw(takes)
            args += [option] if value is None else [option, value]
    if name == "report" or (name == "film" and draw(st.booleans())):
        args += ["--run", draw(st.sampled_from(["few.npz", "sweep.npz", "record.csv", "damaged", "none.npz", ""]))]
    if name in ("run", "sweep") and draw(st.integers(0, 3)) == 0:
        return [name, *args, "--time", draw(TIMES)]
    json_too = ["--json"] if draw(st.integers(0, 4)) == 0 else []
    return [name, *args, *FIXED.get(name, []), *json_too]


def judged(code, stdout: str, stderr: str, args) -> str:
    """Found unless a command ended as one does; in a word, how."""
    said = f"{args}: code {code}: {stdout[-200:]}{stderr[-1000:]}"
    need(code in CODES, said)
    lines = stderr.splitlines()
    need(not RAW.search(stderr) and "Traceback" not in stderr, said)
    need(all(line.startswith(("polepair: ", "{")) for line in lines), said)
    errors = [line for line in lines if not line.startswith(("polepair: warning", '{"warning'))]
    known = code == 0 or args[0] in ("record", "export", "verify") or len(errors) == 1
    need(known and "hunter2" not in stdout + stderr, said)
    need(code == 0 or not errors or OURS.search(errors[-1]), said)
    return f"{args[0]} {code}"


def run_command(args) -> str:
    """Runs a command line in this process."""
    with warnings.catch_warnings():
        done = CliRunner(env=ENV).invoke(main, args)
    need(isinstance(done.exception, SystemExit | None), f"{args}: {done.exception!r}")
    return judged(done.exit_code, done.stdout, done.stderr, args)


# files ---------------------------------------------------------------------------------------------------------------


class Place:
    """A folder with good files, which the commands and calls work in."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp())
        self.motor = pp.load(M)
        self.twin = pp.Twin(self.motor)
        self.run = self.twin.run(0.02)
        self.table = pp.sweep(self.twin, {"magnet.Br": [1.0, 1.1]}, 0.001)
        few = self.twin.run(0.002, ("time", "omega_m"))
        for name, result in (
            ("run.npz", self.run),
            ("run.parquet", self.run),
            ("few.npz", few),
            ("sweep.npz", self.table),
        ):
            result.save(self.path / name)
        head = "time,u_alpha,u_beta,i_alpha,i_beta\n"
        rows = "".join(f"{k * 1e-4:.4f},{math.cos(k):.3f},{math.sin(k):.3f},0.1,0.2\n" for k in range(60))
        (self.path / "record.csv").write_text(head + rows)
        self.motor.save(self.path / "good.toml")
        (self.path / "bad.toml").write_text("schema = 1\n[stator]\nslots = 7\n")
        solid = {"volume": 1e-6, "mass": 0.01, "inertia": [[1e-6, 0, 0], [0, 1e-6, 0], [0, 0, 1e-6]]}
        cad = {"solids": 3, "valid": True, "build_ms": 1.0, "masses": {"rotor": solid, "stator_core": solid}}
        (self.path / "motor.json").write_text(json.dumps({"cad": cad}))
        (self.path / "damaged").write_bytes(bytes(range(256)))
        self.kept = {p.name: p.read_bytes() for p in self.path.iterdir()}

    def restore(self) -> None:
        """Takes away what was written, puts back what was overwritten."""
        import shutil

        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in self.kept:
                path.unlink()
        for name, data in self.kept.items():
            if (self.path / name).read_bytes() != data:
                (self.path / name).write_bytes(data)


READERS = {  # a file, and the commands that read it
    "run.npz": (["report", M, "--run"], ["estimate", "--motor", M], ["live", "--time", "0.01", "--replay"]),
    "run.parquet": (["report", M, "--run"], ["estimate", "--motor", M], ["film", M, "--run"]),
    "sweep.npz": (["report", M, "--run", "few.npz", "--sweep"], ["report", M, "--run"]),
    "record.csv": (["estimate", "--motor", M], ["live", "--time", "0.01", "--pace", "0", "--replay"]),
    "good.toml": (["design", "--no-cad"], ["run", "--time", "0.001"]),
    "motor.json": (["report", M, "--run", "few.npz", "--cad"],),
    "damaged": (["verify"], ["export", "-o", "o.csv"]),
}


@st.composite
def damages(draw, place: Place):
    """(file's name, its bytes, the command that reads it)."""
    name = draw(st.sampled_from(list(READERS)))
    data = bytearray(place.kept[name])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        way = draw(st.integers(0, 3))
        if way == 0:
            data[at : at + draw(st.integers(1, 9))] = draw(st.binary(max_size=9))
        elif way == 1:
            del data[at:]
        elif way == 2 and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        else:
            data[at:at] = draw(
                st.sampled_from([b"nan", b"-1", b"null", b"[]", b'"x"', b"1e999", b",", b"\n", b"\0", b"="])
            )
    return name, bytes(data), draw(st.sampled_from(READERS[name]))


def read_damaged(place: Place, name: str, data: bytes, command) -> str:
    """Runs a command on a damaged file; a report of it is not drawn."""
    (place.path / name).write_bytes(data)
    return run_command([*command, name])
