"""A serial line over a pty pair: COBS packets and CSV lines, whole, cut and damaged."""

import os
import pty
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import until

from polepair import connect
from polepair.errors import FileError
from polepair.live.sources import Serial, cobs_packet
from polepair.live.streams import frame

CHANNELS = ("a", "b", "c")


@pytest.fixture
def line():
    master, slave = pty.openpty()
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_packets(line):
    master, port = line
    source = Serial(port, CHANNELS, baud=115200).start()
    values = np.arange(300.0).reshape(100, 3)
    packets = [cobs_packet(frame(values + k, k * 10**6, 1000, 100 * k)) for k in range(20)]
    os.write(master, packets[0][7:])  # joined in the middle of a packet
    for k, p in enumerate(packets):
        if k == 7:
            p = p[:50] + bytes([p[50] ^ 4 or 1]) + p[51:]  # a bit flipped on the way
        for at in range(0, len(p), 64):
            os.write(master, p[at : at + 64])
    until(lambda: source.stream.head >= 1900)
    time.sleep(0.1)
    rows, stats = source.stream.read(), source.stream.stats
    assert len(rows) == 1900 and source.broken == 2 and stats["lost"] == 100
    assert np.array_equal(rows["b"][:100], values[:, 1])
    source.close()


def test_lines(line):
    master, port = line
    source = connect(f"serial:{port}?kind=csv&baud=9600", channels=CHANNELS).source.start()
    os.write(master, b"# a, b, c\n1,2,3\n4, 5.5, -6e-1\r\nhello\n1,2\n7,8,9")
    until(lambda: source.stream.head == 2)
    os.write(master, b"\n")
    until(lambda: source.stream.head == 3)
    assert source.stream.read()["c"].tolist() == [3, -0.6, 9]
    assert sum(v for k, v in source.stream.stats.items() if " " in k) == 2
    source.close()


@pytest.mark.parametrize(
    "text",
    [
        *(b"1,2],[3,4", b"1,2,3],[4,5,6", b'1,2,3]],"n":5,"x":[[1', b"[1],2,3", b'"a",2,3', b"1,,2,3", b"1 2,3,4"),
        *(b"true,1,2", b"{},1,2", b"1,2,3\x00", b"1,2,3,", b"NaN,1,2", b"+1,2,3", b"1.,2,3", b'{"t":1,"s":[[1,2,3]]}'),
    ],
)
def test_a_line_never_makes_two_rows(text):
    """What is more than numbers and commas is broken; it is counted and no row comes of it."""
    source = Serial("/dev/null", CHANNELS, kind="csv")
    source._line(text)
    stats = source.stream.stats
    assert source.stream.head == 0 and source.broken == 1
    assert sum(v for k, v in stats.items() if " " in k) == 1


numbers = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e30, 1e30), st.none())


@given(st.lists(numbers, min_size=3, max_size=3), st.text(" \t", max_size=2))
def test_a_line_of_numbers_is_a_row(values, blank):
    source = Serial("/dev/null", CHANNELS, kind="csv")
    source._line(f",{blank}".join("null" if v is None else repr(v) for v in values).encode())
    row = source.stream.read()
    want = [np.nan if v is None else v for v in values]
    assert len(row) == 1 and np.allclose([row[c][0] for c in CHANNELS], want, rtol=1e-9, atol=1e-300, equal_nan=True)


@given(st.binary(max_size=40) | st.text('0123456789,.-+eE[]{}":ntsul \t', max_size=40).map(str.encode))
def test_any_line_makes_one_row_at_most(text):
    source = Serial("/dev/null", ("a",), kind="csv")
    source._line(text)
    assert source.stream.head <= 1


def test_endless_noise_is_bounded(line):
    master, port = line
    source = Serial(port, CHANNELS).start()
    for _ in range(200):
        os.write(master, b"\x55" * 1024)
    until(lambda: source.broken >= 2)
    os.write(master, b"\0" + cobs_packet(frame(np.ones((2, 3)), 0, 1, 0)))
    until(lambda: source.stream.head == 2)
    source.close()


def test_wrong_ports(tmp_path):
    with pytest.raises(FileError, match="expected a serial port"):
        Serial(str(tmp_path / "none"), CHANNELS).start()
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="expected a serial port"):
        Serial(str(tmp_path / "file"), CHANNELS).start()
    with pytest.raises(ValueError, match="baud"):
        Serial("/dev/null", CHANNELS, baud=12345).start()
    for baud in ("abc", "-1", "1e6", "", "9" * 5000, 1.5):
        with pytest.raises(ValueError, match="baud: expected a rate"):
            connect(f"serial:/dev/null?baud={baud}", channels=CHANNELS)
    with pytest.raises(ValueError, match="cobs or csv"):
        Serial("/dev/null", CHANNELS, kind="xml")
