"""Chunks: rows of a stream as they lie in the store, each with a checksum. Values are float32 where that is exact,
else float64, channel by channel; times and numbers are exact."""

import struct
import zlib
from typing import NamedTuple

import numpy as np

from .. import _core
from .streams import Rows

ROWS = 4096  # of a chunk, and of its last message what is more
ROWS_MAX = 1 << 17
NS = np.dtype("<i8")


class Chunk(NamedTuple):
    """A row of the table. kinds: bytes a value of each channel has, 4 or 8; None: all 4 (stores of version 1)."""

    t0: int
    t1: int
    arrived: int
    rows: int
    time: bytes
    seq: bytes
    arrival: bytes
    kinds: bytes | None
    data: bytes


class Damaged(ValueError):
    """A chunk that is not what was written."""


def pack(rows: Rows) -> Chunk:
    """Rows as a chunk."""
    narrow = [c.astype("<f4") for c in rows.columns]
    exact = [np.array_equal(n, c, equal_nan=True) for n, c in zip(narrow, rows.columns, strict=True)]
    columns = [n if e else c for n, e, c in zip(narrow, exact, rows.columns, strict=True)]
    times = (int(rows.time.min()), int(rows.time.max()), int(rows.arrival.max()))
    whole = (_pack(rows.time), _pack(rows.seq), _pack(rows.arrival))
    kinds = bytes(4 if e else 8 for e in exact)
    return Chunk(*times, len(rows), *whole, kinds, b"".join(c.tobytes() for c in columns))


def checksum(stream: int, place: int, chunk: Chunk) -> int:
    """Over all of a chunk, its stream and its place there."""
    head = struct.pack("<qqqqqq", stream, place, chunk.t0, chunk.t1, chunk.arrived, chunk.rows)
    return _core.crc32c(head, chunk.time, chunk.seq, chunk.arrival, chunk.kinds or b"", chunk.data)


def unpack(channels, chunk: Chunk) -> Rows:
    """The rows of a chunk; Damaged when it cannot be one."""
    rows, kinds = chunk.rows, chunk.kinds or bytes([4]) * len(channels)
    try:
        if not 1 <= rows <= ROWS_MAX or len(kinds) != len(channels) or not set(kinds) <= {4, 8}:
            raise Damaged("its size")
        if len(chunk.data) != rows * sum(kinds):
            raise Damaged("its values")
        whole = [_unpack(blob, rows) for blob in (chunk.time, chunk.seq, chunk.arrival)]
    except (TypeError, zlib.error, OverflowError) as e:
        raise Damaged(str(e)) from None
    columns, at = [], 0
    for kind in kinds:
        columns.append(np.frombuffer(chunk.data, f"<f{kind}", rows, at))
        at += kind * rows
    return Rows(channels, *whole, columns)


def _pack(values: np.ndarray) -> bytes:
    """int64 values: first and step where they are even, else first and packed differences."""
    steps = np.diff(values)
    if steps.size == 0 or (steps == steps[0]).all():
        return np.array([values[0], steps[0] if steps.size else 0], dtype=NS).tobytes()
    return values[:1].astype(NS).tobytes() + b"z" + zlib.compress(steps.astype(NS).tobytes(), 1)


def _unpack(blob: bytes, rows: int) -> np.ndarray:
    if len(blob) < 16:
        raise Damaged("its times")
    first = np.frombuffer(blob, NS, 1)[0]
    if len(blob) == 16:
        return first + np.frombuffer(blob, NS, 1, 8)[0] * np.arange(rows, dtype=np.int64)
    steps = zlib.decompressobj().decompress(blob[9:], 8 * rows)
    if len(steps) != 8 * (rows - 1):
        raise Damaged("its times")
    return np.concatenate([[first], first + np.cumsum(np.frombuffer(steps, NS))])
