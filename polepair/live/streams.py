"""Streams: messages of one source become columns. Decoding, counting and waiting is C (csrc/host/stream)."""

from dataclasses import dataclass, field

import numpy as np

from .. import _core
from ..arguments import NAMES, TABLE, a, refuse, shown, takes, whole

FORMATS = ("frame", "json", "sparkplug", "packed")
ENCODINGS = ("float32", "int16", "delta", "float64")
UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
SPECIAL = {"time": -1, "seq": -2, "boot": -3, "step": -4, "rows": -5}
ABSENT = (-1, 0)
RETAINED, AGAIN = 1, 2


@dataclass(frozen=True)
class Layout:
    """A packed little-endian struct that somebody else defined; fields as (offset, bytes), absent ones left out.

    `data` is the offset of the values, samples x channels of `value` bytes (4: float32, 8: float64, 2: int16 with
    scales).
    """

    data: int
    value: int = 4
    magic: bytes = b""
    time: tuple[int, int] = ABSENT
    seq: tuple[int, int] = ABSENT
    step: tuple[int, int] = ABSENT
    samples: tuple[int, int] = ABSENT
    channels: tuple[int, int] = ABSENT

    def _tuple(self):
        fields = (self.time, self.seq, self.step, self.samples, self.channels)
        return (self.magic, *fields, self.data, self.value)


@dataclass(frozen=True)
class Format:
    """How the messages of a stream look.

    kind: "frame" (the binary batch of docs/wire.md), "json" (a sample, or a batch of rows), "sparkplug" or "packed".
    names: payload key (or Sparkplug metric) to channel, where they differ. keys: payload key to "time", "seq", "boot",
    "step" (sampling period) or "rows". aliases: Sparkplug alias to channel or "time", "seq", "boot"; births add to
    them. scales: units per count of integers, by channel. time_unit: of the payload's time.
    """

    kind: str = "frame"
    names: dict = field(default_factory=dict)
    keys: dict = field(default_factory=lambda: {"t": "time", "n": "seq", "boot": "boot", "dt": "step", "s": "rows"})
    aliases: dict = field(default_factory=dict)
    scales: dict = field(default_factory=dict)
    layout: Layout | None = None
    time_unit: str = "ns"
    seq_per_sample: bool | None = None  # None: as the kind has it; a frame numbers samples, the others messages

    def __post_init__(self):
        for name in ("kind", "time_unit"):
            known = FORMATS if name == "kind" else UNITS
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in known:
                raise ValueError(f"format: {name} = {shown(getattr(self, name))}: expected one of {', '.join(known)}")
        for name in ("names", "keys", "aliases", "scales"):
            refuse("Format", name, getattr(self, name), TABLE)
        if self.layout is not None:
            refuse("Format", "layout", self.layout, a("a Layout", Layout))


def seconds(time: np.ndarray) -> np.ndarray:
    """Whole nanoseconds as seconds from the first."""
    return 1e-9 * (time - time[:1].sum())


class Rows:
    """Rows of a stream: `time`, `seq`, `arrival` (int64; ns since 1970, number, ns) and one array per channel."""

    def __init__(self, channels, time, seq, arrival, columns, missed=0, first=0):
        self.channels, self.time, self.seq, self.arrival, self.columns = channels, time, seq, arrival, columns
        self.missed, self.first = missed, first

    def __len__(self) -> int:
        return len(self.time)

    def part(self, first: int, last: int) -> "Rows":
        """Views of some of the rows."""
        cut = slice(first, last)
        columns = [c[cut] for c in self.columns]
        return Rows(self.channels, self.time[cut], self.seq[cut], self.arrival[cut], columns, 0, self.first + first)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[self.channels.index(name)]

    def __repr__(self) -> str:
        return f"Rows({len(self)} of {', '.join(self.channels)})"


