"""Segments of the journal: what damage costs, what a later process needs, and what earlier versions wrote."""

import sqlite3
import struct
import threading

import numpy as np
import pytest

from polepair import _core
from polepair.errors import StoreError
from polepair.live.backlog import about, segments
from polepair.live.database import SCHEMA
from polepair.live.store import Recorder, Store, recover
from polepair.live.streams import Format, Stream, frame

CHANNELS = ("a", "b")
WORDS = about("fast", CHANNELS)
HEADER, RECORD = 64, 24


def push(s, n):
    return s.push(b'{"n":%d,"t":%d,"a":%d,"b":0.5}' % (n, n * 1000, n), n)


def segment_of(folder, count, fmt="json", size=1 << 16, take=push, words=WORDS):
    """The bytes of one segment with so many messages, and where the records begin."""
    journal = _core.Journal(str(folder), size, 0, 0)
    s = Stream(CHANNELS, fmt)
    s.core.journal(journal, words)
    for n in range(count):
        assert take(s, n)
    (path,) = folder.glob("*.journal")
    data = bytearray(path.read_bytes())
    at, starts = HEADER, []
    while length := struct.unpack_from("<I", data, at)[0]:
        starts.append(at)
        at += RECORD + (length + 7) // 8 * 8
    return data, [*starts, at]


def rows_of(data, offset=0, decoder=None):
    """Values of channel a, and how many records are damaged or refused."""
    decoder = decoder or _core.Decoder(WORDS)
    kept, lost = [], 0
    while True:
        offset, _, _, _, columns, damaged, refused, ending = decoder.read(bytes(data), offset, 4096, True, 1)
        kept += columns[0].tolist() if columns else []
        lost += damaged + refused
        if ending != "rows":
            return kept, lost, ending


def test_one_flipped_bit_costs_one_record_and_is_told(tmp_path):
    data, starts = segment_of(tmp_path, 12)
    for at in range(starts[-1]):
        damaged = data.copy()
        damaged[at] ^= 1 << at % 8
        kept, lost, ending = rows_of(damaged)
        assert ending == "end" and len(kept) >= 11 and kept == sorted(set(kept)) and set(kept) <= set(range(12)), at
        assert lost >= 1 or len(kept) == 12, at
        if at < HEADER:
            assert len(kept) == 12, at  # there are two headers
        elif at < starts[2]:
            assert len(kept) == 12, at  # and two descriptions


def test_records_cut_out_moved_or_torn(tmp_path):
    data, starts = segment_of(tmp_path, 12)
    third, fourth = starts[4], starts[5]
    cut = data[:third] + data[fourth:] + bytes(fourth - third)
    kept, lost, _ = rows_of(cut)
    assert set(kept) <= set(range(12)) and lost >= 1, "moved records fit nowhere else"
    for end in range(starts[2], starts[-1], 3):
        kept, lost, _ = rows_of(data[:end])
        assert kept == list(range(len(kept))) and len(kept) >= sum(s <= end for s in starts) - 4
    for junk in (b"", b"x" * 100, bytes(data[:63]), bytes(200)):
        with pytest.raises(ValueError):
            rows_of(junk)


