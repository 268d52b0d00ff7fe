"""Acknowledged is stored: with a disk that is full now and then, over every transport and descriptor."""

import contextlib
import os
import resource
import shutil

import numpy as np
import pytest
from support.brokers import Broker, shipped
from support.disks import fill_up
from support.waiting import until

from polepair.live.mqtt import Link, MqttSource, Publisher
from polepair.live.store import Recorder, Store
from polepair.live.streams import Format
from polepair.live.wire import StreamInfo

pytest.importorskip("polepair._mqtt")
if not shutil.which("mosquitto"):
    pytest.skip("no mosquitto", allow_module_level=True)

CHANNELS = ("a", "b")
INFO = {"fast": StreamInfo(CHANNELS, Format("json"))}


def message(n):
    return b'{"n":%d,"t":%d,"a":%d,"b":0.5}' % (n, n * 1000, n)


@pytest.fixture(scope="module", params=["plain", "tls"])
def broker(request, tmp_path_factory):
    """A broker, and what a user of it gives to connect."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "plain":
        b = Broker(folder)
        yield b.url, lambda user: {}
    else:
        b, made = shipped(folder, ["m1", "m2"])
        ca = made / "tls" / "ca.pem"
        yield f"mqtts://%s@localhost:{b.port}", lambda user: {"ca": ca, "password_file": made / "secret" / user}
    b.close()


@pytest.fixture(params=[0, 1100], ids=["low", "above 1023"])
def descriptors(request):
    """So many descriptors are taken already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    with contextlib.ExitStack() as stack:
        for _ in range(request.param):
            stack.enter_context(open(os.devnull))
        yield request.param
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def still_owed(url, client_id, options):
    """What the broker kept for this client: the messages that it has no acknowledgement of."""
    source = MqttSource(url, channels=CHANNELS, fmt="json", client_id=client_id, clean=False, **options).start()
    link = Link(url, **options).connect()
    seen = -1
    while source.stream.head != seen:
        seen = source.stream.head
        with contextlib.suppress(AssertionError):
            until(lambda: source.stream.head != seen, 1.0)  # noqa: B023
    source.close()
    link.close()
    return set(source.stream.window()["a"].astype(int))


def test_acknowledged_is_stored(broker, descriptors, small_disk):
    """Full, room again, full at the end: sent = stored or owed; every link but the recorder's stands all along."""
    url, options = broker
    plain = "%s" not in url
    at = (lambda user, asset: f"{url}/{asset}") if plain else (lambda user, asset: f"{url % user}/{asset}")
    name = f"taken-{descriptors}"
    device = Publisher(at("m1", "m1"), INFO, **options("m1"))
    healthy = MqttSource(at("twin", "m1"), client_id=f"healthy-{name}", **options("twin")).start()
    source = MqttSource(at("twin", "m1"), client_id=name, clean=False, **options("twin"))
    recorder = Recorder(small_disk / "x.ppdb", source.stream, segment_bytes=1 << 15)
    source.start()
    ballast = small_disk / "ballast"
    for n in range(200):
        assert device.send(message(n), qos=1)
    until(lambda: source.stream.head == 200)
    fill_up(ballast)
    for n in range(200, 1500):
        assert device.send(message(n), qos=1)
    until(lambda: source.link.state == "lost", 60)
    ballast.unlink()
    until(lambda: source.stream.head == 1500, 60)
    fill_up(ballast)
    for n in range(1500, 2500):
        assert device.send(message(n), qos=1)
    until(lambda: healthy.stream.head == 2500, 60)
    until(lambda: source.link.state == "lost", 60)
    for link in (device.link, healthy.link):
        assert link.status["connections"] == 1 and link.status["cuts"] == 0 and link.status["losses"] == 0
    assert source.link.status["down"] > 0
    source.close()
    ballast.unlink()
    recorder.close()
    assert source.stream.stats["unjournaled"] > 0
    with Store(small_disk / "x.ppdb") as store:
        stored = store.read()["a"].astype(int)
    owed = still_owed(at("twin", "m1"), name, options("twin"))
    assert len(set(stored)) == len(stored) and set(range(1500)) <= set(stored) and owed
    assert set(stored) | owed == set(range(2500))
    device.close()
    healthy.close()


def test_several_recorders_in_one_process(tmp_path, small_disk):
    """The one whose disk is full is cut, beside others in the same process that receive as much."""
    b = Broker(tmp_path)
    devices = [Publisher(f"{b.url}/m{k}", INFO) for k in range(3)]
    sources = [MqttSource(f"{b.url}/m{k}", client_id=f"several-{k}", clean=False) for k in range(3)]
    recorders = [Recorder(tmp_path / f"{k}.ppdb", sources[k].stream) for k in (0, 2)]
    recorders.append(Recorder(small_disk / "1.ppdb", sources[1].stream, segment_bytes=1 << 15))
    fill_up(small_disk / "ballast")
    for source in sources:
        source.start()
    for n in range(1500):
        for device in devices:
            assert device.send(message(n), qos=1)
    until(lambda: sources[1].link.state == "lost", 60)
    until(lambda: sources[0].stream.head == sources[2].stream.head == 1500, 20)
    for link in [d.link for d in devices] + [sources[0].link, sources[2].link]:
        assert link.status["connections"] == 1 and link.status["cuts"] == 0
    (small_disk / "ballast").unlink()
    until(lambda: sources[1].stream.head == 1500, 60)
    for end in (*sources, *recorders, *devices):
        end.close()
    assert all(np.array_equal(np.sort(s.stream.window()["a"]), np.arange(1500)) for s in sources)
    b.close()


def test_qos_2_is_refused():
    """At QoS 2 a message is the receiver's before it is stored."""
    link = Link("mqtt://127.0.0.1:1/m1")
    with pytest.raises(ValueError, match="QoS 2, expected 0 or 1"):
        link.core.subscribe("x", 2)
    link.close()
