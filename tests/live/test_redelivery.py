"""What a broker sends again after long absences: thousands of messages, from devices without a boot number too."""

import sqlite3
import struct

import pytest
from support.oracle import Books, Device, quiet

from polepair import _core
from polepair.errors import StoreError
from polepair.live.recorder import Recorder
from polepair.live.store import Store
from polepair.live.streams import AGAIN, Stream
from polepair.live.verify import verified

DEEP, RECENT, MARK = 16384, 1024, 8
CHANNELS = ("a", "b")


@pytest.fixture
def path(memory_disk, monkeypatch):
    quiet(monkeypatch)
    return memory_disk / "deep.ppdb"


def bare(n: int, a: float) -> bytes:
    """Of a device without clock and boot number."""
    return b'{"n":%d,"a":%g,"b":%g}' % (n, a, -a)


def opened(path) -> tuple[Stream, Recorder]:
    stream = Stream(CHANNELS, "json", 1 << 15)
    return stream, Recorder(path, stream)


def stored(path) -> list[float]:
    with Store(path) as store:
        return store.read()["a"].tolist()


def kept(path) -> tuple[int, int]:
    """Marks in a store, and the bytes of the state beside them."""
    db = sqlite3.connect(path)
    marks = db.execute("SELECT coalesce(sum(length(marks)), 0) FROM mark").fetchone()[0] // MARK
    state = db.execute("SELECT length(state) FROM stream").fetchone()[0]
    db.close()
    return marks, state


@pytest.mark.parametrize("between", ["nothing", "drain", "kill", "end"])
@pytest.mark.parametrize("kind", Device.kinds)
def test_ten_thousand_messages_sent_again_are_stored_once(path, kind, between):
    """All that a broker kept comes, the link is lost before it has heard, and all of it comes once more."""
    books = Books(path, "fast", Device(kind, boot=None), [])
    books.open()
    for n in range(10_000):
        assert books.send([n + 1])
    if between == "drain":
        books.recorder.drain()
    elif between != "nothing":
        books.kill() if between == "kill" else books.close()
        books.open()
    head = books.stream.head
    for _ in range(2):
        books.again(10_000)
        assert books.stream.head == head
    assert books.stream.stats["duplicates"] == 20_000
    for n in range(10_000, 10_100):
        assert books.send([n + 1])
    books.close()
    books.check()


@pytest.mark.parametrize("between", ["nothing", "drain", "kill", "end"])
def test_a_device_that_counts_anew_with_equal_content_is_kept(path, between):
    """Not sent before, says the broker: then it is another message, whatever was said long ago."""
    stream, recorder = opened(path)
    for n in range(RECENT + 1000):
        assert stream.push(bare(n, 0.5))
    if between == "drain":
        recorder.drain()
    elif between != "nothing":
        recorder.close()
        stream, recorder = opened(path)
    head = stream.head
    for n in range(RECENT + 1000):
        assert stream.push(bare(n, 0.5))
    assert stream.head == head + RECENT + 1000 and stream.stats["duplicates"] == 0
    recorder.close()
    assert len(stored(path)) == 2 * (RECENT + 1000)


def test_a_stream_and_its_store_agree_on_what_is_too_long_ago(path):
    """One message beyond what is known may come twice; never may the store drop what live took."""
    stream, recorder = opened(path)
    for n in range(DEEP + 10):
        assert stream.push(bare(n, n))
    recorder.drain()
    for n in (11, 10, 9, DEEP + 9):
        assert stream.push(bare(n, n), 10**18, AGAIN)
    assert stream.stats["duplicates"] == 3
    recorder.close()
    assert stored(path) == [*range(DEEP + 10), 9]


def test_marks_are_stored_once_and_pruned(path):
    """However many messages and commits: the state of a commit stays small, and the marks so many."""
    stream, recorder = opened(path)
    for n in range(3 * DEEP):
        assert stream.push(bare(n, n))
        if n % 500 == 0:
            recorder.drain()
    recorder.drain()
    marks, state = kept(path)
    assert DEEP <= marks <= DEEP + 500 and state < 3000
    recorder.drain()
    assert kept(path) == (marks, state)
    recorder.close()


def test_marks_outlive_a_commit_that_fails(path, monkeypatch):
    stream, recorder = opened(path)
    for n in range(3000):
        assert stream.push(bare(n, n))
    whole = Store._insert

    def full(self, number, ready):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "_insert", full)
    with pytest.raises(StoreError, match="full"):
        recorder.drain()
    assert kept(path)[0] == 0
    monkeypatch.setattr(Store, "_insert", whole)
    recorder.drain()
    assert kept(path)[0] == 3000
    recorder.close()
    stream, recorder = opened(path)
    for n in range(3000):
        assert stream.push(bare(n, n), 10**18, AGAIN)
    assert stream.stats["duplicates"] == 3000
    recorder.close()


def test_a_store_of_version_2_moves_on_with_its_marks(path):
    """It had them in the state of its stream."""
    stream, recorder = opened(path)
    for n in range(1500):
        assert stream.push(bare(n, n))
    recorder.close()
    db = sqlite3.connect(path)
    segment, offset, state = db.execute("SELECT segment, offset, state FROM stream").fetchone()
    marks = db.execute("SELECT marks FROM mark").fetchone()[0]
    assert state[-4:] == bytes(4) and len(marks) == 1500 * MARK
    state = state[4:-4] + struct.pack("<i", 1500) + marks
    state = struct.pack("<I", _core.crc32c(struct.pack("<qq", segment, offset), state)) + state
    db.execute("UPDATE stream SET state=?", (state,))
    db.execute("DROP TABLE mark")
    db.execute("PRAGMA user_version=2")
    db.commit()
    db.close()
    assert len(stored(path)) == 1500  # as it is, by reading
    for later in range(2):
        stream, recorder = opened(path)
        for n in range(1500):
            assert stream.push(bare(n, n), 10**18, AGAIN)
        assert stream.stats["duplicates"] == 1500
        assert stream.push(bare(1500 + later, 1500 + later))
        recorder.close()
        assert kept(path)[0] == 1501 + later and kept(path)[1] < 3000
    assert stored(path) == [*range(1502)]


@pytest.mark.parametrize("damage", ["marks=x'00'", "crc=crc+1", "place='x'", "marks='text'", "place=place+1"])
def test_damaged_marks_are_told_and_cost_only_themselves(path, damage):
    stream, recorder = opened(path)
    for n in range(100):
        assert stream.push(bare(n, n))
    recorder.drain()
    for n in range(100, 200):
        assert stream.push(bare(n, n))
    recorder.close()
    db = sqlite3.connect(path)
    db.execute(f"UPDATE mark SET {damage} WHERE place=100")
    db.commit()
    db.close()
    assert "marks of messages are damaged" in verified(path).chunks[0]
    stream, recorder = opened(path)
    assert "marks of messages are damaged" in recorder.faults[0]
    for n in range(100, 200):
        assert stream.push(bare(n, n), 10**18, AGAIN)
    assert stream.stats["duplicates"] == 100 and stream.push(bare(200, 200))
    recorder.drain()
    assert recorder.error is None
    recorder.close()
    assert stored(path) == [*range(201)]
