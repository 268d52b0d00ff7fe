"""Damaged stores: whatever happens to the bytes of one, it is told, or the rows are what was written."""

import os
import random
import sqlite3

import numpy as np
import pytest

from polepair.cli.main import main as cli
from polepair.errors import StoreError
from polepair.live.chunks import Chunk, Damaged, checksum, pack, unpack
from polepair.live.store import Recorder, Store, export
from polepair.live.streams import Rows, Stream, frame
from polepair.live.verify import verified

CHANNELS = ("a", "b", "c")
FLIPS = int(os.environ.get("STORE_FLIPS", "400"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store of two streams, some of it float64, and its rows."""
    path = tmp_path_factory.mktemp("whole") / "x.ppdb"
    dice = np.random.default_rng(5)
    for name, encoding in (("fast", "float64"), ("slow", "float32")):
        s = Stream(CHANNELS, "frame")
        recorder = Recorder(path, s, name)
        for k in range(12):
            values = dice.normal(size=(300, 3)) + 1e-3 * k
            s.push(frame(values, 10**18 + k * 10**9 + k % 3, 1000, 300 * k, encoding=encoding), 10**18 + k * k)
        recorder.close()
    with Store(path) as store:
        return path.read_bytes(), {name: store.read(name) for name in ("fast", "slow")}


def same(rows, other):
    return all(
        np.array_equal(x, y)
        for x, y in zip(
            (rows.time, rows.seq, rows.arrival, *rows.columns),
            (other.time, other.seq, other.arrival, *other.columns),
            strict=True,
        )
    )


def damages(data, dice):
    """A bit, a byte, a cut, an insertion, a page of zeros."""
    at = dice.randrange(len(data))
    kind = dice.randrange(5)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + dice.randbytes(1) + data[at + 1 :]
    if kind == 2:
        return data[:at]
    if kind == 3:
        return data[:at] + dice.randbytes(dice.randrange(1, 9)) + data[at:]
    return data[: at // 4096 * 4096] + bytes(4096) + data[at // 4096 * 4096 + 4096 :]


@pytest.mark.parametrize("flips", [FLIPS, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damage_is_told_or_harmless(whole, tmp_path, flips):
    data, rows = whole
    dice = random.Random(11)
    path = tmp_path / "x.ppdb"
    told = 0
    for k in range(flips):
        path.write_bytes(damages(data, dice))
        try:
            with Store(path) as store:
                assert set(store.streams) <= set(rows) or not store.rows_of_streams()
                for name in rows:
                    bad = []
                    kept = store.read(name, bad=bad)
                    assert bad or same(kept, rows[name]), k
                    told += bool(bad)
        except StoreError as e:
            told += 1
            assert "\n" not in str(e) and str(path) in str(e)
    assert told > flips / 4


def test_the_rest_of_a_damaged_store_is_there(whole, tmp_path, capsys):
    data, rows = whole
    path = tmp_path / "x.ppdb"
    path.write_bytes(data)
    db = sqlite3.connect(path)
    blob = db.execute("SELECT data FROM chunk WHERE rowid=1").fetchone()[0]
    db.execute("UPDATE chunk SET data=? WHERE rowid=1", (bytes([blob[0] ^ 1]) + blob[1:],))
    db.commit()
    db.close()
    with Store(path) as store:
        with pytest.raises(StoreError, match=r"x.ppdb: a chunk of stream fast is damaged \(its checksum\)"):
            store.read("fast")
        bad = []
        assert len(store.read("fast", bad=bad)) < len(rows["fast"]) and len(bad) == 1
        assert same(store.read("slow"), rows["slow"])
    report = verified(path)
    assert not report.whole and report.chunks == bad and not report.file
    for arguments in (["verify", str(path)], ["export", str(path), "--stream", "fast", "-o", str(tmp_path / "x.csv")]):
        with pytest.raises(SystemExit) as end:
            cli(arguments)
        assert end.value.code == 1
    assert "its checksum" in capsys.readouterr().err
    db = sqlite3.connect(path)
    db.execute("DELETE FROM chunk WHERE stream=2")
    db.commit()
    db.close()
    with Store(path) as store, pytest.raises(StoreError, match="chunks of stream slow are missing"):
        store.read("slow")


def test_a_whole_store_is_told_so(whole, tmp_path):
    data, _ = whole
    path = tmp_path / "x.ppdb"
    path.write_bytes(data)
    assert verified(path).lines() == [f"{path}: 3600 rows of fast, 3600 rows of slow; whole"]
    with pytest.raises(StoreError, match="no such file"):
        verified(tmp_path / "none.ppdb")


def test_values_are_kept_as_they_came(tmp_path):
    values = np.array([[16777217.0, 1e39, 0.1], [-1e300, 5e-324, -0.0], [1.5, np.pi, 2.0**-1074]])
    s = Stream(CHANNELS, "frame")
    recorder = Recorder(tmp_path / "x.ppdb", s)
    s.push(frame(values, 0, 1, 0, encoding="float64"))
    s.push(frame(values[:, ::-1].clip(-1e30, 1e30), 10, 1, 3, encoding="float32"))
    recorder.close()
    with Store(tmp_path / "x.ppdb") as store:
        kept = store.read()
        block = np.column_stack(kept.columns)
        assert block[:3].tobytes() == values.tobytes()
        assert export(kept.channels, store.chunks(), tmp_path / "x.csv") == 6
    assert float((tmp_path / "x.csv").read_text().splitlines()[1].split(",")[3]) == 16777217.0


def test_chunks_that_cannot_be():
    rows = Rows(("a",), *(np.array([1, 3, 4]),) * 3, [np.array([1.0, np.nan, 0.1])])
    chunk = pack(rows)
    assert chunk.kinds == b"\x08" and np.array_equal(unpack(("a",), chunk)["a"], rows["a"], equal_nan=True)
    bomb = chunk.time[:9] + __import__("zlib").compress(bytes(1 << 26))
    for wrong in (
        {"rows": 0}, {"rows": 1 << 40}, {"rows": 2}, {"kinds": b"\x04"}, {"kinds": b"\x08\x08"}, {"data": b""},
        {"time": b""}, {"time": chunk.time[:-1]}, {"seq": b"x" * 17}, {"arrival": bomb}, {"rows": "3"}, {"time": None},
    ):  # fmt: skip
        with pytest.raises((Damaged, TypeError)):
            unpack(("a",), Chunk(**{**chunk._asdict(), **wrong}))
    for k, name in enumerate(Chunk._fields):
        value = chunk[k]
        other = value + 1 if isinstance(value, int) else value + b"\0"
        assert checksum(1, 0, chunk._replace(**{name: other})) != checksum(1, 0, chunk)
    assert len({checksum(s, p, chunk) for s in (1, 2) for p in (0, 1)}) == 4


def test_a_store_that_is_being_recorded_is_whole(tmp_path):
    """Its segments wait for its own recorder; those that nobody will store are told."""
    s = Stream(("a",), "frame")
    recorder = Recorder(tmp_path / "x.ppdb", s, keep=1e6)
    for k in range(50):
        s.push(frame(np.ones((100, 1)), 10**18 + k * 10**6, 100, 100 * k))
        recorder.drain()
    assert (tmp_path / "x.ppdb.journal").exists() and verified(tmp_path / "x.ppdb").whole
    stray = tmp_path / "x.ppdb.journal" / "00f7000000000001.journal"
    stray.write_bytes(b"x" * 4096)
    assert "1 segments wait" in verified(tmp_path / "x.ppdb").journal[0]
    stray.unlink()
    with Store(tmp_path / "x.ppdb") as store:
        rows = store.chunks()
        next(rows)
        recorder.store.commit(1, [], recorder_place(recorder), before=2**62)  # it forgets what is being read
        assert len(list(rows)) == 15
    recorder.close()


def recorder_place(recorder):
    backlog = recorder.backlog
    return backlog.segment, backlog.offset, backlog.state()[0]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_what_was_exported_is_a_record_again(tmp_path, suffix):
    """Nanoseconds since 1970 come back as seconds from the first row, to the nanosecond."""
    from polepair.live.estimation import read_record

    stream = Stream(CHANNELS, "frame")
    recorder = Recorder(tmp_path / "x.ppdb", stream, "fast")
    for k in range(4):
        rows = np.arange(60.0).reshape(20, 3) + k
        stream.push(frame(rows, 1_790_000_000_123_456_789 + k * 2_000_001, 100_003, 20 * k, encoding="float64"))
    recorder.close()
    with Store(tmp_path / "x.ppdb") as store:
        export(CHANNELS, store.chunks("fast"), tmp_path / f"x{suffix}")
        kept = store.record("fast")
    again = read_record(tmp_path / f"x{suffix}")
    assert list(again) == list(kept) and all(np.array_equal(again[n], kept[n]) for n in kept)
