"""Arguments of any type, size and number at every call of the extension: an answer or one clear error.

FUZZ_SECONDS=600 draws for that long instead of a few hundred sequences.
"""

import math
import os
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polepair as pp
from polepair import _core

SECONDS = float(os.environ.get("FUZZ_SECONDS", 0))
ALLOWED = (TypeError, ValueError, OverflowError, MemoryError, ArithmeticError, IndexError)
SMALL = st.integers(-3, 70)
HUGE = st.sampled_from([s * v for v in (2**34, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 2**200) for s in (1, -1)])
WORDS = st.sampled_from([2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, -(2**31), -(2**31) - 1]) | SMALL | HUGE
COUNTS = SMALL | HUGE  # of what takes time or memory: few, or beyond any
FLOATS = (
    st.sampled_from([0.0, -0.0, 1.0, 0.02, math.nan, math.inf, -math.inf, 1e300, -1e300, 5e-324, 1e18]) | st.floats()
)
SPANS = st.sampled_from([0.0, -1.0, 1e-4, 1e-3, math.nan, math.inf, -math.inf, 1e18, 1e300, 5e-324])  # of time [s]
DTYPES = st.sampled_from(["f8", "f4", "i4", "i8", "u1", "c16", "?", "O", "S3", ">f8", ">i4"])


class Odd:
    """A sequence and a number that answers as it likes."""

    def __init__(self, length, item):
        self.length, self.item = length, item

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        if i >= 5:
            raise IndexError
        return self.item

    def __float__(self):
        return self.item

    def __index__(self):
        return self.item


@st.composite
def arrays(draw):
    """Arrays of any type and shape: read-only, not contiguous, strided backwards, broadcast."""
    shape = draw(st.lists(st.integers(0, 5), max_size=3))
    a = np.resize(np.array(draw(st.lists(FLOATS | SMALL, min_size=1, max_size=6)), dtype=object), shape)
    with np.errstate(all="ignore"):
        try:
            a = a.astype(draw(DTYPES))
        except (TypeError, ValueError, OverflowError):
            a = np.zeros(shape)
    way = draw(st.integers(0, 4))
    if way == 1:
        a.flags.writeable = False
    if way == 2 and a.ndim:
        a = a[::-1]
    if way == 3:
        a = np.asfortranarray(a)
    if way == 4:
        a = np.broadcast_to(a, (2, *a.shape))
    return a


TEXTS = st.text(max_size=6) | st.sampled_from(
    ["magnet.Br", "rotor.topology", "inner", "tooth", "magnet", "avx2", "\0", "é" * 99]
)
BYTES = st.binary(max_size=80) | st.just(_core.frame(np.ones((3, 2)), 0, 1, 0)) | st.binary(max_size=9).map(memoryview)
LISTS = st.lists(WORDS | FLOATS | TEXTS, max_size=4)
ODD = st.builds(Odd, st.sampled_from([0, 1, 3, 2**40]), FLOATS | WORDS | TEXTS)
JUNK = st.none() | COUNTS | SPANS | TEXTS | BYTES | LISTS | arrays() | ODD | st.booleans() | st.tuples(WORDS, WORDS)
COLUMNS = st.lists(st.integers(0, 20), min_size=1, max_size=4).map(lambda v: np.array(v, np.int32))
ROWS = st.integers(0, 6).flatmap(lambda n: st.just(np.ones((n, 2))))
OUTS = st.none() | st.tuples(st.integers(0, 8), st.integers(0, 4)).map(np.empty)
SIX = st.lists(FLOATS, min_size=6, max_size=6).map(np.array)
PAIRS = st.lists(st.tuples(BYTES, SIX), max_size=3) | ODD
LAYOUT = st.tuples(BYTES, *[st.tuples(WORDS, WORDS)] * 5, WORDS, WORDS)
OUTPUTS = st.lists(st.tuples(st.integers(-1, 30), st.integers(-1, 8)), min_size=1, max_size=3).map(
    lambda v: np.array(v, np.int32)
)
TRACES = st.none() | st.tuples(COLUMNS, COUNTS, COUNTS)
CASES = st.lists(st.lists(FLOATS, min_size=1, max_size=1), max_size=5).map(np.array)
KEYS = st.lists(st.tuples(TEXTS, WORDS), max_size=3) | ODD
BR = st.just(np.array([pp.parameters()["magnet.Br"].index], np.int32))
EVEN = st.booleans()