class Stream:
    """Columns of a source that keeps sending. One thread pushes, any thread reads.

    `capacity` rows are kept; what is older is overwritten. `size_limit` bytes is the most that a message may have.
    """

    @takes(
        channels=NAMES, fmt=a("a Format or its kind", Format, str), capacity=whole(1, 2**40), size_limit=whole(1, 2**40)
    )
    def __init__(self, channels, fmt: Format | str = "frame", capacity: int = 1 << 20, size_limit: int = 1 << 20):
        self.channels = tuple(channels)
        self.format = fmt if isinstance(fmt, Format) else Format(fmt)
        self.capacity, self.size_limit = capacity, size_limit
        self.core = _core_stream(self.channels, self.format, capacity, size_limit)
        self._read = 0
        self._waited: int | None = None  # the read position that left() last said True at

    def __repr__(self) -> str:
        return f"Stream({self.format.kind}, {', '.join(self.channels)}; {self.head} rows)"

    def push(self, message, arrival: int | None = None, flags: int = 0) -> bool:
        """Takes one message; `arrival` in ns since 1970 (default: now). Bad ones are counted, never raised.

        flags: RETAINED, AGAIN (the broker sent it before). False: it could not be journaled.
        """
        return self.core.push(message, arrival, flags)

    def reformat(self, fmt: Format | str) -> None:
        """Reads what comes from now on as `fmt` says, into the same channels: the device was born anew."""
        self.format = fmt if isinstance(fmt, Format) else Format(fmt)
        self.core.reformat(_core_stream(self.channels, self.format, 1, self.size_limit))

    @property
    def head(self) -> int:
        """Rows that have come so far."""
        return self.core.head

    @property
    def stats(self) -> dict:
        """Messages, rows, bytes, lost, duplicates, out_of_order, restarts, retained, refusals by reason."""
        return self.core.counts()

    def wait(self, seen: int | None = None, timeout: float = 1.0) -> bool:
        """Waits for rows beyond `seen` (default: those read so far), without the GIL; False after `timeout` seconds."""
        seen = self._read if seen is None else seen
        return self.core.wait(seen, timeout) > seen

    def left(self) -> bool:
        """Whether rows wait for read(). Asked twice without a read in between: nobody takes them, so False."""
        if self.head <= self._read or self._waited == self._read:
            return False
        self._waited = self._read
        return True

    def window(self, rows: int | None = None) -> Rows:
        """The newest rows as read-only views; the ring may overwrite them `capacity` rows later."""
        last = self.core.head
        first = max(self.core.floor, 0 if rows is None else last - rows)
        return self._rows(first, last, 0)

    def read(self, limit: int | None = None) -> Rows:
        """Copies of the rows that came since the last read; `missed` counts those overwritten in between."""
        rows = self.since(self._read, limit)
        self._read = rows.first + len(rows)
        return rows

    def since(self, row: int, limit: int | None = None) -> Rows:
        """Copies of the rows from number `row` on, at most `limit`; `first` is the first one's number."""
        while True:
            first = max(row, self.core.floor)
            last = self.core.head if limit is None else min(self.core.head, first + limit)
            try:
                rows = self._rows(first, max(first, last), first - row)
            except IndexError:  # the ring came round meanwhile
                continue
            copies = [c.copy() for c in (rows.time, rows.seq, rows.arrival, *rows.columns)]
            if self.core.floor <= first:  # nothing was overwritten while copying
                return Rows(self.channels, *copies[:3], copies[3:], first - row, first)

    def _rows(self, first: int, last: int, missed: int) -> Rows:
        arrival, seq, time, *columns = (self.core.column(c, first, last) for c in range(-3, len(self.channels)))
        return Rows(self.channels, time, seq, arrival, columns, missed, first)


def _target(name: str, channels) -> int:
    if name in channels:
        return channels.index(name)
    if name in SPECIAL:
        return SPECIAL[name]
    raise ValueError(f"format: {name}: expected a channel ({', '.join(channels)}) or one of {', '.join(SPECIAL)}")


def _core_stream(channels, fmt: Format, capacity: int, size_limit: int):
    """The C stream; ValueError for a format that cannot be."""
    if not channels or len(set(channels)) != len(channels):
        raise ValueError(f"channels: expected different names, got {', '.join(channels) or 'none'}")
    if any("\0" in c for c in channels):
        raise ValueError("channels: a name with a zero byte, expected text")
    if fmt.time_unit not in UNITS:
        raise ValueError(f"time_unit = {fmt.time_unit!r}: expected one of {', '.join(UNITS)}")
    if fmt.kind == "packed" and fmt.layout is None:
        raise ValueError("format: packed needs a layout, expected Format('packed', layout=Layout(...))")
    renamed = {v: k for k, v in fmt.names.items()}
    keys = [(renamed.get(c, c), i) for i, c in enumerate(channels)]
    keys += [(k, _target(v, channels)) for k, v in fmt.keys.items() if fmt.kind in ("json", "sparkplug")]
    per_sample = fmt.kind == "frame" if fmt.seq_per_sample is None else fmt.seq_per_sample
    return _core.Stream(
        FORMATS.index(fmt.kind),
        len(channels),
        keys,
        [(a, _target(v, channels)) for a, v in fmt.aliases.items()],
        [float(fmt.scales.get(c, 1.0)) for c in channels],
        fmt.layout._tuple() if fmt.layout else None,
        capacity,
        size_limit,
        per_sample,
        UNITS[fmt.time_unit],
    )


def frame(
    values, time: int, step: int, seq: int, boot: int = 0, encoding: str = "float32", scales=None, **more
) -> bytes:
    """A binary batch as a device would send it; values (samples, channels), time and step in ns."""
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding = {encoding!r}: expected one of {', '.join(ENCODINGS)}")
    return _core.frame(values, time, step, seq, boot, ENCODINGS.index(encoding), scales, **more)
