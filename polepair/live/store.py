"""The store: SQLite with float32 chunks and exact times, behind a journal of raw messages that outlives a killed
process.

A message is in the journal (a copy into a mapped file) before it is acknowledged. The recorder's thread decodes the
journal into chunks; chunks, the journal's position and the sequence numbers seen change in one transaction, so
whatever dies when, each message is stored once. docs/reliability.md says what survives what.
"""

import contextlib
import json
import mmap
import os
import sqlite3
import threading
import time
import zlib
from pathlib import Path

import numpy as np

from .. import _core
from ..errors import StoreError
from .streams import Format, Rows, Stream

VERSION = 1
SEGMENT_BYTES = 8 << 20
CHUNK_ROWS, CHUNKS_AT_ONCE = 4096, 16
PAGE_BYTES = 32768  # chunks are large: fewer, larger pages take a third less time
WAL_PAGES = 8  # the default thousand would keep 32 MB twice on a small disk
SPARE_SEGMENTS, SPARE_PAGES = 8, 16  # of the disk, left to the store by the journal: emptying it takes room
SYNC_SECONDS, STORE_SECONDS = 0.1, 0.5
SCHEMA = """
CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT UNIQUE, channels TEXT, format TEXT, created INTEGER,
    segment INTEGER DEFAULT 0, offset INTEGER DEFAULT 0, sequence BLOB);
CREATE TABLE chunk (stream INTEGER, t0 INTEGER, t1 INTEGER, rows INTEGER, time BLOB, seq BLOB, arrival BLOB, data BLOB);
CREATE INDEX chunk_time ON chunk (stream, t0);
"""


def _pack(values: np.ndarray) -> bytes:
    """int64 values: first and step where they are even, else first and packed differences."""
    steps = np.diff(values)
    if steps.size == 0 or (steps == steps[0]).all():
        return np.array([values[0], steps[0] if steps.size else 0], dtype="<i8").tobytes()
    return values[:1].astype("<i8").tobytes() + b"z" + zlib.compress(steps.astype("<i8").tobytes(), 1)


def _unpack(blob: bytes, rows: int) -> np.ndarray:
    first = np.frombuffer(blob, "<i8", 1)[0]
    if len(blob) == 16:
        return first + np.frombuffer(blob, "<i8", 1, 8)[0] * np.arange(rows, dtype=np.int64)
    steps = np.frombuffer(zlib.decompress(blob[9:]), "<i8")
    return np.concatenate([[first], first + np.cumsum(steps)])


def _format_text(fmt: Format) -> str:
    data = {k: getattr(fmt, k) for k in ("kind", "names", "keys", "scales", "time_unit", "seq_per_sample")}
    data["aliases"] = {str(k): v for k, v in fmt.aliases.items()}
    if fmt.layout:
        data["layout"] = {**vars(fmt.layout), "magic": fmt.layout.magic.hex()}
    return json.dumps(data)


