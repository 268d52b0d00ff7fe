"""The file of a store: SQLite, tables of streams, chunks (chunks.py) and marks, written by recorder.py."""

import contextlib
import json
import sqlite3
import struct
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _core
from ..errors import StoreError
from ..files import sync
from . import chunks
from .chunks import Chunk, Damaged
from .streams import Format, Layout, Rows, seconds

VERSION = 3
PAGE_BYTES = 32768  # chunks are large: fewer, larger pages take a third less time
WAL_PAGES = 8  # the default thousand would keep 32 MB twice on a small disk
WAL_BYTES = PAGE_BYTES * WAL_PAGES  # what stays of it when a commit or a reader had let it grow
SYNCHRONOUS = "FULL"  # a commit is on the disk before a segment of the journal is removed
AT_ONCE = 16  # chunks read by one query: a long reader must not keep the file from being tidied up
SCHEMA = """
CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT UNIQUE, channels TEXT, format TEXT, created INTEGER,
    segment INTEGER DEFAULT 0, offset INTEGER DEFAULT 0, sequence BLOB);
CREATE TABLE chunk (stream INTEGER, t0 INTEGER, t1 INTEGER, rows INTEGER, time BLOB, seq BLOB, arrival BLOB, data BLOB);
CREATE INDEX chunk_time ON chunk (stream, t0);
"""
MOVE = """
ALTER TABLE stream ADD COLUMN state BLOB;
ALTER TABLE stream ADD COLUMN crc INTEGER;
ALTER TABLE stream ADD COLUMN kept INTEGER DEFAULT 0;
ALTER TABLE stream ADD COLUMN next INTEGER DEFAULT 0;
ALTER TABLE stream ADD COLUMN damaged INTEGER DEFAULT 0;
ALTER TABLE stream ADD COLUMN moved INTEGER DEFAULT 0;
ALTER TABLE chunk ADD COLUMN arrived INTEGER;
ALTER TABLE chunk ADD COLUMN kinds BLOB;
ALTER TABLE chunk ADD COLUMN place INTEGER;
ALTER TABLE chunk ADD COLUMN crc INTEGER;
UPDATE stream SET kept = (SELECT count(*) FROM chunk WHERE stream = stream.id), moved = {now};
"""
MOVE_3 = "CREATE TABLE mark (stream INTEGER, place INTEGER, crc INTEGER, marks BLOB, PRIMARY KEY (stream, place))"
MARK_BYTES, MARKS = 8, 1 << 14  # of a mark; marks that are kept, as many as a decoder looks for
READ = "SELECT rowid, place, crc, t0, t1, arrived, rows, time, seq, arrival, kinds, data FROM chunk "
READ_1 = "SELECT rowid, NULL, NULL, t0, t1, 0, rows, time, seq, arrival, NULL, data FROM chunk "
EDGE = 1 << 62  # no time is beyond


class StreamRow(NamedTuple):
    """What the table knows of a stream. kept: chunks there are; next: place of the next one."""

    id: int
    name: str
    channels: tuple[str, ...]
    format: Format
    segment: int = 0
    offset: int = 0
    state: bytes | None = None
    kept: int = 0
    next: int = 0
    damaged: int = 0


def _format_text(fmt: Format) -> str:
    data = {k: getattr(fmt, k) for k in ("kind", "names", "keys", "scales", "time_unit", "seq_per_sample")}
    data["aliases"] = {str(k): v for k, v in fmt.aliases.items()}
    if fmt.layout:
        data["layout"] = {**asdict(fmt.layout), "magic": fmt.layout.magic.hex()}
    return json.dumps(data)


def _format_from(text: str) -> Format:
    data = json.loads(text)
    layout = data.pop("layout", None)
    if layout:
        layout = {k: tuple(v) if isinstance(v, list) else v for k, v in layout.items()}
        layout = Layout(**{**layout, "magic": bytes.fromhex(layout["magic"])})
    data["aliases"] = {int(k): v for k, v in data["aliases"].items()}
    return Format(**data, layout=layout)


