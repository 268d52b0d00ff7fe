"""Where samples come from: a simulated motor, a recording, a serial line. Each pushes messages into its stream from a
thread of its own; an MQTT source (mqtt.py) pushes from paho's."""

import math
import re
import secrets
import threading
import time

import numpy as np

from .. import _core
from ..errors import FileError, plain
from ..run.twin import Twin, channel_columns
from .streams import Format, Stream, frame

DRIVE = ("u_alpha", "u_beta", "i_alpha", "i_beta")
SIMULATED = (*DRIVE, "omega_m", "i_bus", "u_dc")
BATCH_SECONDS = 0.02
DELIMITER = b"\0"
LINE_LIMIT = 1 << 16
TIME_MAX = 9e9  # s: nanoseconds since 1970 in 64 bits
CSV_VALUE = rb"[ \t]*(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|null)[ \t]*"
CSV_LINE = re.compile(CSV_VALUE + rb"(?:," + CSV_VALUE + rb")*")  # JSON's numbers and commas, nothing that nests


def checked_pace(pace) -> float:
    """Seconds per second; ValueError for one that is not 0 (at once) or more."""
    return checked_span(pace, "pace", "0 (at once) or more seconds per second")


def checked_span(value, what: str, expected: str) -> float:
    """A number that is 0 or more; ValueError says what was expected instead."""
    if not isinstance(value, (int, float, np.number)) or not value >= 0:
        raise ValueError(f"{what} = {plain(repr(value), 40)}: expected {expected}")
    return value