def test_a_message_cannot_pretend_to_be_a_record(tmp_path):
    """Damage makes the reader look for the next whole record; what a device sent is none."""
    data, starts = segment_of(tmp_path, 3)
    inner = bytes(data[starts[3] : starts[4]])  # a record as it stands in a segment, sent as a JSON comment would be

    def take(s, n):
        return s.push(b'{"n":%d,"a":7,"b":7,"x":"' % n + inner.hex().encode() + b'"}') and push(s, n + 100)

    other = tmp_path / "other"
    other.mkdir()
    packed = Format("frame")

    def send(s, n):
        values = np.frombuffer(inner.ljust((len(inner) + 7) // 8 * 8, b"\0"), "<f8").reshape(-1, 1)
        values = np.nan_to_num(np.hstack([values, values]))
        return s.push(frame(values, 10**9 * n, 1000, n * 100, encoding="float64"))

    data, starts = segment_of(other, 3, packed, take=send)
    for at in range(starts[3], starts[3] + 40):
        damaged = data.copy()
        damaged[at] ^= 0x10
        kept, _, _ = rows_of(damaged)
        assert len(kept) in (2 * len(inner) // 8, 2 * ((len(inner) + 7) // 8), 3 * ((len(inner) + 7) // 8))
    assert take


def test_a_message_larger_than_a_segment(tmp_path):
    journal = _core.Journal(str(tmp_path), 1 << 14, 0, 0)
    s = Stream(CHANNELS, "frame", 1 << 20)
    s.core.journal(journal, WORDS)
    assert all(s.push(frame(np.full((n, 2), n), n, 1000, n)) for n in (1, 5000, 60000, 1))
    total = 0
    for number in segments(tmp_path):
        kept, lost, _ = rows_of((tmp_path / f"{number:016x}.journal").read_bytes())
        total += len(kept)
        assert lost == 0
    assert total == 65002 - 0 and s.stats["unjournaled"] == 0


def old_segment(messages, number=1):
    """As version 1 wrote them: one header, records with the stream's number, a checksum without salt."""
    out = bytearray(b"PPJRNL1\n" + struct.pack("<Q", 1)).ljust(HEADER, b"\0")
    for k, message in enumerate(messages):
        head = struct.pack("<qiI", k, number, 0)
        check = _core.crc32c(head, message) ^ 0xFFFFFFFF ^ len(message)
        body = struct.pack("<II", len(message), check) + head + message
        out += body.ljust(RECORD + (len(message) + 7) // 8 * 8, b"\0")
    return bytes(out.ljust(1 << 15, b"\0"))


def old_store(path):
    """As version 1 made it: a stream, a chunk of two rows, the place behind the first of its journal's records."""
    db = sqlite3.connect(path)
    db.executescript(f"{SCHEMA} PRAGMA user_version=1;")
    fmt = '{"kind":"json","names":{},"keys":{"t":"time","n":"seq"},"scales":{},"time_unit":"ns","seq_per_sample":null,'
    values = ("fast", '["a", "b"]', fmt + '"aliases":{}}')
    db.execute("INSERT INTO stream (name, channels, format, created) VALUES (?,?,?,0)", values)
    whole = np.array([5, 1], "<i8").tobytes()
    data = np.array([[-2, -1], [0.5, 0.5]], "<f4").tobytes()
    db.execute("INSERT INTO chunk VALUES (1,5,6,2,?,?,?,?)", (whole, whole, whole, data))
    db.commit()
    db.close()


def test_journals_of_version_1_are_stored(tmp_path):
    path, folder = tmp_path / "x.ppdb", tmp_path / "x.ppdb.journal"
    old_store(path)
    with Store(path) as store:  # as it is, by reading
        assert store.read()["a"].tolist() == [-2, -1] and store.version == 1
    folder.mkdir()
    messages = [b'{"n":%d,"t":%d,"a":%d,"b":0.5}' % (n, n * 1000, n) for n in range(50)]
    (folder / "0000000000000001.journal").write_bytes(old_segment(messages))
    (folder / "0000000000000002.journal").write_bytes(old_segment(messages, 9))  # of a stream that nobody knows
    stream = Stream(CHANNELS, "json")
    recorder = Recorder(path, stream)
    push(stream, 50)
    recorder.close()
    assert not recorder.faults and not folder.exists()
    with Store(path) as store:
        assert store.read()["a"].tolist() == [-2, -1, *range(51)] and store.version == 3
    folder.mkdir()
    (folder / "0000000000000003.journal").write_bytes(old_segment(messages))
    assert "found after the store had moved on" in recover(path)[0]
    assert [p.name for p in folder.iterdir()] == ["0000000000000003.damaged"]


def test_what_cannot_be_read_is_kept_and_told(tmp_path):
    path, folder = tmp_path / "x.ppdb", tmp_path / "x.ppdb.journal"
    Recorder(path, Stream(CHANNELS, "json")).close()
    folder.mkdir()
    whole, _ = segment_of(folder, 10)
    (first,) = folder.glob("*.journal")
    first.unlink()
    foreign, _ = segment_of(folder, 10, words=about("slow", CHANNELS))
    (first,) = folder.glob("*.journal")
    first.unlink()
    later = bytes(whole).replace(b"PPJRNL2\n", b"PPJRNL3\n")
    names = [f"0001{k:012x}.journal" for k in range(1, 6)]
    for name, data in zip(names, (later, foreign, b"", b"short", b"x" * 100), strict=True):
        (folder / name).write_bytes(data)
    (folder / "notes.journal").write_text("not ours")
    recorder = Recorder(path, Stream(CHANNELS, "json"))
    push(recorder._stream, 1)
    recorder.close()
    kept = sorted(p.name for p in folder.iterdir())
    assert kept == sorted([*(n.replace("journal", "damaged") for k, n in enumerate(names) if k != 2), "notes.journal"])
    assert len(recorder.faults) == 4 and all("nothing of the rest is stored" in f for f in recorder.faults)
    with Store(path) as store:
        assert store.read()["a"].tolist() == [1]


def test_damaged_segments_stay_beside_what_is_stored(tmp_path):
    path, folder = tmp_path / "x.ppdb", tmp_path / "x.ppdb.journal"
    Recorder(path, Stream(CHANNELS, "json")).close()
    folder.mkdir()
    data, starts = segment_of(folder, 10)
    (segment,) = folder.glob("*.journal")
    data[starts[5] + 30] ^= 1
    (folder / "0001000000000001.journal").write_bytes(data)
    segment.unlink()
    faults = recover(path)
    assert len(faults) == 1 and "1 records damaged" in faults[0] and "the rest is stored" in faults[0]
    assert [p.name for p in folder.iterdir()] == ["0001000000000001.damaged"]
    with Store(path) as store:
        assert store.read()["a"].tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9] and store.stream("fast").damaged == 1
    assert recover(path) == []  # told once, and not stored twice


def test_a_segment_appears_whole(tmp_path):
    """However often somebody looks: never one without its description."""
    journal = _core.Journal(str(tmp_path), 1 << 14, 0, 0)
    s = Stream(CHANNELS, "json")
    s.core.journal(journal, WORDS)
    done = threading.Event()

    def look():
        while not done.is_set():
            for number in segments(tmp_path):
                data = (tmp_path / f"{number:016x}.journal").read_bytes()
                assert _core.Decoder(WORDS).read(data, 0, 1, False, 1)[7] in ("rows", "end")

    looker = threading.Thread(target=look)
    looker.start()
    for n in range(5000):
        push(s, n)
    done.set()
    looker.join()
    assert len(segments(tmp_path)) > 10


def test_descriptions(tmp_path):
    s = Stream(CHANNELS, Format("sparkplug", aliases={3: "a"}))
    whole = s.core.describe(WORDS)
    assert _core.Decoder(WORDS, whole).state() == whole
    with pytest.raises(ValueError, match="of another stream"):
        _core.Decoder(about("slow", CHANNELS), whole)
    for end in range(len(whole)):
        with pytest.raises(ValueError):
            _core.Decoder(WORDS, whole[:end])
    with pytest.raises(ValueError, match="another version"):
        _core.Decoder(WORDS, b"\2" + whole[1:])
    for at in range(len(whole)):
        for bit in (1, 128):
            changed = bytearray(whole)
            changed[at] ^= bit
            try:
                _core.Decoder(WORDS, bytes(changed)).state()
            except ValueError:
                continue
    with pytest.raises(ValueError, match="at most"):
        s.core.describe(bytes(1 << 16))


def test_one_recorder_for_a_stream_and_many_for_a_file(tmp_path):
    path = tmp_path / "x.ppdb"
    fast, slow = Stream(CHANNELS, "json"), Stream(("a",), "json")
    first = Recorder(path, fast)
    second = Recorder(path, slow, "slow")
    with pytest.raises(StoreError, match=r"stream fast is being recorded by process \d+ on "):
        Recorder(path, Stream(CHANNELS, "json"))
    for n in range(3000):
        push(fast, n)
        slow.push(b'{"n":%d,"a":%d}' % (n, n))
    first.close()
    push(slow, 5000)
    second.close()
    assert first.error is second.error is None and not first.folder.exists()
    with Store(path) as store:
        assert store.streams == {"fast": 3000, "slow": 3001}
        assert store.read("slow")["a"].tolist() == [*range(3000), 5000]
    Recorder(path, Stream(CHANNELS, "json")).close()  # the lock is gone with its owner
