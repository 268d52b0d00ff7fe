"""A serial line over a pty pair: COBS packets and CSV lines, whole, cut and damaged."""

import os
import pty
import time

import numpy as np
import pytest
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
    with pytest.raises(ValueError, match="cobs or csv"):
        Serial("/dev/null", CHANNELS, kind="xml")