class Store:
    """A file of recorded streams. create: to record into; it is made, or moved to this version."""

    def __init__(self, path, create: bool = False):
        self.path, self._settled = Path(path), False
        if not create and not self.path.exists():
            raise StoreError(f"{path}: no such file, expected a store made by polepair record")
        with self.guard():
            self.db = sqlite3.connect(self.path, timeout=10.0, isolation_level=None, check_same_thread=False)
        try:
            with self.guard():
                self._open(create)
        except BaseException:
            self.db.close()
            raise

    @contextlib.contextmanager
    def guard(self):
        """Every way in which a file can be wrong is a StoreError."""
        try:
            yield
        except StoreError:
            raise
        except (sqlite3.Error, ValueError, TypeError, KeyError, OverflowError, MemoryError, struct.error) as e:
            text = str(e).splitlines()[0][:200] if str(e) else type(e).__name__
            raise StoreError(f"{self.path}: {text}, expected a whole store made by polepair record") from None

    def _open(self, create: bool) -> None:
        self.db.execute("PRAGMA cell_size_check=ON")
        self.db.execute("PRAGMA trusted_schema=OFF")
        if create:
            self.db.execute(f"PRAGMA page_size={PAGE_BYTES}")
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
            self.db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            self.db.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
            with self.transaction():
                self._make()
        self.version = self._version()
        if self.version == 0:
            raise StoreError(
                f"{self.path}: a database of something else, or empty: expected a store of polepair record"
            )
        if not 1 <= self.version <= VERSION:
            raise StoreError(f"{self.path}: a store of version {self.version}, expected at most {VERSION}")

    def _version(self) -> int:
        return self.db.execute("PRAGMA user_version").fetchone()[0]

    def _make(self) -> None:
        version = self._version()
        if version == 0 and self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            self._run(SCHEMA)
            version = 1
        if version == 1:
            self._run(MOVE.format(now=time.time_ns()))
            for row in self._streams():
                self.db.execute("UPDATE stream SET crc=? WHERE id=?", (self._identity(row.id), row.id))
        if 1 <= version < VERSION:
            self._run(MOVE_3)
            self.db.execute(f"PRAGMA user_version={VERSION}")

    def _run(self, script: str) -> None:
        for statement in script.split(";"):
            self.db.execute(statement)

    @contextlib.contextmanager
    def transaction(self):
        """All that is written within, or nothing."""
        if self.db.in_transaction:  # of one that could not even be taken back
            self.db.execute("ROLLBACK")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error, MemoryError):  # SQLite may have done so already
                self.db.execute("ROLLBACK")
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def settle(self) -> None:
        """Makes the names of its files durable, once: SQLite passes over a folder that could not be synced."""
        if not self._settled:
            sync(self.path.parent)
            self._settled = True

    def close(self) -> None:
        """Closes the file."""
        self.db.close()

    @property
    def streams(self) -> dict[str, int]:
        """Rows of each stream by its name."""
        query = "SELECT name, coalesce(sum(rows), 0) FROM stream LEFT JOIN chunk ON stream = id GROUP BY id"
        with self.guard():
            return dict(self.db.execute(query).fetchall())

    def _identity(self, number: int) -> int:
        query = "SELECT name, channels, format, created FROM stream WHERE id=?"
        return _core.crc32c(repr((number, *self.db.execute(query, (number,)).fetchone())).encode())

    def _streams(self) -> list[StreamRow]:
        more = ", segment, offset, state, kept, next, damaged, crc" if self._version() > 1 else ""
        rows = self.db.execute(f"SELECT id, name, channels, format{more} FROM stream ORDER BY id").fetchall()
        out = []
        for number, name, channels, fmt, *rest in rows:
            if rest and rest.pop() != self._identity(number):
                raise Damaged(f"stream {number} is damaged")
            out.append(StreamRow(number, str(name), tuple(map(str, json.loads(channels))), _format_from(fmt), *rest))
        return out

    def rows_of_streams(self) -> list[StreamRow]:
        """What is known of each stream."""
        with self.guard():
            return self._streams()

    def stream(self, name: str | None = None) -> StreamRow:
        """A stream by its name (None: the only one); StoreError when there is none."""
        rows = self.rows_of_streams()
        known = ", ".join(r.name for r in rows) or "none"
        if name is None and len(rows) != 1:
            raise StoreError(f"{self.path}: {len(rows)} streams ({known}), expected a name")
        for row in rows:
            if name in (None, row.name):
                return row
        raise StoreError(f"{self.path}: no stream {name}, expected one of {known}")

    def number(self, name: str, channels, fmt: Format) -> int:
        """Number of a stream; made when it is new. StoreError when it has other channels."""
        with self.guard(), self.transaction():
            for row in self._streams():
                if row.name == name:
                    return self._same(row, channels, fmt)
            values = (name, json.dumps(list(channels)), _format_text(fmt), time.time_ns())
            query = "INSERT INTO stream (name, channels, format, created) VALUES (?,?,?,?)"
            return self._sealed(self.db.execute(query, values).lastrowid)

    def _same(self, row: StreamRow, channels, fmt: Format) -> int:
        if row.channels != tuple(channels):
            known = ", ".join(row.channels)
            raise StoreError(f"{self.path}: stream {row.name} has channels {known}, expected the same, or another file")
        self.db.execute("UPDATE stream SET format=? WHERE id=?", (_format_text(fmt), row.id))
        return self._sealed(row.id)

    def _sealed(self, number: int) -> int:
        self.db.execute("UPDATE stream SET crc=? WHERE id=?", (self._identity(number), number))
        return number

    def commit(
        self, number: int, ready: list[Chunk], place: tuple[int, int, bytes], marks=b"", damaged: int = 0, before=None
    ):
        """Chunks, the journal's (segment, offset, state) behind them, the marks of their messages, and chunks forgotten
        that arrived `before`: all or nothing."""
        try:
            with self.transaction():
                self._insert(number, ready)
                if marks:
                    self._add_marks(number, marks)
                if before is not None:
                    self._forget(number, before)
                segment, offset, state = place
                values = (segment, offset, sealed(segment, offset, state), damaged, number)
                query = "UPDATE stream SET segment=?, offset=?, state=?, damaged=damaged+? WHERE id=?"
                self.db.execute(query, values)
        except (sqlite3.Error, MemoryError) as e:
            with contextlib.suppress(
                sqlite3.Error, MemoryError
            ):  # a full disk may have room for this, and more behind it
                self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            text = str(e) or "no memory left"
            raise StoreError(f"{self.path}: {text}, expected room and permission to write") from None

    def _insert(self, number: int, ready: list[Chunk]) -> None:
        first = self.db.execute("SELECT next FROM stream WHERE id=?", (number,)).fetchone()[0]
        rows = [(number, first + k, chunks.checksum(number, first + k, c), *c) for k, c in enumerate(ready)]
        query = "INSERT INTO chunk (stream, place, crc, t0, t1, arrived, rows, time, seq, arrival, kinds, data) "
        self.db.executemany(query + "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        values = (len(ready), len(ready), number)
        self.db.execute("UPDATE stream SET next=next+?, kept=kept+? WHERE id=?", values)

    def _add_marks(self, number: int, marks: bytes) -> None:
        """place: how many there were of the stream, these included. Rows go whose marks are all older than is asked
        for, and those whose place is none."""
        query = "SELECT CAST(place AS INTEGER) FROM mark WHERE stream=? ORDER BY rowid DESC LIMIT 1"
        last = self.db.execute(query, (number,)).fetchone()
        place = (last[0] if last else 0) + len(marks) // MARK_BYTES
        query = "DELETE FROM mark WHERE stream=? AND (place<=? OR place>?)"
        self.db.execute(query, (number, place - MARKS, place))  # first: the new ones may take their pages
        values = (number, place, _mark_crc(number, place, marks), marks)
        self.db.execute("INSERT INTO mark (stream, place, crc, marks) VALUES (?,?,?,?)", values)

    def marks(self, number: int, bad: list[str]) -> bytes:
        """Of the newest messages of a stream, for Decoder(); damaged ones are passed over, and told in `bad`."""
        if self.version < 3:
            return b""
        query = "SELECT place, crc, marks FROM mark WHERE stream=? ORDER BY rowid"
        with self.guard():
            rows = self.db.execute(query, (number,)).fetchall()
        whole = [r for r in rows if type(r[2]) is bytes and r[1] == _mark_crc(number, *r[::2])]
        if len(whole) < len(rows):
            text = "marks of messages are damaged: what is sent again may be stored twice"
            bad.append(f"{self.path}: {text}")
        return b"".join(r[2] for r in whole)

    def _forget(self, number: int, before: int) -> None:
        """Chunks of version 1 do not know their arrival: they go as if they had come when the file was moved on."""
        self.db.execute("CREATE INDEX IF NOT EXISTS chunk_arrived ON chunk (stream, arrived)")
        gone = self.db.execute("DELETE FROM chunk WHERE stream=? AND arrived<?", (number, before)).rowcount
        if self.db.execute("SELECT moved FROM stream WHERE id=?", (number,)).fetchone()[0] < before:
            query = "DELETE FROM chunk WHERE stream=? AND arrived IS NULL"
            gone += self.db.execute(query, (number,)).rowcount
        self.db.execute("UPDATE stream SET kept=kept-? WHERE id=?", (gone, number))

    def faults(self) -> list[str]:
        """What SQLite finds wrong with its file."""
        with self.guard():
            found = [str(r[0]) for r in self.db.execute("PRAGMA integrity_check(20)").fetchall()]
        return [] if found == ["ok"] else found

    def newest_arrival(self, number: int) -> int | None:
        """Latest arrival [ns] that is stored of a stream."""
        with self.guard():
            return self.db.execute("SELECT max(arrived) FROM chunk WHERE stream=?", (number,)).fetchone()[0]

    def chunks(
        self, name: str | None = None, start: int | None = None, end: int | None = None, bad: list | None = None
    ):
        """Rows of a stream between two device times [ns], chunk by chunk, in the order they were stored.

        A damaged chunk is a StoreError, or, where `bad` is a list, put there in words and passed over.
        """
        return self._chunks(self.stream(name), start, end, bad)

    def _chunks(self, row: StreamRow, start: int | None, end: int | None, bad: list | None):
        low, high = (-EDGE if start is None else start), (EDGE if end is None else end)
        all_of_it = start is None and end is None
        at, count = -1, 0
        while True:
            found = self._some(row.id, low, high, at)
            for rowid, place, crc, *values in found:
                at, count = rowid, count + 1
                rows = self._checked(row, place, crc, Chunk(*values), bad)
                if rows is not None:
                    yield rows if all_of_it else _between(rows, low, high)
            if len(found) < AT_ONCE:
                break
        if all_of_it and self.version > 1:
            kept = min(row.kept, self.stream(row.name).kept)  # a recorder that runs may forget some meanwhile
            if count < kept:
                self._tell(f"{kept - count} chunks of stream {row.name} are missing", bad)

    def _some(self, number: int, low: int, high: int, after: int) -> list:
        query = READ if self.version > 1 else READ_1
        query += "WHERE stream=? AND t1>=? AND t0<? AND rowid>? ORDER BY rowid LIMIT ?"
        with self.guard():
            return self.db.execute(query, (number, low, high, after, AT_ONCE)).fetchall()

    def _checked(self, row: StreamRow, place, crc, chunk: Chunk, bad: list | None) -> Rows | None:
        try:
            if crc is not None and crc != chunks.checksum(row.id, place, chunk):
                raise Damaged("its checksum")
            return chunks.unpack(row.channels, chunk)
        except (Damaged, TypeError, struct.error, OverflowError) as e:
            self._tell(f"a chunk of stream {row.name} is damaged ({e})", bad)
            return None

    def _tell(self, text: str, bad: list | None) -> None:
        if bad is None:
            raise StoreError(f"{self.path}: {text}, expected a whole store (polepair verify tells more)")
        bad.append(text)

    def read(self, name: str | None = None, start: int | None = None, end: int | None = None, bad: list | None = None):
        """All those rows at once (Rows)."""
        row = self.stream(name)
        parts, channels = list(self._chunks(row, start, end, bad)), row.channels
        empty = np.empty(0, np.int64)
        whole = [np.concatenate([empty, *(getattr(p, k) for p in parts)]) for k in ("time", "seq", "arrival")]
        narrow = np.empty(0, np.float32)
        columns = [np.concatenate([narrow, *(p.columns[i] for p in parts)]) for i in range(len(channels))]
        return Rows(channels, *whole, columns)

    def record(self, name: str | None = None) -> dict[str, np.ndarray]:
        """A stream as a record: `time` in seconds from its first sample, and its channels."""
        rows = self.read(name)
        return {"time": seconds(rows.time), **{c: rows[c].astype(float) for c in rows.channels}}


def _mark_crc(number: int, place: int, marks: bytes) -> int:
    return _core.crc32c(repr((number, place)).encode(), marks)


def sealed(segment: int, offset: int, state: bytes) -> bytes:
    """A state with a checksum over it and its place."""
    return struct.pack("<I", _core.crc32c(struct.pack("<qq", segment, offset), state)) + state


def opened(row: StreamRow) -> bytes | None:
    """The state of a stream; None where it has none yet. Damaged when its seal does not fit."""
    if row.state is None:
        return None
    state = row.state[4:]
    if sealed(row.segment, row.offset, state) != row.state:
        raise Damaged(f"the place in the journal of stream {row.name} is damaged")
    return state


def _between(rows: Rows, low: int, high: int) -> Rows:
    chosen = (rows.time >= low) & (rows.time < high)
    whole = (rows.time[chosen], rows.seq[chosen], rows.arrival[chosen])
    return Rows(rows.channels, *whole, [c[chosen] for c in rows.columns])
