"""The backlog: segments of the journal that wait to be stored, decoded by the state that they and the store describe.

A segment is <16 hex digits>.journal: the stream's number, then the segment's. Those whose first four digits are 0 are
of version 1 and may hold several streams.
"""

import json
import mmap
import os
import re
from contextlib import suppress
from pathlib import Path

from .. import _core
from . import chunks
from .database import Store, StreamRow, opened
from .streams import Rows, Stream

STREAM_SHIFT = 48
COMMIT_CHUNKS = 16
SEGMENT = re.compile(r"[0-9a-f]{16}\.journal")


def about(name: str, channels) -> bytes:
    """What the segments of a stream say they are about."""
    return json.dumps({"stream": name, "channels": list(channels)}, separators=(",", ":")).encode()


def segments(folder: Path) -> list[int]:
    """Numbers of the segments in a folder, in order."""
    with suppress(FileNotFoundError):
        return sorted(int(n[:16], 16) for n in os.listdir(folder) if SEGMENT.fullmatch(n))
    return []


def path_of(folder: Path, segment: int) -> Path:
    """The file of a segment."""
    return folder / f"{segment:016x}.journal"


def damaged(folder: Path) -> list[Path]:
    """Segments that were kept because something in them could not be stored."""
    return sorted(folder.glob("*.damaged*"))


def remove(store: Store, folder: Path, segment: int) -> None:
    """A segment that is stored: only once the store's own names outlive a power cut."""
    store.settle()
    path_of(folder, segment).unlink(missing_ok=True)


class Backlog:
    """The segments of one stream on their way into the store."""

    def __init__(self, store: Store, row: StreamRow, folder: Path):
        self.store, self.folder = store, folder
        self.faults: list[str] = []  # what could not be stored, in words
        self.stored, self.latest = 0, 0  # rows that are, by this one; arrival of the newest of them [ns]
        self._about = about(row.name, row.channels)
        self._begin(row)

    def _begin(self, row: StreamRow) -> None:
        """From where the store is."""
        self._broken = True
        self.row, self.segment, self.offset = row, row.segment, row.offset
        with self.store.guard():
            state = opened(row)
            if state is None and row.segment >> STREAM_SHIFT == 0:
                state = Stream(row.channels, row.format, 1 << 18).core.describe(self._about)
            marks = self.store.marks(row.id, self.faults)
            self._decoder = _core.Decoder(self._about, state, marks)
        self._ready: list[chunks.Chunk] = []
        self._moved = False
        self._places = 0
        self._broken = False

    def own(self) -> list[int]:
        """Segments that may hold something of this stream."""
        return [s for s in segments(self.folder) if s >> STREAM_SHIFT in (0, self.row.id)]

    def newest(self) -> int:
        """The number behind which new segments go."""
        return max([self.row.id << STREAM_SHIFT, self.segment, *self.own()])

    def drain(self, active: bool, before: int | None = None) -> None:
        """Stores what is journaled, and removes segments that are stored whole. active: the newest one is being
        written; before: chunks are forgotten that arrived so early.
        """
        if self._broken:  # a decoder that is beyond what is stored would take the rest for sent twice
            self._begin(self.store.stream(self.row.name))
        self._broken = True
        self._drain(active, before)
        self._broken = False

    def _drain(self, active: bool, before: int | None) -> None:
        self._commit(before)
        own = self.own()
        for segment in own:
            closed = not (active and segment == own[-1])
            if segment < self.segment:
                self._remove_behind(segment)
                continue
            if segment > self.segment:
                self.segment, self.offset, self._moved = segment, 0, True
            whole = self._store(segment, closed)
            if closed:
                self._commit()
                if whole:
                    self._remove(segment)
        self._commit()

    def _store(self, segment: int, closed: bool) -> bool:
        """Everything of a segment that can be read; False when it was set aside."""
        path = path_of(self.folder, segment)
        with open(path, "rb") as f:
            if os.fstat(f.fileno()).st_size == 0:  # killed while it was made: nothing was acknowledged
                return True
            with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
                while True:
                    try:
                        ending = self._take(bytes_, segment, closed)
                    except ValueError:
                        ending = "other"
                    if ending == "other":
                        self._set_aside(segment, "cannot be read: of other channels, of a later version, or damaged")
                        return False
                    if len(self._ready) >= COMMIT_CHUNKS:
                        self._commit()
                    if ending == "end":
                        return True

    def _take(self, bytes_, segment: int, closed: bool) -> str:
        """Decodes up to a chunk's rows; how it ended."""
        read = self._decoder.read(bytes_, self.offset, chunks.ROWS, closed, self.row.id)
        offset, time, seq, arrival, columns, places, refused, ending = read
        if len(time):
            self._ready.append(chunks.pack(Rows(self.row.channels, time, seq, arrival, columns)))
        if places or refused:
            self._keep_damaged(segment, f"{places} records damaged, {refused} refused")
            self._places += places + refused
        self._moved = self._moved or offset != self.offset
        self.offset = offset
        return ending

    def _name_aside(self, segment: int) -> Path:
        path = path_of(self.folder, segment).with_suffix(".damaged")
        number = 1
        while path.exists():
            number += 1
            path = path.with_suffix(f".damaged{number}")
        return path

    def _keep_damaged(self, segment: int, what: str) -> None:
        """A second name, so that the segment outlives being stored."""
        aside = path_of(self.folder, segment).with_suffix(".damaged")
        if not aside.exists():
            try:
                os.link(path_of(self.folder, segment), aside)
            except OSError:  # a file system without links
                aside.write_bytes(path_of(self.folder, segment).read_bytes())
        fault = f"{aside}: {what}; the rest is stored"
        self.faults += [] if fault in self.faults else [fault]

    def _set_aside(self, segment: int, what: str) -> None:
        path = path_of(self.folder, segment)
        aside = path.with_suffix(".damaged")
        if not (aside.exists() and aside.samefile(path)):
            aside = self._name_aside(segment)
        os.replace(path, aside)
        path.unlink(missing_ok=True)  # two names of one file stay both
        self._places += 1
        self.faults.append(f"{aside}: {what}; nothing of the rest is stored")

    def _remove_behind(self, segment: int) -> None:
        """Of version 1, and the store is beyond: nobody knows whether it was stored."""
        empty = path_of(self.folder, segment).stat().st_size == 0
        if self.segment >> STREAM_SHIFT and not segment >> STREAM_SHIFT and not empty:
            self._set_aside(segment, "of an earlier version, found after the store had moved on")
            self._commit()
        elif empty or segment >> STREAM_SHIFT:
            remove(self.store, self.folder, segment)

    def _remove(self, segment: int) -> None:
        """Of version 1 only when no stream needs it any more: recover() does that."""
        if segment >> STREAM_SHIFT:
            remove(self.store, self.folder, segment)

    def _commit(self, before: int | None = None) -> None:
        if not (self._ready or self._places or self._moved or before is not None):
            return
        state = self._decoder.state()
        place, marks = (self.segment, self.offset, state), self._decoder.new_marks()
        self.store.commit(self.row.id, self._ready, place, marks, self._places, before)
        self.stored += sum(c.rows for c in self._ready)
        self.latest = max([self.latest, *(c.arrived for c in self._ready)])
        self._ready, self._places, self._moved = [], 0, False

    def state(self) -> tuple[bytes, bytes]:
        """All that decoding needs behind what is stored: a description and the marks of the newest messages."""
        return self._decoder.state(), self._decoder.marks()
