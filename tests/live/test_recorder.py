"""Recorders: what was acknowledged is stored whatever is around it: other processes, clocks, sizes, births, forks."""

import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.oracle import CHANNELS, Books, Device, quiet

from polepair.errors import StoreError
from polepair.live import recorder as recorder_module
from polepair.live.recorder import Retention, journal_of
from polepair.live.store import Recorder, Store, recover
from polepair.live.streams import AGAIN, Format, Stream, frame

DAY = 86400.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.ppdb"


def stored(path, name=None):
    with Store(path) as store:
        return store.read(name)


def test_frames_of_every_size_and_numbers_beyond_32_bits(path):
    s = Stream(("a",), "frame")
    recorder = Recorder(path, s)
    at, sizes = 2**32 - 70_000, [100, 16384, 16385, 65535, 1, 4096, 4097] + [100] * 50
    for size in sizes:
        ids = np.arange(at, at + size, dtype=float)
        assert s.push(frame(ids[:, None], at * 1000, 1000, at & 0xFFFFFFFF, 7, "float64"))
        at += size
    recorder.close()
    rows = stored(path)
    assert recorder.error is None and len(rows) == sum(sizes)
    assert np.array_equal(rows["a"], np.arange(2**32 - 70_000, at)) and np.array_equal(rows.seq, rows["a"].astype(int))
    assert s.stats["duplicates"] == s.stats["lost"] == s.stats["restarts"] == 0


def test_a_boot_number_in_ram(path):
    """The same boot number after each start: the numbers and times of one life are not those of another."""
    for uptime in (False, True):
        for life in (400, 5000):
            s = Stream(("a",), "frame", 1 << 16)
            at = 10**18
            for k in range(3):
                clock = 7 * k if uptime else at
                for n in range(0, life, 100):
                    values = np.full((100, 1), 1000.0 * k + n / 100)
                    assert s.push(frame(values, clock + n * 1000, 1000, n, 0))
                at += 10**12
            assert s.head == 3 * life and s.stats["restarts"] == 2, (uptime, life)


def test_sparkplug_births_before_the_recorder_and_before_a_restart(path, monkeypatch):
    quiet(monkeypatch)
    device = Device("sparkplug")
    books = Books(path, "fast", device, [])
    books.stream = Stream(CHANNELS, device.format())
    books.stream.push(device.message([1]))  # nobody records yet
    books.recorder = Recorder(path, books.stream)
    for n in range(2, 1002):
        books.send([n])
    for drained in (False, True):
        if drained:
            books.recorder.drain()
        books.kill()
        books.open()
        for n in range(100):
            books.send([2000 + 1000 * drained + n])
    books.close()
    books.check()
    assert len(books.acknowledged) == 1200


def test_other_scales_and_formats_after_a_restart(path, monkeypatch):
    quiet(monkeypatch)
    device = Device("scaled")
    books = Books(path, "fast", device, [])
    for scale in (0.25, 0.5, 1.0):
        device.scale = scale
        books.open()
        first = int(1000 * scale)
        for n in range(50):
            books.send([first + n])
        books.kill()
    device.kind = "json"
    books.open()
    books.send([5000])
    books.close()
    books.check()
    assert len(books.acknowledged) == 151


@pytest.mark.parametrize("keep", [0.0, -1.0, math.inf, math.nan])
def test_retention_wants_a_time(path, keep):
    with pytest.raises(ValueError, match="expected a positive number of seconds"):
        Recorder(path, Stream(CHANNELS, "json"), keep=keep)
    assert not path.exists()


def test_retention_is_by_arrival(path):
    """The device's clock counts from its start; what it says is no age."""
    now = time.time_ns()
    for n, age in enumerate((10_000, 7200, 10)):
        s = Stream(CHANNELS, "json")
        recorder = Recorder(path, s, keep=3600.0)
        s.push(b'{"n":%d,"t":%d,"a":%d,"b":0}' % (n, n, n), now - age * 10**9)
        recorder.close()
    other = Stream(CHANNELS, "json")
    recorder = Recorder(path, other, "slow")  # keeps all
    other.push(b'{"a":1,"b":2}', now - 10**15)
    recorder.close()
    Recorder(path, Stream(CHANNELS, "json"), keep=3600.0).close()
    assert stored(path, "fast")["a"].tolist() == [2.0] and len(stored(path, "slow")) == 1


