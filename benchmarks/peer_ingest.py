"""polepair as an MQTT receiver of the harness in bench/mqtt_ingest: the same flags, READY, one JSON line.

peer_ingest.py --port 1883 --topic vt/bench --qos 0 --fmt json1 --n 200000 [--tls CA.pem] [--record FOLDER]
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from polepair import _core, _mqtt
from polepair.live.streams import Format, Layout, Stream

POOL, BATCH, FIRST = 64, 100, 10**9  # of the harness: messages before they repeat, samples of a batch, first number
CHANNELS = ("dt", "ia", "ib", "ic", "w", "T", "vb", "tq")
KEYS = {"t": "time", "n": "seq", "s": "rows"}
FORMATS = {
    "json1": Format("json", keys=KEYS),
    "jsonb": Format("json", keys=KEYS),
    "bin": Format(
        "packed",
        layout=Layout(40, magic=b"VTB1", seq=(8, 8), time=(16, 8), step=(24, 4), samples=(28, 4), channels=(6, 1)),
    ),
    "spb": Format("sparkplug", aliases={1: "time", 2: "seq", **{a: CHANNELS[a - 2] for a in range(3, 9)}}),
}


def options():
    """The harness's flags."""
    ap = argparse.ArgumentParser()
    for name, default in (("host", "127.0.0.1"), ("port", 1883), ("topic", "vt/bench"), ("qos", 0), ("fmt", "json1")):
        ap.add_argument("--" + name, default=default, type=type(default))
    for name, default in (
        ("n", 100000),
        ("decode", 1),
        ("lat", 0),
        ("idle", 3.0),
        ("json", ""),
        ("tls", ""),
        ("record", ""),
    ):
        ap.add_argument("--" + name, default=default, type=type(default))
    return ap.parse_args()


def max_error(stream, single: bool) -> float:
    """Largest difference of current a from what the harness sent, over the rows that are kept."""
    rows = stream.window()
    j = np.zeros(len(rows)) if single else np.rint(rows["dt"] * 1e4)
    phase = 2 * np.pi * (((rows.seq - FIRST) % POOL) * BATCH + j) / (POOL * BATCH)
    return float(np.abs(10 * np.sin(phase) - rows["ia"]).max())


def main():
    """Receives, then reports."""
    o = options()
    stream = Stream(CHANNELS, FORMATS[o.fmt], 1 << 17)
    client = _mqtt.Client(
        f"{'ssl' if o.tls else 'tcp'}://{o.host}:{o.port}", "bench-recv", ca=o.tls or None, keep_alive=60
    )
    if o.record:
        Path(o.record).mkdir(parents=True, exist_ok=True)
        stream.core.journal(_core.Journal(o.record, 64 << 20, 0, 0), 0)
    client.route(o.topic, stream.core.handle())
    client.subscribe(o.topic, o.qos)
    client.connect()
    client.wait("connecting", 10)
    status = client.status()
    if status["link"] != "up":
        sys.exit(f"peer_ingest: {status['text']}")
    before = resource.getrusage(resource.RUSAGE_SELF)
    print("READY", flush=True)
    per, seen, first, last, quiet, latency = 100 if o.fmt in ("jsonb", "bin") else 1, 0, 0.0, 0.0, time.time(), []
    while seen < o.n * per:
        head = stream.core.wait(seen, 0.2)
        now = time.time()
        if o.lat and head > seen:
            sent = stream.core.column(-1, max(seen, stream.core.floor), head)
            latency.append(time.time_ns() - sent)
        if head > seen:
            first, last, quiet = first or now, now, now
        elif now - quiet > o.idle:
            break
        seen = head
        if not o.lat and seen < o.n * per:
            time.sleep(0.001)  # a reader that takes what has come in a millisecond
    after = resource.getrusage(resource.RUSAGE_SELF)
    n = stream.stats
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    got, wall = n["messages"], max(last - first, 1e-9)
    bad = sum(v for k, v in n.items() if " " in k)
    out = {
        "peer": "polepair",
        "version": f"{_core.version}/paho {_mqtt.library}",
        "n_recv": got,
        "lost": o.n - got,
        "bad": bad,
    }
    out |= {"dup": n["duplicates"], "ooo": n["out_of_order"], "wall_s": round(wall, 4), "msgs_s": round(got / wall)}
    out |= {
        "samples_s": round(n["rows"] / wall),
        "cpu_s": round(cpu, 4),
        "cpu_s_per_M": round(cpu / max(got, 1) * 1e6, 3),
    }
    out |= {"max_rss_kb": after.ru_maxrss, "max_err": float(f"{max_error(stream, per == 1):.2g}")}
    if latency:
        a = np.sort(np.concatenate(latency)) / 1e3
        out |= {f"lat_p{p}_us": round(float(a[len(a) * p // 100]), 1) for p in (50, 99)} | {
            "lat_max_us": round(float(a[-1]), 1)
        }
    print(json.dumps(out), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
