"""What was acknowledged is stored, once, with its values: devices, a transport that sends again, recorders that are
killed, and the books that say what has to be in the store."""

import json
import struct

import numpy as np

from polepair.live import database
from polepair.live import recorder as recorder_module
from polepair.live.store import Recorder, Store
from polepair.live.streams import AGAIN, Format, Layout, Stream, frame

CHANNELS = ("a", "b")
HOUR = 3600 * 10**9
REDELIVERED = 16_000  # messages that a broker may send once more


def varint(n: int) -> bytes:
    """As protocol buffers write whole numbers."""
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def metric(alias: int, name: bytes = b"", value: float | None = None) -> bytes:
    """One Sparkplug metric; with a name it teaches the alias."""
    body = (b"\x0a" + varint(len(name)) + name if name else b"") + b"\x10" + varint(alias) + b"\x20\x0a"
    body += b"\x69" + struct.pack("<d", value)
    return b"\x12" + varint(len(body)) + body


class Device:
    """Counts, stamps and sends; every value of channel a is one that no other sample has."""

    kinds = ("json", "rows", "bare", "frame", "scaled", "sparkplug", "packed")

    def __init__(self, kind: str, first: int = 0, boot: int | None = 3, uptime: bool = False):
        self.kind, self.number, self.boot, self.uptime = kind, first, boot, uptime
        self.clock, self.step, self.scale, self.aliases = (0 if uptime else 10**18), 10**5, 0.25, (1, 2)
        self.sent: list[tuple[bytes, list[float]]] = []
        self.born = False

    def format(self) -> Format:
        """How the host is told to read it."""
        if self.kind in ("json", "rows", "bare"):
            return Format("json")
        if self.kind == "packed":
            return Format("packed", layout=Layout(24, magic=b"PK", time=(2, 8), seq=(10, 4), samples=(14, 2), value=8))
        if self.kind == "sparkplug":
            return Format("sparkplug")
        return Format("frame", scales=dict.fromkeys(CHANNELS, self.scale))

    def message(self, ids: list[int]) -> bytes:
        """The next message: a row for each id."""
        n, t, rows = self.number, self.clock, [(i, -i) for i in ids]
        boot = {} if self.boot is None else {"boot": self.boot}
        if self.kind in ("json", "bare") or (self.kind == "sparkplug" and len(ids) > 1):
            rows = rows[:1]
        made = getattr(self, f"_{self.kind}")(n, t, rows, boot)
        self.number += len(rows) if self.kind in ("frame", "scaled") else 1
        self.clock += self.step * len(rows)
        self.sent.append((made, [float(r[0]) for r in rows]))
        return made

    def _json(self, n, t, rows, boot):
        return json.dumps({"t": t, "n": n, **boot, "a": rows[0][0], "b": rows[0][1]}).encode()

    def _bare(self, n, t, rows, boot):
        return json.dumps({"n": n, "a": rows[0][0], "b": rows[0][1]}).encode()

    def _rows(self, n, t, rows, boot):
        return json.dumps({"t": t, "n": n, **boot, "dt": self.step, "s": rows}).encode()

    def _frame(self, n, t, rows, boot):
        return frame(np.array(rows, float), t, self.step, n & 0xFFFFFFFF, (self.boot or 0), "float64")

    def _scaled(self, n, t, rows, boot):
        scales = [self.scale] * 2
        return frame(np.array(rows, float), t, self.step, n & 0xFFFFFFFF, (self.boot or 0), "delta", scales)

    def _sparkplug(self, n, t, rows, boot):
        names = (b"", b"") if self.born else (b"a", b"b")
        self.born = True
        body = b"".join(metric(k, name, float(v)) for k, name, v in zip(self.aliases, names, rows[0], strict=True))
        return b"\x08" + varint(t // 10**6) + body + b"\x18" + varint(n % 256)

    def _packed(self, n, t, rows, boot):
        head = b"PK" + struct.pack("<qIH", t, n & 0xFFFFFFFF, len(rows))
        return head.ljust(24, b"\0") + np.array(rows, float).tobytes()

    def restart(self, renumber: bool) -> None:
        """Power off and on: counts anew (another boot number, if it has one in flash), clock since boot anew."""
        self.number = 0
        self.clock = 0 if self.uptime else self.clock + 10**9
        self.born = False
        if renumber and self.boot is not None:
            self.boot = (self.boot + 1) % 65536


class Books:
    """One stream of a store: its device, its recorder if there is one, and what was acknowledged."""

    def __init__(self, path, name: str, device: Device, faults: list[str], segment_bytes: int = 1 << 15):
        self.path, self.name, self.device, self.segment_bytes = path, name, device, segment_bytes
        self.stream: Stream | None = None
        self.recorder: Recorder | None = None
        self.acknowledged: set[float] = set()
        self.faults = faults  # that any recorder of the file told

    def open(self) -> None:
        """A process begins: what it knows of the stream is the device's birth."""
        self.stream = Stream(CHANNELS, self.device.format(), 1 << 12)
        self.recorder = Recorder(self.path, self.stream, self.name, segment_bytes=self.segment_bytes)
        self.faults += self.recorder.faults

    def close(self) -> None:
        """It ends well."""
        self.recorder.close()
        assert self.recorder.error is None, self.recorder.error
        self.faults += self.recorder.faults
        self.recorder = self.stream = None

    def kill(self) -> None:
        """It ends at once: nothing is stored that was not."""
        r = self.recorder
        self.faults += r.faults
        r._stop.set()
        r._thread.join()
        self.stream.core.journal(None, b"")
        r.store.db.close()
        r._lock.close()
        r.journal = None
        self.recorder = self.stream = None

    def deliver(self, message: bytes, ids: list[float], flags: int = 0) -> bool:
        """One delivery; the broker is told what became of it."""
        kept = self.stream.push(message, 10**18, flags)
        if kept:
            self.acknowledged |= set(ids)
        return kept

    def send(self, ids: list[int]) -> bool:
        """The device sends, the message comes."""
        made = self.device.message(ids)
        return self.deliver(made, self.device.sent[-1][1])

    def again(self, last: int) -> None:
        """The newest messages come once more, in their order, as after every reconnection."""
        for made, ids in self.device.sent[len(self.device.sent) - min(last, REDELIVERED, len(self.device.sent)) :]:
            self.deliver(made, ids, AGAIN)

    def check(self, lost: int = 0) -> None:
        """Everything acknowledged, once, as it was; `lost` at most where records were damaged."""
        with Store(self.path) as store:
            rows = store.read(self.name)
        kept = rows["a"].tolist()
        assert len(set(kept)) == len(kept), f"twice: {sorted({k for k in kept if kept.count(k) > 1})[:5]}"
        assert (rows["b"] == -rows["a"]).all(), "values"
        missing, foreign = self.acknowledged - set(kept), set(kept) - self.acknowledged
        assert not foreign, f"never acknowledged: {sorted(foreign)[:5]}"
        assert len(missing) <= lost, f"acknowledged and not stored: {len(missing)}, such as {sorted(missing)[:5]}"
        assert not missing or self.faults, "lost without a word"


def quiet(monkeypatch) -> None:
    """Recorders store when they are told to, not by the clock, and nothing waits for a disk: no power is cut here."""
    monkeypatch.setattr(recorder_module, "SYNC_SECONDS", 1e6)
    monkeypatch.setattr(recorder_module.Recorder, "_sync", lambda self: None)
    monkeypatch.setattr(database, "SYNCHRONOUS", "OFF")
    for module in (database, recorder_module):
        monkeypatch.setattr(module, "sync", lambda folder: None)


def flip(path, at: int, bit: int) -> None:
    """Turns one bit of what is used of a file."""
    data = bytearray(path.read_bytes())
    used = len(data.rstrip(b"\0"))
    if used:
        data[at % used] ^= 1 << bit
        path.write_bytes(data)