def test_a_clock_that_jumps_deletes_nothing(monkeypatch):
    wall, mono = [10**18], [1000.0]
    monkeypatch.setattr(recorder_module.time, "time_ns", lambda: wall[0])
    monkeypatch.setattr(recorder_module.time, "monotonic", lambda: mono[0])

    def pass_by(seconds, jump=0.0):
        mono[0] += seconds
        wall[0] += int((seconds + jump) * 1e9)

    retention = Retention(7 * DAY)
    assert retention.before() == 10**18 - int(7 * DAY * 1e9)
    pass_by(1, jump=400 * DAY)
    assert retention.before() is None
    pass_by(1, jump=-400 * DAY)
    assert retention.before() is None
    pass_by(599)
    assert retention.before() is None
    pass_by(2)
    assert retention.before() == wall[0] - int(7 * DAY * 1e9)
    absent = Retention(7 * DAY, newest=wall[0] - int(60 * DAY * 1e9))  # a clock that is wrong from the start
    assert absent.before() is None
    pass_by(601)
    assert absent.before() is not None
    assert Retention(None).before() is None


def test_a_child_changes_nothing(path):
    s = Stream(CHANNELS, "json")
    recorder = Recorder(path, s)
    push = b'{"n":%d,"a":%d,"b":-1}'
    for n in range(100):
        assert s.push(push % (n, n))
    child = os.fork()
    if child == 0:
        wrong = 0
        for use in (lambda: s.push(push % (500, 500)), lambda: s.core.journal(None, b""), recorder.close):
            try:
                use()
            except (RuntimeError, StoreError):
                continue
            wrong += 1
        del s, recorder
        os._exit(wrong)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(StoreError, match="is being recorded by process"):
        Recorder(path, Stream(CHANNELS, "json"))  # the lock is still the parent's
    assert s.push(push % (100, 100))
    recorder.close()
    assert recorder.error is None and stored(path)["a"].tolist() == list(range(101))