class Store:
    """A file of recorded streams. `keep` seconds of samples are kept (None: all)."""

    def __init__(self, path, create: bool = False, keep: float | None = None):
        self.path, self.keep = Path(path), keep
        if not create and not self.path.exists():
            raise StoreError(f"{path}: no such file, expected a store made by polepair record")
        try:
            self.db = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, check_same_thread=False)
            self.db.execute(f"PRAGMA page_size={PAGE_BYTES}")
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            version = self.db.execute("PRAGMA user_version").fetchone()[0]
            tables = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if version == 0 and tables == 0 and create:
                self.db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
            elif version != VERSION:
                raise StoreError(f"{path}: a store of version {version}, expected {VERSION}")
        except sqlite3.Error as e:
            raise StoreError(f"{path}: {e}, expected a store made by polepair record") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self.db.close()

    @property
    def streams(self) -> dict[str, int]:
        """Rows of each stream by its name."""
        query = "SELECT name, coalesce(sum(rows), 0) FROM stream LEFT JOIN chunk ON stream = id GROUP BY id"
        return dict(self.db.execute(query).fetchall())

    def number(self, name: str, channels=None, fmt: Format | None = None) -> int:
        """Number of a stream; made when it is new and channels are given. StoreError when it differs."""
        row = self.db.execute("SELECT id, channels FROM stream WHERE name = ?", (name,)).fetchone()
        if row is None and channels is None:
            known = ", ".join(self.streams) or "none"
            raise StoreError(f"{self.path}: no stream {name}, expected one of {known}")
        if row is None:
            values = (name, json.dumps(list(channels)), _format_text(fmt), time.time_ns())
            return self.db.execute(
                "INSERT INTO stream (name, channels, format, created) VALUES (?,?,?,?)", values
            ).lastrowid
        if channels is not None and json.loads(row[1]) != list(channels):
            raise StoreError(f"{self.path}: stream {name} has channels {row[1]}, expected the same, or another file")
        return row[0]

    def read(self, name: str | None = None, start: int | None = None, end: int | None = None) -> Rows:
        """Rows of a stream (default: the only one) between two device times [ns], in the order they were stored."""
        if name is None:
            if len(self.streams) != 1:
                raise StoreError(
                    f"{self.path}: {len(self.streams)} streams ({', '.join(self.streams)}), expected a name"
                )
            name = next(iter(self.streams))
        number = self.number(name)
        channels = tuple(json.loads(self.db.execute("SELECT channels FROM stream WHERE id=?", (number,)).fetchone()[0]))
        low, high = (-(1 << 62) if start is None else start), ((1 << 62) if end is None else end)
        query = "SELECT rows, time, seq, arrival, data FROM chunk WHERE stream=? AND t1>=? AND t0<? ORDER BY rowid"
        parts = self.db.execute(query, (number, low, high)).fetchall()
        empty = np.empty(0, np.int64)
        whole = [np.concatenate([empty, *(_unpack(p[k], p[0]) for p in parts)]) for k in (1, 2, 3)]
        data = [np.frombuffer(p[4], "<f4").reshape(len(channels), p[0]) for p in parts]
        block = np.concatenate(data, axis=1) if data else np.empty((len(channels), 0), np.float32)
        chosen = (whole[0] >= low) & (whole[0] < high)
        if not chosen.all():
            whole, block = [w[chosen] for w in whole], block[:, chosen]
        return Rows(channels, *whole, list(block))

    def record(self, name: str | None = None) -> dict[str, np.ndarray]:
        """A stream as a record: `time` in seconds from its first sample, and its channels."""
        rows = self.read(name)
        first = rows.time[0] if len(rows) else 0
        return {"time": (rows.time - first) * 1e-9, **{c: rows[c].astype(float) for c in rows.channels}}

    def commit(self, number: int, chunks, segment: int, offset: int, sequence: bytes) -> None:
        """Chunks of rows, the journal's position behind them and the numbers seen: all or nothing."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany("INSERT INTO chunk VALUES (?,?,?,?,?,?,?,?)", [_chunk(number, c) for c in chunks])
            if self.keep is not None:
                self.db.execute("DELETE FROM chunk WHERE t1 < ?", (time.time_ns() - int(self.keep * 1e9),))
            values = (segment, offset, sequence, number)
            self.db.execute("UPDATE stream SET segment=?, offset=?, sequence=? WHERE id=?", values)
            self.db.execute("COMMIT")
        except sqlite3.Error as e:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            with contextlib.suppress(sqlite3.Error):  # a full disk may have room for this, and more behind it
                self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raise StoreError(f"{self.path}: {e}, expected room and permission to write") from None


def _chunk(number: int, rows: Rows) -> tuple:
    data = np.array([c.astype("<f4") for c in rows.columns])
    low, high = int(rows.time.min()), int(rows.time.max())
    return number, low, high, len(rows), _pack(rows.time), _pack(rows.seq), _pack(rows.arrival), data.tobytes()


class Recorder:
    """Keeps a stream: journals its messages from now on, and stores them from a thread of its own.

    Opening one takes over what an earlier, killed one had journaled but not stored.
    """

    def __init__(
        self, path, stream: Stream, name: str = "fast", keep: float | None = None, segment_bytes=SEGMENT_BYTES
    ):
        self.store = Store(path, create=True, keep=keep)
        self.folder = Path(f"{path}.journal")
        self.error: str | None = None
        spare = SPARE_SEGMENTS * segment_bytes + SPARE_PAGES * PAGE_BYTES
        self._stream, self._pending, self._number = stream, [], self.store.number(name, stream.channels, stream.format)
        self._shadow = Stream(stream.channels, stream.format, 1 << 16, stream.size_limit)
        row = self.store.db.execute(
            "SELECT segment, offset, sequence FROM stream WHERE id=?", (self._number,)
        ).fetchone()
        self._at, self._offset = row[0], row[1]
        if row[2]:
            self._shadow.core.resume(row[2])
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.drain()
            after = max([self._at, *self._segments()])
            self.journal = _core.Journal(str(self.folder), segment_bytes, spare, after)
        except OSError as e:
            room = f"{(spare + segment_bytes) / 1e6:.0f} MB free"
            raise StoreError(f"{self.folder}: {e.strerror}, expected a folder that can be written, {room}") from None
        stream.core.journal(self.journal, self._number)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def _segments(self) -> list[int]:
        return sorted(int(p.stem, 16) for p in self.folder.glob("*.journal"))

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:016x}.journal"

    def drain(self, last: bool = True) -> None:
        """Stores what is journaled. A segment is removed when it is stored whole and a newer one is begun."""
        self._commit_pending()
        for segment in self._segments():
            if segment < self._at:
                self._path(segment).unlink(missing_ok=True)
                continue
            newer = segment != self._segments()[-1]
            if segment > self._at:
                self._at, self._offset = segment, 0
            while self._take(segment):
                if len(self._pending) >= CHUNKS_AT_ONCE:
                    self._commit_pending()
            if newer:
                self._commit_pending()
                self._path(segment).unlink(missing_ok=True)
        if last:
            self._commit_pending()

    def _take(self, segment: int) -> bool:
        """Decodes up to a chunk's rows of a segment; False when there are no more."""
        with open(self._path(segment), "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
            offset = self._shadow.core.push_records(bytes_, self._offset, self._number, CHUNK_ROWS)
        rows = self._shadow.read()
        if len(rows):
            self._pending.append(rows)
        more = offset != self._offset
        self._offset = offset
        return more

    def _commit_pending(self) -> None:
        if self._pending:
            sequence = self._shadow.core.sequence()
            self.store.commit(self._number, self._pending, self._at, self._offset, sequence)
            self._pending = []

    def _run(self) -> None:
        due = time.monotonic() + STORE_SECONDS
        while not self._stop.wait(SYNC_SECONDS):
            try:
                self.journal.sync()
                if time.monotonic() >= due:
                    self.drain()
                    due = time.monotonic() + STORE_SECONDS
                self.error = None
            except (OSError, StoreError) as e:
                self.error = str(e)  # nothing is lost: what could not be stored stays in the journal

    def close(self) -> None:
        """Stores the rest and ends; the stream goes on without being recorded."""
        self._stop.set()
        self._thread.join()
        self._stream.core.journal(None, 0)
        try:
            self.journal.sync()
            self.drain()
            if not self._pending:
                for segment in self._segments():
                    self._path(segment).unlink(missing_ok=True)
                os.rmdir(self.folder)
        except (OSError, StoreError) as e:
            self.error = str(e)
        self.store.close()


def write_rows(rows: Rows, path) -> None:
    """Rows as .parquet or .csv: time, seq and arrival as whole nanoseconds, then the channels."""
    from ..files import replacing

    path = Path(path)
    names = ("time", "seq", "arrival", *rows.channels)
    columns = [rows.time, rows.seq, rows.arrival, *rows.columns]
    if path.suffix not in (".parquet", ".csv"):
        raise StoreError(f"{path}: unknown kind of file, expected .parquet or .csv")
    with replacing(path) as scratch:
        if path.suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table(columns, names=list(names)), scratch, compression="zstd")
        else:
            with open(scratch, "w", encoding="utf-8") as f:
                f.write(",".join(names) + "\n")
                f.writelines(",".join(map(repr, map(_plain, row))) + "\n" for row in zip(*columns, strict=True))


def _plain(value):
    return int(value) if isinstance(value, np.integer) else float(value)
