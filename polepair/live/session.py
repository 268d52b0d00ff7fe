"""The operational twin: samples as they come, and what cannot be measured beside them, with age and uncertainty."""

import math
import threading
import time

import numpy as np

from .. import _core
from ..arguments import NAMES, TABLE, TEXT, a, number, takes
from ..design.motor import MOTOR, Motor
from ..errors import LinkError
from ..run.result import Result
from ..run.twin import ALL, Twin, channel_columns
from .estimation import best_observer, current_noise, estimates
from .mqtt import MqttSource
from .sources import DRIVE, Recording, Serial, Simulated, Source
from .wire import estimate_message

QUALITY = ("good", "starting", "not observable", "inconsistent", "stale", "no estimate", "no sample yet")
STALE, NO_ESTIMATE, NOTHING = 4, 5, 6
SENSORS = {  # what an observer can live on, the best first
    "currents": ({"u_alpha", "u_beta"}, ({"i_alpha", "i_beta"}, {"ia", "ib"})),
    "speed": ({"omega_m", "i_bus"}, (set(),)),
    "position": ({"theta_m"}, (set(),)),
}
START, LOOK = 256, 2048  # rows
SPEED_SIGMA, ANGLE_SIGMA, BUS_SIGMA = 0.005, 0.01, 0.02  # of speed at rated voltage, rad, of i_max


def sensors_of(channels) -> str | None:
    """Which set of sensors the channels give: "currents", "speed", "position" or None."""
    have = set(channels)
    for name, (all_of, one_of) in SENSORS.items():
        if all_of <= have and any(other <= have for other in one_of):
            return name
    return None


def missing_for(channels) -> str:
    """What the channels lack for an estimate, in words; empty where they suffice."""
    have = set(channels)
    if sensors_of(have):
        return ""
    ways = [sorted(all_of | other) for all_of, one_of in SENSORS.values() for other in one_of]
    begun = [w for w in ways if have & set(w)]
    least = min((len(set(w) - have) for w in begun), default=0)
    nearest = [w for w in begun if len(set(w) - have) == least] or ways
    lacks = (", ".join(n for n in w if n not in have) for w in nearest)
    return "needs " + ", or ".join(dict.fromkeys(lacks))