CALLS = {  # what it is called on: calls by name and what they take
    "module": {
        "frame": [ROWS, WORDS, WORDS, WORDS, WORDS, WORDS, st.none() | LISTS, WORDS, WORDS],
        "frame_header": [BYTES],
        "cobs_encode": [BYTES],
        "cobs_decode": [BYTES],
        "line_protocol": [BYTES, PAIRS, COLUMNS | arrays()],
        "naive_gap_field": [FLOATS] * 6,
        "run_samples": [FLOATS, FLOATS],
        "force_isa": [TEXTS | st.none()],
        "sweep": ["params", BR | COLUMNS, CASES, SPANS, OUTPUTS, EVEN, COUNTS, st.none(), SMALL, TRACES],
        "sweep_derive": ["params", BR | COLUMNS, CASES, COLUMNS],
        "Observer": ["params", FLOATS, EVEN, FLOATS, FLOATS],
        "Twin": ["params", "derived"],
        "Stream": [SMALL, SMALL, KEYS, KEYS, LISTS, LAYOUT, COUNTS, COUNTS, EVEN, FLOATS],
        "Decoder": [BYTES, BYTES],
        "crc32c": [BYTES, BYTES],
        "Params": [],
        "parameter_rows": [],
    },
    "params": {
        "get": [TEXTS],
        "set": [TEXTS, FLOATS | WORDS | TEXTS],
        "update": ["params"],
        "outline": [TEXTS],
        "derive": [],
        "dims": [],
        "masses": [],
        "winding_layout": [],
        "__eq__": ["params"],
    },
    "derived": {
        "torque_limit": [arrays() | FLOATS, FLOATS, FLOATS],
        "mtpa_id": [FLOATS],
        "operating_point": [FLOATS, FLOATS, FLOATS],
        "iron_loss": ["params", FLOATS],
        "copper_loss": [arrays() | FLOATS, arrays() | FLOATS],
        "torque": [arrays() | FLOATS, arrays() | FLOATS],
    },
    "observer": {
        "run": [SIX, SIX, SIX, SIX, SIX, COLUMNS, OUTS, EVEN],
        "predict": [FLOATS, FLOATS, FLOATS],
        "coast": [FLOATS],
        "currents": [FLOATS, FLOATS],
        "speed": [FLOATS, FLOATS],
        "angle": [FLOATS, FLOATS],
        "bus": [FLOATS, FLOATS, FLOATS],
        "estimates": [],
        "fork": [],
    },
    "twin": {
        "run": [COUNTS, COUNTS, EVEN, COLUMNS, OUTS],
        "run_fine": [COUNTS, COUNTS, EVEN, COLUMNS, OUTS],
        "step": [FLOATS, FLOATS],
        "ask": [FLOATS, FLOATS],
        "place": [FLOATS] * 5,
        "reset": [],
        "fork": [],
    },
    "stream": {
        "push": [BYTES, WORDS, WORDS],
        "wait": [WORDS, st.sampled_from([0.0, -1.0, 1e-3, math.nan, -math.inf])],
        "column": [WORDS, WORDS, WORDS],
        "journal": [JUNK, BYTES],
        "describe": [BYTES],
        "learn": [BYTES],
        "reformat": ["stream"],
        "counts": [],
    },
    "decoder": {"read": [BYTES, WORDS, WORDS, EVEN, WORDS], "state": []},
}


def objects(kind):
    """What the calls are made on, new."""
    motor = pp.load("maxon-ec45flat-70w-24v" if kind == "six_step" else "outrunner-12s14p")
    if kind == "adaptive":
        motor.drive.rtol = 1e-6
    stream = _core.Stream(3, 2, [("a", 0), ("t", -1)], [(1, 0)], [1.0, 2.0],
                          (b"PK", (2, 8), (10, 4), (14, 4), (18, 2), (20, 1), 24, 4), 64, 4096, False, 1.0)  # fmt: skip
    made = {"module": _core, "params": motor, "derived": motor.derive(), "observer": _core.Observer(motor)}
    made["decoder"] = _core.Decoder(b"", stream.describe(b""))
    return {**made, "twin": _core.Twin(motor), "stream": stream}


@st.composite
def calls(draw):
    """(what, name, arguments); a text among those that stand for an object is drawn as its name."""
    what = draw(st.sampled_from(list(CALLS)))
    name = draw(st.sampled_from(list(CALLS[what])))
    arguments = []
    for wanted in CALLS[what][name]:
        if name != "wait" and draw(st.integers(0, 5)) == 0:  # a junk number of seconds may be a minute
            arguments.append((None, draw(JUNK)))
        elif isinstance(wanted, str):
            arguments.append((wanted, None))
        else:
            arguments.append((None, draw(wanted)))
    cut = draw(st.integers(0, 8))
    if cut == 0:
        arguments = arguments[: draw(st.integers(0, len(arguments)))]
    elif cut == 1:
        arguments.append((None, draw(JUNK)))
    return what, name, arguments


KINDS = st.sampled_from(["foc", "six_step", "adaptive"])


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(KINDS, st.lists(calls(), min_size=1, max_size=12))
def any_calls(kind, sequence):
    made = objects(kind)
    for what, name, arguments in sequence:
        try:
            answer = getattr(made[what], name)(*(made[a] if a else v for a, v in arguments))
        except ALLOWED as e:
            assert not isinstance(e, UnicodeError) or "surrogates" in str(e), e
            continue
        if name == "fork":
            made[what] = answer
    assert len(made["observer"].estimates()) == len(_core.estimate_rows())


def test_any_arguments():
    end = time.monotonic() + SECONDS
    rounds = 1
    any_calls()
    while time.monotonic() < end:
        any_calls()
        rounds += 1
    _core.force_isa(None)
    print(f"{rounds} x 300 sequences")


@pytest.mark.parametrize("name", [n for n in dir(_core) if not n.startswith("_")])
def test_every_public_name_is_drawn(name):
    """A call or type that comes later has to be put into the table, or here with its reason."""
    tables = {n for n in dir(_core) if n.endswith("_rows")}  # take nothing
    groups = {"".join(p.capitalize() for p in g.split("_")) for g in pp.table.groups()} | {"Derived"}  # made by others
    aside = {"version", "isa", "Journal"}  # a text, a look; a folder of files, drawn by the tests of stores
    assert name in set(CALLS["module"]) | tables | groups | aside
