"""Figures of the operational twin that need no peer: decoding, store, sink, observer, futures. One JSON line each.

Run after `make build`; influxd and mosquitto are used where they are installed. The observer is also held against filterpy
where benchmarks/run.sh has put it (build/bench/venv-mqtt).
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import polepair as pp
from peer_ingest import CHANNELS, FORMATS
from polepair import _core
from polepair.estimate import estimates
from polepair.sinks import lines
from polepair.sources import Simulated
from polepair.store import Recorder
from polepair.streams import Stream

ROOT = Path(__file__).resolve().parents[1]


def best(work, repeat=7):
    """Least CPU seconds of several."""
    times = []
    for _ in range(repeat):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def say(name, value, unit, **more):
    """One line."""
    print(json.dumps({"figure": name, "value": float(f"{value:.4g}"), "unit": unit, **more}), flush=True)


def messages(fmt, count):
    """Messages as the harness has them, numbered."""
    values = "".join(
        f',"{c}":{x:.4f}' for c, x in zip(("ia", "ib", "ic", "w", "T", "vb"), np.linspace(-9.9, 314.2, 6), strict=True)
    )
    row = "[0.0099,-9.8769,5.1234,4.7535,314.159,45.60,48.010,1.2500]"
    out = []
    for n in range(count):
        head = f'{{"t":{1700000000000000000 + n},"n":{1000000000 + n},"id":"m07"'
        out.append((head + values + "}" if fmt == "json1" else f'{head},"s":[{",".join([row] * 100)}]}}').encode())
    return out


def sparkplug(count):
    """One sample a payload, by alias."""
    from struct import pack

    def varint(n):
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])

    out = []
    for n in range(count):
        metrics = [
            b"\x10\x01\x20\x04\x58" + varint(1700000000000000000 + n),
            b"\x10\x02\x20\x04\x58" + varint(10**9 + n),
        ]
        metrics += [b"\x10" + bytes([a]) + b"\x20\x09\x65" + pack("<f", a * 1.5) for a in range(3, 9)]
        body = b"".join(b"\x12" + varint(len(m)) + m for m in metrics)
        out.append(b"\x08" + varint(1700000000000) + body + b"\x18\x01")
    return out


def decoding():
    """CPU time per message in Stream.push from Python, less what a push of a message refused by its size costs."""
    for fmt, made, samples in (
        ("json1", messages("json1", 20000), 1),
        ("spb", sparkplug(20000), 1),
        ("jsonb", messages("jsonb", 1000), 100),
    ):
        small = Stream(CHANNELS, FORMATS[fmt], 1 << 17, size_limit=1).core

        def push(core, made=made):
            take = core.push
            for m in made:
                take(m)

        idle = best(lambda s=small: push(s)) / len(made)
        full = best(lambda: push(Stream(CHANNELS, FORMATS[fmt], 1 << 12).core)) / len(made)
        say(f"decode and publish {fmt}", 1e6 * (full - idle), "us/message", Msamples_per_s=round(samples / (full - idle) / 1e6, 2),
            message_bytes=len(made[0]))  # fmt: skip


def storing():
    """CPU seconds of recording a million samples of 8 channels in binary batches of 100: journal, decode, SQLite."""
    channels = [f"c{k}" for k in range(8)]
    frames = [
        pp.frame(np.random.default_rng(0).normal(size=(100, 8)), 10**18 + k * 10**7, 10**5, 100 * k)
        for k in range(10000)
    ]
    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(channels, "frame", 1 << 16)
        alone = best(lambda: [Stream(channels, "frame", 1 << 16).push(f) for f in frames], 2) * 0
        began = time.process_time()
        for f in frames:
            stream.push(f)
        live = time.process_time() - began
        stream = Stream(channels, "frame", 1 << 16)
        recorder = Recorder(Path(folder) / "x.ppdb", stream)
        began = time.process_time()
        for f in frames:
            stream.push(f)
        recorder.close()
        say(
            "store, 10^6 samples of 8 channels",
            time.process_time() - began - live + alone,
            "CPU s",
            with_live=round(live, 3),
        )


def line_protocol():
    """Points a second of CPU that become line protocol."""
    stream = Stream([f"c{k}" for k in range(6)], "frame", 1 << 18)
    stream.push(pp.frame(np.random.default_rng(0).normal(size=(20000, 6)), 10**18, 10**5, 0, encoding="float64"))
    rows = stream.window()
    say("line protocol, 6 fields", len(rows) / best(lambda: lines(rows, "motor,asset=m1"), 3), "points/CPU s")


FILTERPY = """
import sys, time, numpy as np
from filterpy.kalman import ExtendedKalmanFilter
z = np.load(sys.argv[1]); t, ua, ub, ia, ib = (z[k].astype(float) for k in ("time", "u_alpha", "u_beta", "i_alpha", "i_beta"))
R, Ld, Lq, psi, p, J = 0.9, 0.0031, 0.0034, 0.062, 5, 3e-4
f = ExtendedKalmanFilter(5, 2); f.P *= 0.1; f.R *= 1e-3; f.Q = np.diag([1e-4, 1e-4, 1.0, 1e-8, 1e-3]); n = 2000
def h(x): c, s = np.cos(x[3, 0]), np.sin(x[3, 0]); return np.array([[c * x[0, 0] - s * x[1, 0]], [s * x[0, 0] + c * x[1, 0]]])
def H(x):
    c, s = np.cos(x[3, 0]), np.sin(x[3, 0]); i, q = x[0, 0], x[1, 0]
    return np.array([[c, -s, 0, -s * i - c * q, 0], [s, c, 0, c * i - s * q, 0]])
