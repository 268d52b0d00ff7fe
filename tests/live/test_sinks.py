"""The sink seam: line protocol, back-pressure, and a real InfluxDB on loopback."""

import json
import shutil
import subprocess
import urllib.request

import numpy as np
import pytest
from support.brokers import free_port
from support.waiting import until

from polepair import _core
from polepair.live.sinks import Influx, Pump, SinkError, lines
from polepair.live.streams import Stream

CHANNELS = ("w", "T x")


def filled(n, first=0, stream=None):
    s = stream or Stream(CHANNELS, "json", 1 << 16)
    for k in range(first, first + n):
        s.push(b'{"n":%d,"t":%d,"w":%d,"T x":%s}' % (k, 10**18 + k, k, b"null" if k == 3 else b"0.5"))
    return s


def test_line_protocol():
    text = lines(filled(5).read(), "motor,asset=m1").decode().splitlines()
    assert text[0] == "motor,asset=m1 w=0,T\\ x=0.5 1000000000000000000"
    assert text[3] == "motor,asset=m1 w=3 1000000000000000003"
    assert lines(filled(2).read(), "m").decode().count("\n") == 2
    assert Influx("http://h/write?db=x", "a b", {"k,": "v="}).head == "a\\ b,k\\,=v\\="
    with pytest.raises(ValueError, match="expected http"):
        Influx("ftp://h")


def test_numbers_as_text():
    """Every value within half of its ninth digit, in the shortest form; what is at the edges of the quick way too."""
    dice = np.random.default_rng(2)
    values = dice.uniform(-1, 1, 20_000) * 10.0 ** dice.integers(-8, 12, 20_000)
    values[::3] = values[::3].astype(np.float32)
    values[::5] = np.round(values[::5], 3)
    edges = [
        0.0,
        -0.0,
        1e-4,
        9.9999999996e-5,
        999999999,
        999999998.6,
        99999999.96,
        0.99999999996,
        1e9,
        10,
        1e-44,
        1e30,
    ]
    values = np.concatenate([values, edges])
    text = _core.line_protocol(b"m", [(b"x", values)], np.zeros(values.size, np.int64)).decode().splitlines()
    for value, line in zip(values, text, strict=True):
        number = line.removeprefix("m x=").removesuffix(" 0")
        near = f"{value:.9g}"
        assert abs(float(number) - value) <= abs(value) * 5.1e-9 and len(number) <= len(near) + 1, (value, number)
        assert np.float32(number) == np.float32(value) or number == near, (value, number)
    assert _core.line_protocol(b"m", [(b"x", [1.0])], [-5]) == b"m x=1 -5\n"
    for bad in ([(b"x", [1.0, 2.0])], [("x", [1.0])], [1], [(b"x", [1.0])] * 65):
        with pytest.raises((ValueError, TypeError)):
            _core.line_protocol(b"m", bad, [0])


class Moody:
    """Fails at first, then takes."""

    def __init__(self, failures):
        self.failures, self.got = failures, []

    def write(self, rows):
        if self.failures:
            self.failures -= 1
            raise SinkError("not now, expected later")
        self.got += rows["w"].tolist()

    def close(self):
        self.got.append("closed")


def test_back_pressure_loses_nothing_within_the_ring():
    s, sink = Stream(CHANNELS, "json", 1 << 16), Moody(2)
    pump = Pump(s, sink, batch=100, wait=0.02)
    filled(1000, stream=s)
    until(lambda: pump.written == 1000)
    pump.close()
    assert sink.got == [*range(1000), "closed"] and pump.missed == 0 and pump.failures == 2


def test_what_the_ring_overwrote_is_counted():
    s, sink = Stream(CHANNELS, "json", 512), Moody(10**9)
    pump = Pump(s, sink, wait=0.02)
    filled(3000, stream=s)
    sink.failures = 0
    until(lambda: s.head == pump._next)
    pump.close()
    assert pump.written + pump.missed == 3000 and pump.missed > 0 and sink.got[-2] == 2999


def test_no_server():
    with pytest.raises(SinkError, match="expected an InfluxDB that answers"):
        Influx(f"http://127.0.0.1:{free_port()}/write?db=x", timeout=1).write(filled(1).read())


@pytest.fixture
def influx(tmp_path):
    if not shutil.which("influxd"):
        pytest.skip("no influxd")
    http, rpc = free_port(), free_port()
    (tmp_path / "influx.conf").write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n[meta]\ndir = "{tmp_path}/meta"\n[data]\n'
        f'dir = "{tmp_path}/data"\nwal-dir = "{tmp_path}/wal"\n[http]\nbind-address = "127.0.0.1:{http}"\n'
        "log-enabled = false\n"
    )
    server = subprocess.Popen(["influxd", "-config", str(tmp_path / "influx.conf")], stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{http}"

    def up():
        try:
            return urllib.request.urlopen(f"{base}/ping", timeout=1).status == 204
        except OSError:
            return False

    until(up)
    yield base
    server.terminate()
    server.wait()


def test_influxdb(influx):
    urllib.request.urlopen(urllib.request.Request(f"{influx}/query?q=CREATE+DATABASE+motors", method="POST"))
    s = Stream(CHANNELS, "json", 1 << 17)
    pump = Pump(s, Influx(f"{influx}/write?db=motors", "motor", {"asset": "m1"}), wait=0.05)
    filled(20_000, stream=s)
    until(lambda: pump.written == 20_000)
    pump.close()
    query = f"{influx}/query?db=motors&q=SELECT+count(w),sum(w),count(%22T+x%22)+FROM+motor+WHERE+asset='m1'"
    series = json.load(urllib.request.urlopen(query))["results"][0]["series"][0]["values"][0]
    assert series[1:] == [20_000, sum(range(20_000)), 19_999] and pump.missed == pump.failures == 0
    with pytest.raises(SinkError, match="404"):
        Influx(f"{influx}/write?db=nothing").write(filled(1).read())
    assert np.isfinite(series[1])
