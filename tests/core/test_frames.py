"""What a binary batch can hold: each field of its header by name and range, whole numbers below 2^30."""

import numpy as np
import pytest

from polepair import _core

ROWS = np.ones((4, 2))
LAST = {"step": 2**32 - 1, "seq": 2**32 - 1, "boot": 65535, "dropped": 2**32 - 1, "flags": 65535}
FIRST = dict.fromkeys(LAST, 0) | {"time": -(2**63)}
DELTA = 2


def frame(**fields):
    return _core.frame(**{"values": ROWS, "time": 0, "step": 1, "seq": 0} | fields)


@pytest.mark.parametrize("name, value", [*(LAST | {"time": 2**63 - 1}).items(), *FIRST.items()])
def test_the_ends_of_a_field_come_back(name, value):
    assert _core.frame_header(frame(**{name: value}))[name] == value
    assert _core.frame_header(frame(**{name: np.int64(7)}))[name] == 7


@pytest.mark.parametrize("name", [*LAST, "time", "encoding"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_field_that_does_not_fit_is_refused(name, sign):
    for value in (sign * 2**64, sign * 2**100):
        with pytest.raises(ValueError, match=f"frame: {name}: expected .* to "):
            frame(**{name: value})
    beyond = (LAST | {"encoding": 3}).get(name, 2**63 - 1) + 1 if sign > 0 else FIRST.get(name, 0) - 1
    with pytest.raises(ValueError, match=f"frame: {name}.*: expected .* to "):
        frame(**{name: beyond})
    with pytest.raises(TypeError, match=f"frame: {name}: expected a whole number"):
        frame(**{name: 1.5})


def test_differences_hold_whole_numbers_below_2_to_30():
    most = 2.0**30 - 1
    rows = np.array([[most], [-most], [most], [0.0]])
    assert _core.frame_header(frame(values=rows, encoding=DELTA))["samples"] == 4
    for beyond in (2.0**30, -(2.0**30)):
        with pytest.raises(ValueError, match="fit the encoding"):
            frame(values=[[beyond]], encoding=DELTA)


class Fresh:
    """A sequence that makes its pairs anew each time."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        if i >= self.count:
            raise IndexError
        return (f"channel{i}".encode() * 20, np.arange(2000.0) + i)


def test_lines_keep_the_names_of_a_sequence_that_does_not():
    text = _core.line_protocol(b"motor", Fresh(40), np.arange(2000))
    same = _core.line_protocol(b"motor", [Fresh(40)[i] for i in range(40)], np.arange(2000))
    assert text == same and text.startswith(b"motor channel0channel0")


def test_a_scale_has_to_be_a_number():
    for scale in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="scale 1: expected a finite number"):
            _core.Stream(0, 2, [("a", 0), ("b", 1)], [], [1.0, scale], None, 10, 1000, False, 1.0)


@pytest.mark.parametrize("at", [2**31 - 1, 4096, 24])
def test_a_field_behind_the_data_is_refused(at):
    layout = (b"PK", (at, 8), (10, 4), (14, 4), (18, 2), (20, 1), 24, 4)
    with pytest.raises(ValueError, match="layout: expected fields"):
        _core.Stream(3, 1, [], [], [1.0], layout, 10, 1000, False, 1.0)


class Whole:
    """A number by its __index__, which is somebody else's code."""

    def __index__(self):
        return 0


@pytest.mark.parametrize("arguments", [(1 << 64, Whole()), (-1 << 64, Whole()), (0, 1 << 64), (Whole(), 1 << 64)])
def test_a_push_with_numbers_that_do_not_fit(arguments):
    stream = _core.Stream(0, 2, [("a", 0), ("b", 1)], [], [1.0, 1.0], None, 10, 1000, False, 1.0)
    with pytest.raises(OverflowError):
        stream.push(b"", *arguments)
    assert stream.push(b"", Whole(), Whole())
