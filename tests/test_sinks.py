"""The sink seam: line protocol, back-pressure, and a real InfluxDB on loopback."""

import json
import shutil
import subprocess
import urllib.request

import numpy as np
import pytest

from polepair.sinks import Influx, Pump, SinkError, lines
from polepair.streams import Stream
from tests.brokers import free_port
from tests.waiting import until

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