class Estimator:
    """The observer over the rows of a stream; the same rows give the same bits however they are cut.

    With currents and voltages the first START rows choose the beginning (the motor may be turning already), and every
    LOOK rows an observer that lost the motor begins again; their estimates are NaN, quality 1.
    """

    def __init__(self, motor: Motor, channels, adapt: bool = True):
        self.motor, self.channels, self.adapt = motor, tuple(channels), adapt
        self.sensors = sensors_of(channels)
        self.core = None if self.sensors == "currents" else _core.Observer(motor, adapt=False)
        self.names = tuple(estimates())
        self.restarts = 0
        self._all = np.arange(len(self.names), dtype=np.int32)
        self._quality = self.names.index("quality")
        self._origin: int | None = None  # ns; seconds since 1970 would leave no digits for the sampling period
        self._head: list[np.ndarray] = []
        self._rows = 0  # since the beginning
        self._last: float | None = None
        self._speed_sigma = SPEED_SIGMA * motor.drive.u_dc * motor.derive().Kv

    def feed(self, rows) -> np.ndarray:
        """Estimates after each row, (rows, estimates)."""
        if self._origin is None and len(rows):
            self._origin = int(rows.time[0])
        seconds = (rows.time - (self._origin or 0)) * 1e-9
        if self.sensors == "currents":
            return self._over([seconds, rows["u_alpha"], rows["u_beta"], *self._currents(rows)])
        out = np.full((len(rows), len(self.names)), math.nan)
        if self.sensors:
            take = self._speed_row if self.sensors == "speed" else self._angle_row
            for k, t in enumerate(seconds):
                if self._last is not None and t > self._last:
                    self.core.coast(min(t - self._last, 1.0))
                take(rows, k)
                self._last = t
                out[k] = self.core.estimates()
        return out

    def _over(self, columns) -> np.ndarray:
        """Cuts where the observer begins or is looked at, whatever the cuts of the caller."""
        out, first, count = np.full((len(columns[0]), len(self.names)), math.nan), 0, len(columns[0])
        out[:, self._quality] = 1.0
        while first < count:
            mark = START if self.core is None else (self._rows // LOOK + 1) * LOOK
            last = min(count, first + mark - self._rows)
            part = [np.ascontiguousarray(c[first:last], dtype=float) for c in columns]
            self._rows += last - first
            if self.core is None:
                self._begin(part)
            else:
                out[first:last] = self.core.run(*part, self._all)
                lost = not out[last - 1, self._quality] < 3 or not np.isfinite(out[last - 1]).all()
                if lost and self._rows % LOOK == 0:
                    self.core, self._rows, self._head = None, 0, []
                    self.restarts += 1
            first = last
        return out

    def _begin(self, part) -> None:
        self._head.append(part)
        if self._rows < START:
            return
        head = [np.concatenate(c) for c in zip(*self._head, strict=True)]
        good = np.isfinite(np.sum(head, axis=0)) & np.r_[True, np.diff(head[0]) > 0]
        head = [c[good] for c in head]
        if len(head[0]) > START // 2:
            self.core = best_observer(self.motor, head, current_noise(*head[3:]), self.adapt)
            self.core.run(*head, self._all)
        else:
            self._rows = 0
        self._head = []

    def _currents(self, rows):
        if "i_alpha" in self.channels:
            return rows["i_alpha"], rows["i_beta"]
        return rows["ia"], (rows["ia"] + 2 * rows["ib"]) / math.sqrt(3)

    def _speed_row(self, rows, k: int) -> None:
        drive = self.motor.drive
        volts = float(rows["u_dc"][k]) if "u_dc" in self.channels else drive.u_dc
        self.core.speed(float(rows["omega_m"][k]), self._speed_sigma)
        self.core.bus(float(rows["i_bus"][k]), volts, BUS_SIGMA * drive.i_max)

    def _angle_row(self, rows, k: int) -> None:
        self.core.angle(float(rows["theta_m"][k]), ANGLE_SIGMA)


class Live:
    """A source, its stream and the estimates beside it. `update()` takes what has come; `values` holds the newest."""

    def __init__(self, source, motor: Motor | None = None, adapt: bool = True, publisher=None):
        self.source, self.motor, self.stream = source, motor, source.stream
        self.estimator = Estimator(motor, self.stream.channels, adapt=adapt) if motor else None
        if self.estimator and self.estimator.sensors is None:
            self.estimator = None
        self.publisher = publisher
        self.values: dict[str, float] = {}
        self.time_ns = self.arrival_ns = 0
        self.missed = 0
        self._timed = True  # whether the newest samples said their time
        self._lock = threading.Lock()

    def __enter__(self):
        self.source.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Ends the source."""
        self.source.close()

    def update(self, timeout: float = 0.0):
        """Takes the rows that have come, waiting up to `timeout` seconds for some. Returns (rows, estimates)."""
        if timeout:
            self.stream.wait(timeout=timeout)
        with self._lock:
            rows = self.stream.read()
            self.missed += rows.missed
            block = self.estimator.feed(rows) if self.estimator else np.empty((len(rows), 0))
            if len(rows):
                self._note(rows, block)
        return rows, block

    def _note(self, rows, block) -> None:
        self._timed = bool(rows.time.any())
        self.time_ns, self.arrival_ns = int(rows.time[-1]), int(rows.arrival[-1])
        self.values = {n: float(rows[n][-1]) for n in rows.channels}
        if self.estimator:
            self.values |= {f"est.{n}": float(v) for n, v in zip(self.estimator.names, block[-1], strict=True)}

    @property
    def lacks(self) -> str:
        """What estimates need and do not get, in words: channels, or times; empty where nothing lacks."""
        if self.motor is None:
            return ""
        if self.estimator and not self._timed:
            return "needs the time of each sample"
        return missing_for(self.stream.channels)

    @property
    def age(self) -> float:
        """Seconds since the newest sample arrived; infinite before the first."""
        return max(0.0, (time.time_ns() - self.arrival_ns) * 1e-9) if self.arrival_ns else math.inf

    @property
    def quality(self) -> str:
        """Of the estimates: good, starting, not observable or inconsistent; stale, no estimate, no sample yet."""
        if not self.arrival_ns:
            return QUALITY[NOTHING]
        if self.age > 1.0:
            return QUALITY[STALE]
        code = self.values.get("est.quality", math.nan)
        return QUALITY[NO_ESTIMATE] if code != code or self.lacks else QUALITY[int(code)]

    @property
    def stats(self) -> dict:
        """The stream's counters, and rows that were overwritten before update() took them."""
        return {**self.stream.stats, "missed": self.missed}

    def publish(self) -> bool:
        """Sends the newest estimates to the asset's retained `est`, where there is a publisher."""
        if not self.publisher or not self.estimator or not self.values:
            return False
        values = {n: self.values[f"est.{n}"] for n in self.estimator.names if n not in ("nis", "quality")}
        age, topic = self.age, f"{self.publisher.address.base}/est"
        return self.publisher.publish(topic, estimate_message(values, self.time_ns, age, self.quality), 0, True)

    def fork(self):
        """A twin (polepair._core.Twin) in the state that the motor is in now, to be run ahead."""
        if not self.estimator or "est.omega_m" not in self.values:
            raise LinkError("live: no estimate yet, expected samples with currents and voltages")
        if not hasattr(self, "_ahead"):
            self._ahead = Twin(self.motor).core()
        twin, v = self._ahead.fork(), self.values
        theta = v["est.theta_e"] / self.motor.rotor.pole_pairs
        twin.place(v["est.id"], v["est.iq"], v["est.omega_m"], theta, v["est.torque_load"])
        twin.ask(v["est.omega_m"], v["est.torque_load"])
        return twin

    def ahead(self, seconds: float, speed=None, load=None, record=ALL) -> Result:
        """What would happen from now on under this speed reference [rad/s] and load torque [N m] (default: as now)."""
        twin, v = self.fork(), self.values
        twin.ask(v["est.omega_m"] if speed is None else speed, v["est.torque_load"] if load is None else load)
        names, columns = channel_columns(record)
        rows = max(1, round(seconds / twin.period)) + 1
        return Result(names, twin.run(rows, 1, True, columns), {"motor": self.motor.name, "period": twin.period})

    def futures(self, asked, seconds: float, record=("omega_m", "i_s", "torque")) -> np.ndarray:
        """The ends of many futures: asked is pairs of (speed reference, load torque); (futures, channels)."""
        _, columns = channel_columns(record)
        now = self.fork()
        rows = max(1, round(seconds / now.period))
        out = np.empty((len(asked), len(columns)))
        for k, (speed, load) in enumerate(asked):
            twin = now.fork()
            twin.ask(float(speed), float(load))
            out[k] = twin.run(2, rows, True, columns)[1]
        return out


PACE = number(0.0, wanted="a number from 0 up")


@takes(url=TEXT, motor=MOTOR, stream=TEXT, channels=NAMES)
def connect(url: str, motor: Motor | None = None, stream: str = "fast", channels=None, fmt=None, **options) -> Live:
    """A motor on the wire: mqtt://host/asset or mqtts://host/asset, or serial:/dev/ttyACM0?baud=921600.

    Channels and format come from the device's birth, unless given. options: of mqtt.MqttSource and mqtt.Link
    (password_file, ca, certificate, key, topic, qos, ...).
    """
    if url.startswith("serial:"):
        port, _, query = url.removeprefix("serial:").partition("?")
        given = dict(p.partition("=")[::2] for p in query.split("&") if p)
        return Live(Serial(port, channels or (), kind=given.get("kind", "cobs"), baud=given.get("baud", 921600)), motor)
    return Live(MqttSource(url, stream, channels, fmt, **options), motor)


@takes(twin=a("a Twin or a Motor", Twin, Motor), pace=PACE, seconds=PACE, noise=PACE)
def simulate(twin: Twin | Motor, **options) -> Live:
    """The embedded default: a computed motor whose samples go the way of a real one's.

    options: of sources.Simulated.
    """
    twin = twin if isinstance(twin, Twin) else Twin(twin)
    return Live(Simulated(twin, **options), twin.params)


@takes(record=TABLE, motor=MOTOR, pace=PACE)
def replay(record: dict, motor: Motor | None = None, pace: float = 1.0) -> Live:
    """A recording played again; the estimates have the same bits at any pace."""
    return Live(Recording(record, pace), motor)


__all__ = ["DRIVE", "Estimator", "Live", "Source", "connect", "replay", "sensors_of", "simulate"]
