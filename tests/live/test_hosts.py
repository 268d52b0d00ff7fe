"""Hosts of addresses, and what sources are called where people read of them."""

import os
import pty
import threading

import pytest

from polepair.live.sources import Recording, Serial
from polepair.live.wire import address, checked_host

GOOD = ["broker", "a-b.example.org", "b_1", "192.168.1.20", "[::1]", "[fe80::1%eth0]", "x" * 253]
BAD = ["-a", ".a", "a b", "a\u2028b", "h\xf6st", "a,b", "a*", "$HOME", "a;b", "x" * 254, "a%zz"]


@pytest.mark.parametrize("host", GOOD)
def test_hosts(host):
    found = address(f"mqtt://{host}:1884/lab/m1")
    assert found.host == host.strip("[]") and found.uri == f"tcp://{host}:1884" and found.asset == "m1"
    assert checked_host(found.host, "host") == found.host


@pytest.mark.parametrize("host", BAD)
def test_other_hosts_are_refused_and_not_repeated(host):
    with pytest.raises(ValueError, match="address: expected a host|address: host: expected a host name") as e:
        address(f"mqtt://{host}/m1")
    assert host not in str(e.value)


def test_threads_are_called_what_their_source_is():
    master, slave = pty.openpty()
    sources = [
        Serial(os.ttyname(slave), ("a",), "csv", 115200),
        Recording({"time": [0.0, 9.0], "a": [1.0, 2.0]}, batch=1),
    ]
    for source, name in zip(sources, ("serial", "recording"), strict=True):
        before = threading.enumerate()
        source.start()
        assert [t.name for t in threading.enumerate() if t not in before] == [name] == [source.name]
        source.close()
    os.close(master)
    os.close(slave)