def test_recorders_close_beside_pushing_threads(path):
    """A stream is pushed to all the time; what was pushed between opening and closing is stored."""
    script = """
import sys, threading, time
from polepair.live.store import Recorder
from polepair.live.streams import Stream
s, done, kept = Stream(("a",), "json"), threading.Event(), []
def push(k):
    n = k
    while not done.is_set():
        s.push(b'{"a":%d}' % n)
        n += 2
        time.sleep(1e-4)
threads = [threading.Thread(target=push, args=(k,)) for k in range(2)]
[t.start() for t in threads]
for _ in range(30):
    r = Recorder(sys.argv[1], s, segment_bytes=1 << 16)
    before = s.head
    s.wait(before, 1.0)
    r.close()
    assert r.error is None, r.error
done.set()
[t.join() for t in threads]
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=120)
    kept = stored(path)["a"]
    assert len(set(kept.tolist())) == len(kept) > 30 and not journal_of(path).exists()


def test_what_is_left_is_found_without_a_recorder(path, monkeypatch):
    """export and verify store first what a killed recorder left, each stream by its own description."""
    quiet(monkeypatch)
    books = [Books(path, name, Device(kind), []) for name, kind in (("fast", "frame"), ("slow", "sparkplug"))]
    for k, b in enumerate(books):
        b.open()
        for n in range(100):
            b.send([1000 * k + n + 1])
    for b in books:
        b.kill()
    assert recover(path) == [] and not journal_of(path).exists()
    for b in books:
        b.check()


def test_a_recorder_ends_well_on_sigterm(path):
    script = (
        "import sys, time, signal\nfrom polepair.cli import recording\nfrom polepair.live.streams import Stream\n"
        "from polepair.live.store import Recorder\nsignal.signal(signal.SIGTERM, recording._stop)\n"
        "s = Stream(('a',), 'json'); r = Recorder(sys.argv[1], s)\nprint('up', flush=True)\n"
        "n = 0\ntry:\n  while True:\n    s.push(b'{\"a\":%d}' % n); n += 1; time.sleep(1e-4)\n"
        "except KeyboardInterrupt:\n  r.close(); print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    count = int(process.communicate(timeout=30)[0])
    assert process.returncode == 0 and len(stored(path)) in (count, count + 1)


def test_reformat_wants_the_same_channels():
    s = Stream(CHANNELS, "json")
    with pytest.raises(ValueError, match="the same channels"):
        s.core.reformat(Stream(("a",), "json").core)
    s.reformat(Format("frame", scales={"a": 0.5}))
    s.push(frame(np.array([[3.0, 4.0]]), 0, 1, 0, encoding="int16", scales=[0.5, 1.0]))
    assert s.read()["a"].tolist() == [3.0]


def test_a_slow_reader_does_not_hold_up_the_store(path):
    """Somebody reads chunk by chunk while rows come: the write-ahead log is tidied up all the same."""
    s = Stream(("a",), "frame")
    recorder = Recorder(path, s)
    log = path.with_name("x.ppdb-wal")

    def record(first, messages):
        for k in range(first, first + messages):
            assert s.push(frame(np.full((1000, 1), float(k)), 10**9 * k, 1000, 1000 * k))
        recorder.drain()

    record(0, 100)
    with Store(path) as store:
        reading = store.chunks()
        seen = len(next(reading))
        sizes = []
        for k in range(100, 1000, 100):
            record(k, 100)
            sizes.append(log.stat().st_size)
        seen += sum(map(len, reading))
    recorder.close()
    assert max(sizes) < 2 << 20 and seen == 10**6 == len(stored(path))


def test_an_export_is_larger_than_memory(path, tmp_path):
    """Chunk by chunk: what is held at once does not grow with the recording."""
    s = Stream(("a", "b", "c", "d"), "frame")
    recorder = Recorder(path, s)
    for k in range(300):
        s.push(frame(np.random.default_rng(k).normal(size=(4000, 4)), 10**10 * k, 1000, 4000 * k, encoding="float64"))
    recorder.close()
    script = (
        "import sys, resource\nimport pyarrow.parquet\nfrom polepair.live.store import Store, export\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with Store(sys.argv[1]) as s:\n    n = export(s.stream().channels, s.chunks(), sys.argv[2])\n"
        "print(n, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)\n"
    )
    for name in ("x.parquet", "x.csv"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(path), str(tmp_path / name)], capture_output=True, text=True, check=True
        )
        rows, megabytes = done.stdout.split()
        assert int(rows) == 1_200_000 and float(megabytes) < 60, name  # the values alone are 67 MB


def test_one_recorder_for_a_live_stream(path, tmp_path):
    """Two files for one stream would each get a part of it."""
    s = Stream(CHANNELS, "json")
    first = Recorder(path, s)
    with pytest.raises(ValueError, match="this stream is being recorded already"):
        Recorder(tmp_path / "y.ppdb", s)
    assert s.push(b'{"a":1,"b":2}')
    first.close()
    Recorder(tmp_path / "y.ppdb", s).close()
    assert len(stored(path)) == 1


def test_paths_are_kept_and_followed(tmp_path, monkeypatch):
    """A working folder that changes and a link to the store: one file, one journal, one lock."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    s = Stream(CHANNELS, "frame")
    recorder = Recorder("x.ppdb", s, segment_bytes=1 << 15)
    monkeypatch.chdir(tmp_path / "elsewhere")
    for k in range(100):
        assert s.push(frame(np.full((100, 2), k), k, 1, 100 * k))
    (tmp_path / "link.ppdb").symlink_to(tmp_path / "x.ppdb")
    with pytest.raises(StoreError, match="is being recorded by"):
        Recorder(tmp_path / "link.ppdb", Stream(CHANNELS, "frame"))
    recorder.close()
    assert recorder.error is None and len(stored(tmp_path / "x.ppdb")) == 10_000
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_journal_without_room_is_told(path):
    """What is refused is not acknowledged, and the recorder says that it happens."""
    s = Stream(CHANNELS, "frame")
    recorder = Recorder(path, s, segment_bytes=1 << 15)
    away = path.with_name("away")
    recorder.folder.rename(away)
    k = 0
    while s.push(frame(np.full((100, 2), k), 100 * k, 1, 100 * k)):
        k += 1
    for _ in range(100):
        if recorder.error and "were not taken" in recorder.error:
            break
        s.push(b"\x50")  # nothing
        assert not s.push(frame(np.full((100, 2), k), 100 * k, 1, 100 * k))
        time.sleep(0.02)
    else:
        pytest.fail("not told")
    away.rename(recorder.folder)
    assert s.push(frame(np.full((100, 2), k), 100 * k, 1, 100 * k))
    recorder.close()
    assert recorder.error is None and len(stored(path)) == 100 * (k + 1)