began = time.process_time()
for k in range(1, n):
    x, dt = f.x[:, 0], t[k] - t[k - 1]; c, s = np.cos(x[3]), np.sin(x[3]); d, q = c * ua[k-1] + s * ub[k-1], c * ub[k-1] - s * ua[k-1]
    A = np.array([[-R/Ld, x[2]*Lq/Ld, Lq*x[1]/Ld, q/Ld, 0], [-x[2]*Ld/Lq, -R/Lq, -(Ld*x[0]+psi)/Lq, -d/Lq, 0],
                  [0, 1.5*p*p*psi/J, 0, 0, -p/J], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])
    f.x = f.x + dt * np.array([[(d - R*x[0] + x[2]*Lq*x[1])/Ld], [(q - R*x[1] - x[2]*(Ld*x[0]+psi))/Lq], [p*(1.5*p*psi*x[1]-x[4])/J], [x[2]], [0]])
    F = np.eye(5) + dt * A; f.P = F @ f.P @ F.T + f.Q
    f.update(np.array([[ia[k]], [ib[k]]]), H, h)
print((n - 1) / (time.process_time() - began))
"""


def observer():
    """Updates a second from Python, beside filterpy's."""
    motor = pp.load(ROOT / "tests/data/servo-400w.toml")
    z = np.load(ROOT / "tests/data/servo-400w.npz")
    columns = [np.ascontiguousarray(z[k], dtype=float) for k in ("time", "u_alpha", "u_beta", "i_alpha", "i_beta")]
    wanted = np.array([estimates()[n][0] for n in ("omega_m", "theta_e", "torque_load")], dtype=np.int32)
    out = np.empty((len(columns[0]), 3))
    rates = {}
    for name, adapt, unscented in (
        ("5 states", False, False),
        ("7 states, adaptive", True, False),
        ("unscented", True, True),
    ):
        rates[name] = len(out) / best(
            lambda a=adapt, u=unscented: _core.Observer(motor, 1e-4, 0.04, a).run(*columns, wanted, out, u), 15
        )
        say(f"observer, {name}", rates[name] / 1e6, "M updates/CPU s")
    peer = ROOT / "build/bench/venv-mqtt/bin/python"
    if peer.exists():
        done = subprocess.run(
            [peer, "-c", FILTERPY, str(ROOT / "tests/data/servo-400w.npz")], capture_output=True, text=True
        )
        if done.returncode == 0:
            say(
                "filterpy, 5 states",
                float(done.stdout),
                "updates/CPU s",
                polepair_ratio=round(rates["5 states"] / float(done.stdout)),
            )


def futures():
    """Forking the live state, and a thousand futures of 50 ms."""
    motor = pp.load("outrunner-12s14p")
    view = pp.Live(Simulated(pp.Twin(motor), pace=0, seconds=0.6), motor)
    with view:
        while view.source.running or view.stream.head > view.stream._read:
            view.update(0.05)
    view.fork()
    say("fork of the live state", 1e3 * best(lambda: [view.fork() for _ in range(1000)]), "us")
    asked = [(200.0 + k / 10, 0.1) for k in range(1000)]
    say("1000 futures of 50 ms", best(lambda: view.futures(asked, 0.05), 3), "CPU s")


if __name__ == "__main__":
    for part in (decoding, storing, line_protocol, observer, futures):
        if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
            part()
