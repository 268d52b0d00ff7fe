"""Figures of the operational twin: decoding, store, sink, observer, futures. own_live.py [PART...], one JSON line each.

The observer is held against filterpy where benchmarks/run.sh has put it (build/bench/venv-mqtt).
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from peer_ingest import CHANNELS, FORMATS

import polepair as pp
from polepair import _core
from polepair.live.estimation import estimates
from polepair.live.mqtt import Link
from polepair.live.sinks import Influx, lines
from polepair.live.sources import Simulated
from polepair.live.store import Recorder
from polepair.live.streams import Stream

ROOT = Path(__file__).resolve().parents[1]
DECODING = ("decoder", "config", "sequence", "decode_json", "decode_binary", "number")


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


def push_all(core, made):
    """Every message into a stream."""
    take = core.push
    for m in made:
        take(m)


def decoding():
    """CPU time per message in Stream.push from Python, less that of a message refused by its size."""
    cases = {
        "json1": (messages("json1", 20000), 1),
        "spb": (sparkplug(20000), 1),
        "jsonb": (messages("jsonb", 1000), 100),
    }
    for fmt, (made, samples) in cases.items():
        refusing = Stream(CHANNELS, FORMATS[fmt], 1 << 12, size_limit=1).core
        idle = best(lambda c=refusing, m=made: push_all(c, m)) / len(made)
        full = best(lambda f=fmt, m=made: push_all(Stream(CHANNELS, FORMATS[f], 1 << 12).core, m)) / len(made)
        rate = samples / (full - idle) / 1e6
        say(
            f"decode and publish {fmt}",
            1e6 * (full - idle),
            "us/message",
            Msamples_per_s=round(rate, 2),
            bytes=len(made[0]),
        )


def decoding_alone():
    """CPU time per message of the decoders by themselves, compiled as the extension is."""
    with tempfile.TemporaryDirectory() as folder:
        program, data = Path(folder) / "decode", Path(folder) / "messages"
        sources = [
            ROOT / "benchmarks/decode.c",
            *(ROOT / f"csrc/host/stream/{k}.c" for k in DECODING),
            *sorted((ROOT / "csrc/core/wire").glob("*.c")),
        ]
        flags = ["-std=c11", "-O3", "-fno-math-errno", "-ffp-contract=off", "-fno-tree-slp-vectorize"]
        command = ["gcc", *flags, f"-I{ROOT}/csrc/include", *sources, "-lpthread", "-o", program]
        subprocess.run(command, check=True)
        for fmt, made, samples in (
            ("json1", messages("json1", 4000), 1),
            ("spb", sparkplug(4000), 1),
            ("jsonb", messages("jsonb", 400), 100),
        ):
            data.write_bytes(b"".join(len(m).to_bytes(4, "little") + m for m in made))
            done = subprocess.run([program, fmt, data, *CHANNELS], capture_output=True, text=True, check=True)
            ns = float(done.stdout)
            say(f"decode alone {fmt}", ns / 1e3, "us/message", Msamples_per_s=round(samples * 1e3 / ns, 2))


def storing():
    """CPU seconds that recording adds to a million samples of 8 channels in batches of 100: journal, decode, SQLite."""
    channels = [f"c{k}" for k in range(8)]
    values = np.random.default_rng(0).normal(size=(100, 8))
    frames = [pp.frame(values, 10**18 + k * 10**7, 10**5, 100 * k) for k in range(10000)]
    began = time.process_time()
    push_all(Stream(channels, "frame", 1 << 16).core, frames)
    live = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(channels, "frame", 1 << 16)
        recorder = Recorder(Path(folder) / "x.ppdb", stream)
        began = time.process_time()
        push_all(stream.core, frames)
        recorder.close()
        spent = time.process_time() - began
    say("store, 10^6 samples of 8 channels", spent - live, "CPU s", without=round(live, 3))


def line_protocol():
    """Points a second of CPU that become line protocol."""
    stream = Stream([f"c{k}" for k in range(6)], "frame", 1 << 18)
    stream.push(pp.frame(np.random.default_rng(0).normal(size=(20000, 6)), 10**18, 10**5, 0, encoding="float64"))
    rows = stream.window()
    say("line protocol, 6 fields", len(rows) / best(lambda: lines(rows, "motor,asset=m1"), 3), "points/CPU s")


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
            lambda a=adapt, u=unscented: _core.Observer(motor, 0.04, a).run(*columns, wanted, out, u), 15
        )
        say(f"observer, {name}", rates[name] / 1e6, "M updates/CPU s")
    peer = ROOT / "build/bench/venv-mqtt/bin/python"
    command = [peer, ROOT / "benchmarks/peer_filterpy.py", ROOT / "tests/data/servo-400w.npz"]
    done = subprocess.run(command, capture_output=True, text=True) if peer.exists() else None
    if done and done.returncode == 0:
        theirs = float(done.stdout)
        say("filterpy, 5 states", theirs, "updates/CPU s", polepair_ratio=round(rates["5 states"] / theirs))


def futures():
    """Forking the live state, and a thousand futures of 50 ms."""
    motor = pp.load("outrunner-12s14p")
    view = pp.Live(Simulated(pp.Twin(motor), pace=0, seconds=0.6), motor)
    with view:
        while view.source.running:
            view.update(0.05)
    view.fork()
    say("fork of the live state", 1e3 * best(lambda: [view.fork() for _ in range(1000)]), "us")
    asked = [(200.0 + k / 10, 0.1) for k in range(1000)]
    say("1000 futures of 50 ms", best(lambda: view.futures(asked, 0.05), 3), "CPU s")


def servers(folder):
    """A mosquitto and an influxd of our own on loopback: their ports, and how to end them."""
    ports = []
    for _ in range(3):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            ports.append(s.getsockname()[1])
    mqtt, http, rpc = ports
    Path(folder, "m.conf").write_text(f"listener {mqtt} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    Path(folder, "i.conf").write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n[meta]\ndir = "{folder}/meta"\n[data]\n'
        f'dir = "{folder}/data"\nwal-dir = "{folder}/wal"\n[http]\nbind-address = "127.0.0.1:{http}"\n'
        "log-enabled = false\n"
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(["mosquitto", "-c", f"{folder}/m.conf"], **quiet)]
    running.append(subprocess.Popen(["influxd", "-config", f"{folder}/i.conf"], **quiet))
    time.sleep(3)
    return mqtt, http, running


def round_trip(port, qos):
    """Command to acknowledgement through the broker, both ends in Python: median of 200, 5 ms apart."""
    ends = [Link(f"mqtt://127.0.0.1:{port}/m") for _ in range(2)]
    for end, topic in zip(ends, ("ack", "cmd"), strict=True):
        end.core.subscribe(topic, qos)
        end.connect()
    times = []
    for _ in range(200):
        began = time.perf_counter()
        ends[0].publish("cmd", bytes(22), qos)
        ends[1].mail(1.0)
        ends[1].publish("ack", bytes(16), qos)
        ends[0].mail(1.0)
        times.append(time.perf_counter() - began)
        time.sleep(0.005)
    for end in ends:
        end.close()
    say(f"command to ack, QoS {qos}/{qos}", 1e3 * float(np.median(times)), "ms", p95=round(1e3 * sorted(times)[190], 3))


def over_servers():
    """Round trips over mosquitto, and the sink into influxd."""
    with tempfile.TemporaryDirectory() as folder:
        mqtt, http, running = servers(folder)
        try:
            for qos in (0, 1):
                round_trip(mqtt, qos)
            create = f"http://127.0.0.1:{http}/query?q=CREATE+DATABASE+x"
            urllib.request.urlopen(urllib.request.Request(create, method="POST"))
            stream = Stream([f"c{k}" for k in range(6)], "frame", 1 << 19)
            values = np.random.default_rng(0).normal(size=(1000, 6))
            for k in range(200):
                stream.push(pp.frame(values, 10**18 + k * 10**9, 10**6, 1000 * k, encoding="float64"))
            sink, began, cpu = Influx(f"http://127.0.0.1:{http}/write?db=x"), time.perf_counter(), time.process_time()
            for first in range(0, 200_000, 20_000):
                sink.write(stream.since(first, 20_000))
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
            say("InfluxDB sink, 6 fields", 200_000 / wall, "points/s", points_per_CPU_s=round(200_000 / cpu))
        finally:
            for process in running:
                process.kill()


if __name__ == "__main__":
    for part in (decoding, decoding_alone, storing, line_protocol, observer, futures, over_servers):
        if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
            part()