def test_streams_that_start_together_wait_for_each_other(path):
    """At start each stores what others left: whoever comes meanwhile is not told that it is being recorded."""
    script = (
        "import sys\nfrom polepair.live.store import Recorder\nfrom polepair.live.streams import Stream\n"
        "for k in range(6):\n    s = Stream(('a',), 'json')\n    r = Recorder(sys.argv[1], s, sys.argv[2])\n"
        '    [s.push(b\'{"n":%d,"a":1}\' % n) for n in range(300 * k, 300 * k + 300)]\n'
        "    if k % 2:\n        r.close()\n    else:\n        r._stop.set(); r._thread.join()\n"
        "        s.core.journal(None, b''); r.store.db.close(); r._lock.close()\n"
    )
    names = ("fast", "slow", "third")
    running = [subprocess.Popen([sys.executable, "-c", script, str(path), n], stderr=subprocess.PIPE) for n in names]
    assert [p.communicate(timeout=120)[1] for p in running] == [b""] * 3
    for name in names:
        assert len(stored(path, name)) == 1800


def test_a_broker_sends_much_again(path, monkeypatch):
    """More than the marks reach back: what the broker says it sent before is known by number and boot number."""
    quiet(monkeypatch)
    messages = [b'{"n":%d,"t":%d,"boot":7,"a":%d,"b":%d}' % (n, 1000 * n, n, -n) for n in range(6000)]
    taken = [m for n, m in enumerate(messages[:5000]) if not 10 <= n < 20]

    def live(sent, again):
        stream = Stream(CHANNELS, "json")
        recorder = Recorder(path, stream)
        for m in sent:
            assert stream.push(m, 10**18, again)
        return stream, recorder

    stream, recorder = live(taken, 0)
    recorder.drain()
    recorder._stop.set()
    stream.core.journal(None, b"")
    recorder.store.db.close()
    recorder._lock.close()
    stream, recorder = live(messages[:5000], AGAIN)  # the ten that were missing are among them
    for m in messages[5000:]:
        assert stream.push(m, 10**18)
    recorder.close()
    kept = stored(path)["a"].astype(int).tolist()
    assert sorted(kept) == list(range(6000)) and stream.stats["restarts"] == 0


@pytest.mark.parametrize("again", [0, AGAIN])
def test_a_number_that_came_is_not_enough(again):
    """Without a boot number, under a newer time, from before a gap that was given up: taken, not dropped."""
    bare = Stream(("a",), "json", 1 << 14)
    for life in range(2):
        for n in range(3000):
            bare.push(b'{"n":%d,"t":%d,"a":%d}' % (n, n + 7 * life, n + 10**6 * life), 0, again * life)
    assert bare.head == 6000
    counted = Stream(("a",), "json", 1 << 14)
    for life in range(2):
        for n in range(3000):
            message = b'{"n":%d,"t":%d,"boot":1,"a":%d}' % (n, 10**6 * life + n, n + 10**6 * life)
            counted.push(message, 0, again * life)
    assert counted.head == 6000 and counted.stats["restarts"] == 1
    holes = Stream(("a",), "json", 1 << 14)
    for n in [*range(0, 400, 2), *range(400, 3000)]:
        holes.push(b'{"n":%d,"t":%d,"boot":1,"a":%d}' % (n, n, n))
    for n in range(400):  # 200 gaps, of which 64 are remembered
        holes.push(b'{"n":%d,"t":%d,"boot":1,"a":%d}' % (n, n, n), 0, again)
    assert set(holes.read()["a"].tolist()) == set(range(3000))
