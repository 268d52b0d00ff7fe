"""The journal and the store: what was acknowledged is there after a kill, once; full disks, old files, retention."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from support.disks import fill_up

from polepair import _core
from polepair.errors import StoreError
from polepair.live.store import Recorder, Store, write_rows
from polepair.live.streams import Format, Stream

CHANNELS = ("a", "b")
WRITER = """
import sys
from polepair.live.store import Recorder
from polepair.live.streams import Stream
s = Stream(("a", "b"), "json", 4096)
r = Recorder(sys.argv[1], s, segment_bytes=1 << 16)
n = int(sys.argv[2])
while True:
    s.push(b'{"n":%d,"t":%d,"a":%d,"b":-1}' % (n, n * 1000, n))
    print(n, flush=True)  # the acknowledgement
    n += 1
"""


def push(s, n):
    return s.push(b'{"n":%d,"t":%d,"a":%d,"b":0.5}' % (n, n * 1000, n))


def test_rows_come_back(tmp_path):
    s = Stream(CHANNELS, "json")
    recorder = Recorder(tmp_path / "x.ppdb", s)
    for n in range(10_000):
        push(s, n)
    recorder.close()
    assert recorder.error is None and not (tmp_path / "x.ppdb.journal").exists()
    with Store(tmp_path / "x.ppdb") as store:
        rows = store.read()
        assert store.streams == {"fast": 10_000}
        assert np.array_equal(rows["a"], np.arange(10_000)) and np.array_equal(rows.time, np.arange(10_000) * 1000)
        assert np.array_equal(rows.seq, np.arange(10_000)) and (np.diff(rows.arrival) >= 0).all()
        assert len(store.read(start=5_000_000, end=6_000_000)) == 1000
    for name in ("x.parquet", "x.csv"):
        write_rows(rows, tmp_path / name)
    assert (tmp_path / "x.csv").read_text().splitlines()[2].startswith("1000,1,")
    with pytest.raises(StoreError, match="expected .parquet"):
        write_rows(rows, tmp_path / "x.xls")


def test_a_store_is_gone_on_with(tmp_path):
    for first in (0, 100):
        s = Stream(CHANNELS, "json")
        recorder = Recorder(tmp_path / "x.ppdb", s)
        for n in range(max(0, first - 30), first + 100):  # the broker sends again what it is not sure of
            push(s, n)
        recorder.close()
    with Store(tmp_path / "x.ppdb") as store:
        assert np.array_equal(store.read()["a"], np.arange(200))


def kill_once(path, first, delay):
    """Starts a writer, kills it; the last number it acknowledged."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True)
    writer.stdout.readline()
    time.sleep(delay)
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split("\n")
    writer.wait()
    whole = [line for line in rest[:-1] if line]
    return int(whole[-1]) if whole else first


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path, kills):
    path, first, dice = tmp_path / "x.ppdb", 0, random.Random(3)
    for _ in range(kills):
        acknowledged = kill_once(path, first, dice.uniform(0.0, 0.9))
        first = max(0, acknowledged - 20)  # redelivery of some that were acknowledged
        s = Stream(CHANNELS, "json")
        Recorder(path, s).close()  # takes over what was journaled
        with Store(path) as store:
            kept = store.read()["a"].astype(int)
        assert len(set(kept)) == len(kept) and set(range(acknowledged + 1)) <= set(kept)
        first = max(first, int(kept.max()) - 20)


def test_full_disk(small_disk):
    """What does not fit is not acknowledged; with room again it goes on, and nothing is lost."""
    s = Stream(CHANNELS, "json")
    recorder = Recorder(small_disk / "x.ppdb", s, segment_bytes=1 << 15)
    ballast, n, refused = small_disk / "ballast", 0, 0
    filled = False
    deadline = time.monotonic() + 300
    while n < 20_000 and time.monotonic() < deadline:
        if n == 3000 and not filled:
            filled = fill_up(ballast)
        if push(s, n):
            n += 1
        else:
            refused += 1
            ballast.unlink(missing_ok=True)
            time.sleep(0.05)
    assert filled and refused > 0 and n == 20_000 and s.stats["unjournaled"] == refused
    recorder.close()
    assert recorder.error is None
    with Store(small_disk / "x.ppdb") as store:
        assert np.array_equal(store.read()["a"], np.arange(20_000))


def test_the_journal_leaves_the_store_its_room(small_disk, monkeypatch):
    """However late the store comes, a full journal can be stored: the last of the disk is not the journal's to take."""
    monkeypatch.setattr("polepair.live.recorder.STORE_SECONDS", 1e9)
    s = Stream(CHANNELS, "json")
    recorder = Recorder(small_disk / "x.ppdb", s, segment_bytes=1 << 15)
    n = full = 0
    while n < 30_000:
        if push(s, n):
            n += 1
        else:
            full += 1
            before = recorder.backlog.segment, recorder.backlog.offset
            recorder.drain()
            assert (recorder.backlog.segment, recorder.backlog.offset) > before, "stuck"
    assert full > 1
    recorder.close()
    assert recorder.error is None
    with Store(small_disk / "x.ppdb") as store:
        assert np.array_equal(store.read()["a"], np.arange(30_000))
    with pytest.raises(StoreError, match="MB free"):
        Recorder(small_disk / "y.ppdb", Stream(CHANNELS, "json"))


def test_bad_stores(tmp_path):
    with pytest.raises(StoreError, match="no such file"):
        Store(tmp_path / "none.ppdb")
    (tmp_path / "text.ppdb").write_text("hello" * 1000)
    with pytest.raises(StoreError, match="text.ppdb"):
        Store(tmp_path / "text.ppdb")
    Store(tmp_path / "old.ppdb", create=True).close()
    db = sqlite3.connect(tmp_path / "old.ppdb")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StoreError, match="version 99"):
        Store(tmp_path / "old.ppdb")
    with Store(tmp_path / "x.ppdb", create=True) as store:
        store.number("fast", CHANNELS, Format("json"))
        with pytest.raises(StoreError, match="no stream slow"):
            store.read("slow")
        with pytest.raises(StoreError, match="channels a, b, expected the same"):
            store.number("fast", ("c",), Format("json"))
        assert len(store.read("fast")) == 0
    with pytest.raises(OSError):
        _core.Journal(str(tmp_path / "nowhere"), 1 << 16, 0, 0)