class Source:
    """A thread that pushes into `stream` until it is stopped. Subclasses give run()."""

    name = "source"

    def __init__(self, stream: Stream):
        self.stream = stream
        self.error: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self):
        """Begins; returns the source."""
        self._thread = threading.Thread(target=self._guarded, name=self.name, daemon=True)
        self._thread.start()
        return self

    def _guarded(self) -> None:
        try:
            self.run()
        except (OSError, ValueError, ArithmeticError) as e:
            self.error = str(e)

    def run(self) -> None:
        """Pushes messages until self._stop is set."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether more may come. After the last message: until its rows are read, if somebody reads them."""
        return self._alive() or (not self._stop.is_set() and self.stream.left())

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def state(self) -> str:
        """One word, or what went wrong."""
        return self.error or ("up" if self._alive() else "ended")

    def close(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread:
            self._thread.join(2.0)


def shaft_load(params, at: float) -> tuple[float, float]:
    """Speed reference [rad/s] and load torque [N m] of the built-in demonstration: steps and a slow swing."""
    speed = params.control.speed_ref * (1.0 if at % 8.0 < 5.0 else 0.6)
    rated = 0.3 * params.derive().torque(0.0, params.drive.i_max)
    return speed, rated * (0.5 + 0.2 * math.sin(0.7 * at) + (0.3 if at % 4.0 > 2.0 else 0.0))


class Simulated(Source):
    """A motor that is computed instead of measured: its samples go through the same frames and decoder as a device's.

    scenario(params, seconds) gives speed reference and load torque. noise: standard deviation of the currents over
    i_max. pace: simulated seconds per second, 0 for as fast as it goes; seconds: ends then.
    """

    name = "simulated"

    def __init__(self, twin: Twin, scenario=shaft_load, noise=0.005, pace=1.0, seconds=math.inf, seed=0, send=None):
        super().__init__(Stream(SIMULATED, Format("frame")))
        checked_pace(pace)
        checked_span(seconds, "seconds", "0 or more, or math.inf")
        checked_span(noise, "noise", "0 or more, over i_max")
        self.twin, self.scenario, self.noise, self.pace, self.seconds = twin, scenario, noise, pace, seconds
        self.core = twin.core()
        self.send = send or self.stream.push
        self.boot = int(time.time()) & 0x7FFF
        self._random = np.random.default_rng(seed)
        self._columns = channel_columns(("id", "iq", "ud", "uq", "theta_m", "omega_m", "i_bus"))[1]

    def batch(self, periods: int) -> np.ndarray:
        """The next periods as rows of SIMULATED."""
        p = self.twin.params
        id_, iq, ud, uq, theta, omega, bus = self.core.run(periods, 1, False, self._columns).T
        turn = np.exp(1j * p.rotor.pole_pairs * theta)
        u, i = turn * (ud + 1j * uq), turn * (id_ + 1j * iq)
        noise = (
            self._random.normal(0.0, self.noise * p.drive.i_max, (2, periods)) if self.noise else np.zeros((2, periods))
        )
        rows = (u.real, u.imag, i.real + noise[0], i.imag + noise[1], omega, bus, np.full(periods, p.drive.u_dc))
        return np.column_stack(rows)

    def run(self) -> None:
        """Batches at the pace of the clock."""
        p, period = self.twin.params, self.core.period
        periods = max(1, min(4096, round(BATCH_SECONDS / period)))
        first, began = time.time_ns(), time.monotonic()
        while not self._stop.is_set() and self.core.sample * period < self.seconds:
            at = self.core.sample
            if p.drive.kind == "foc":
                self.core.ask(*self.scenario(p, at * period))
            rows = self.batch(periods)
            step = round(period * 1e9)
            self.send(frame(rows, first + at * step, step, at & 0xFFFFFFFF, self.boot))
            if self.pace:
                ahead = began + (at + periods) * period / self.pace - time.monotonic()
                if ahead > 0:
                    self._stop.wait(ahead)


def _columns_of(record: dict) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Times [s] and the other columns; FileError unless all are numbers, as many each, and the times a clock's."""
    try:
        columns = {n: np.asarray(v, dtype=float) for n, v in dict(record).items()}
    except (ValueError, TypeError):
        raise FileError("recording: expected a dict of columns of numbers, time among them") from None
    time_s = columns.pop("time", np.empty(0))
    if not columns or {c.shape for c in columns.values()} != {time_s.shape} or time_s.ndim != 1:
        raise FileError("recording: expected a column time and others of the same length")
    if not (np.abs(time_s) < TIME_MAX).all():
        raise FileError(f"recording: time: expected finite seconds, less than {TIME_MAX:g}")
    return time_s, columns


class Recording(Source):
    """A record that is played again: rows as frames, at `pace` times the speed it had (0: at once)."""

    name = "recording"

    def __init__(self, record: dict, pace: float = 1.0, batch: int = 100, send=None):
        self.time, columns = _columns_of(record)
        checked_pace(pace)
        super().__init__(Stream(tuple(columns), Format("frame")))
        self.block = np.column_stack(list(columns.values()))
        self.pace, self.batch, self.send = pace, batch, send or self.stream.push
        self.boot = secrets.randbelow(0x7FFF) + 1  # another one each time it is played

    def run(self) -> None:
        """Even stretches become frames; a jump in time begins a new one."""
        ns = np.rint(self.time * 1e9).astype(np.int64)
        steps = np.diff(ns)
        began, first, at = time.monotonic(), 0, 0
        while first < len(ns) and not self._stop.is_set():
            last = min(first + self.batch, len(ns))
            even = np.flatnonzero(np.abs(steps[first : last - 1] - (steps[first] if first < len(steps) else 0)) > 2)
            last = first + 1 + int(even[0]) if even.size else last
            step = round((ns[last - 1] - ns[first]) / (last - 1 - first)) if last - first > 1 else 0
            rows, number = self.block[first:last], at & 0xFFFFFFFF
            self.send(frame(rows, int(ns[first]), max(step, 0), number, self.boot, encoding="float64"))
            first, at = last, last
            if self.pace and first < len(ns):
                ahead = began + (self.time[first] - self.time[0]) / self.pace - time.monotonic()
                if ahead > 0:
                    self._stop.wait(ahead)


class Serial(Source):
    """A serial line: COBS packets of frame + CRC-32 (docs/wire.md), or lines of comma-separated values.

    kind "cobs": frames of `channels`. kind "csv": one sample a line, the channels' values in order, as JSON arrays
    would hold them; other lines count as `broken`. The arrival is their time. `port` is opened read-only at `baud`.
    """

    name = "serial"

    def __init__(self, port: str, channels, kind: str = "cobs", baud: int = 921600, scales=None):
        if kind not in ("cobs", "csv"):
            raise ValueError(f"serial kind {plain(repr(kind), 40)}: expected cobs or csv")
        fmt = (
            Format("frame", scales=scales or {}) if kind == "cobs" else Format("json", keys={"t": "time", "s": "rows"})
        )
        super().__init__(Stream(channels, fmt))
        if not str(baud).isdecimal() or len(str(baud)) > 8:
            raise ValueError("baud: expected a rate such as 115200 or 921600")
        self.port, self.kind, self.baud = port, kind, int(baud)
        self.broken = 0  # packets that were cut, damaged or no numbers

    def start(self):
        """Opens the port first, so that a wrong one is told at once."""
        self._file = _open_port(self.port, self.baud)
        return super().start()

    def run(self) -> None:
        """Reads until the line ends; what does not fit is counted and passed over."""
        import os
        import select

        mark, pending = (DELIMITER if self.kind == "cobs" else b"\n"), b""
        take = self._packet if self.kind == "cobs" else self._line
        while not self._stop.is_set():
            if not select.select([self._file], [], [], 0.1)[0]:
                continue
            data = os.read(self._file, LINE_LIMIT)
            if not data:
                break
            *whole, pending = (pending + data).split(mark)
            for part in whole:
                take(part)
            if len(pending) > LINE_LIMIT:
                self.broken, pending = self.broken + 1, b""

    def _packet(self, part: bytes) -> None:
        import zlib

        if not part:
            return
        try:
            packet = _core.cobs_decode(part)
        except ValueError:
            packet = b""
        if len(packet) < 5 or zlib.crc32(packet[:-4]) != int.from_bytes(packet[-4:], "little"):
            self.broken += 1
        else:
            self.stream.push(packet[:-4])

    def _line(self, part: bytes) -> None:
        text = part.strip()
        if not text or text.startswith(b"#"):
            return
        if CSV_LINE.fullmatch(text):
            self.stream.push(b'{"t":%d,"s":[[%s]]}' % (time.time_ns(), text))
        else:
            self.broken += 1
            self.stream.push(b"")  # which the stream counts as refused, as it does a line of another length

    def close(self) -> None:
        """Ends the thread and closes the port."""
        import os

        super().close()
        if getattr(self, "_file", None) is not None:
            os.close(self._file)
            self._file = None


def cobs_packet(message: bytes) -> bytes:
    """A frame as it goes over a serial line: COBS of frame + CRC-32, then the delimiter."""
    import zlib

    return _core.cobs_encode(message + zlib.crc32(message).to_bytes(4, "little")) + DELIMITER


def _open_port(port: str, baud: int) -> int:
    """The descriptor of a raw serial line; FileError says what is wrong."""
    import os
    import termios
    import tty

    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise ValueError(f"baud {baud}: expected a rate that this system has, such as 115200 or 921600")
    try:
        fd = os.open(port, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as e:
        raise FileError(f"{port}: {e.strerror}, expected a serial port") from None
    try:
        tty.setraw(fd)
        mode = termios.tcgetattr(fd)
        mode[4] = mode[5] = speed
        termios.tcsetattr(fd, termios.TCSANOW, mode)
    except termios.error as e:
        os.close(fd)
        raise FileError(f"{port}: {e.args[-1]}, expected a serial port") from None
    return fd
