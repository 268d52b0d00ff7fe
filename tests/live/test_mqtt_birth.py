"""A device that is born anew: its samples are decoded as it says, or held."""

import shutil
import time

import numpy as np
import pytest
from support.brokers import Broker
from support.waiting import until

from polepair.live.mqtt import Link, MqttSource
from polepair.live.streams import Format, frame
from polepair.live.wire import StreamInfo, birth

pytest.importorskip("polepair._mqtt")
if not shutil.which("mosquitto"):
    pytest.skip("no mosquitto", allow_module_level=True)

CHANNELS = ("a", "b")


def born(scale=0.01, boot=7, channels=CHANNELS, kind="frame"):
    return birth("device", boot, {"fast": StreamInfo(channels, Format(kind, scales=dict.fromkeys(channels, scale)))})


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    b = Broker(tmp_path_factory.mktemp("born"))
    yield b
    b.close()


class Device:
    """Says what it is told to."""

    def __init__(self, url):
        self.link, self.asset, self.number = Link(url).connect(), url.rsplit("/", 1)[1], 0

    def say(self, payload):
        assert self.link.publish(f"polepair/1/{self.asset}/birth", payload, 1, True)

    def send(self, value, scale, boot=7):
        """One sample of both channels, as counts."""
        counts = np.full((1, 2), value)
        message = frame(
            counts, 10**18 + self.number * 10**6, 0, self.number, boot=boot, encoding="int16", scales=[scale] * 2
        )
        self.number += 1
        assert self.link.publish(f"polepair/1/{self.asset}/t/fast", message, 1)


def open_both(broker, name, clean=False):
    device = Device(f"{broker.url}/{name}")
    device.say(born())
    return device, MqttSource(f"{broker.url}/{name}", client_id=name, clean=clean).start()


def close_both(device, source):
    source.close()
    device.link.close()


def test_another_boot_disturbs_nothing(broker):
    device, source = open_both(broker, "boots")
    device.send(1.0, 0.01)
    device.say(born(boot=8))
    device.send(2.0, 0.01, boot=8)
    until(lambda: source.stream.head == 2)
    status = source.link.status
    assert status["withheld"] == 0 and not status["held"] and status["connections"] == 1 and source.error is None
    close_both(device, source)


@pytest.mark.parametrize("clean", [False, True])
def test_other_scales_are_held(broker, clean):
    """Nothing is taken until the owner can; then what the broker keeps comes again, once."""
    name = f"scales-{clean}"
    device, source = open_both(broker, name, clean)
    device.send(1.0, 0.01)
    until(lambda: source.stream.head == 1)
    device.say(born(scale=0.02))
    for _ in range(30):
        device.send(1.0, 0.02)
    until(lambda: source.error is not None and source.link.status["withheld"] > 30 - clean)
    assert "other scales" in source.error and "other scales" in source.state and source.stream.head == 1
    asked = []
    source.reborn = lambda info: not asked.append(info)
    until(lambda: source.error is None)
    assert asked[0].format.scales == {"a": 0.02, "b": 0.02} and source.info == asked[0]
    if clean:
        until(lambda: source.link.status["connections"] == 2)
        device.send(1.0, 0.02)
    until(lambda: source.stream.head == (2 if clean else 31))
    assert source.stream.stats["duplicates"] == 0 and not source.link.status["held"]
    close_both(device, source)


def test_an_owner_that_fails_is_asked_again(broker):
    device, source = open_both(broker, "fails")
    answers = [ValueError("no room"), False]

    def reborn(info):
        answer = answers.pop(0) if answers else True
        if isinstance(answer, ValueError):
            raise answer
        return answer

    source.reborn = reborn
    device.say(born(scale=0.5))
    until(lambda: source.error is not None)
    assert "other scales (no room)" in source.error
    device.send(1.0, 0.5)
    until(lambda: source.stream.head == 1)
    assert answers == [] and source.error is None
    close_both(device, source)


@pytest.mark.parametrize(
    "payload, text",
    [
        (born(channels=("a", "c")), "other channels"),
        (born(kind="json"), "format json, expected frame"),
        (birth("device", 7, {}), "no stream fast"),
        (b"nonsense", "unusable birth"),
    ],
)
def test_what_cannot_be_taken_is_held(broker, payload, text):
    """Whatever the owner says; and the birth that was known before lets the samples pass again."""
    name = f"other-{len(payload)}"
    device, source = open_both(broker, name, clean=True)
    source.reborn = lambda info: text == "format json, expected frame" and None
    device.say(payload)
    device.send(1.0, 0.01)
    until(lambda: source.error is not None and source.link.status["withheld"] > 0)
    assert text in source.error and source.stream.head == 0
    device.say(born(boot=9))
    until(lambda: source.error is None and not source.link.status["held"])
    until(lambda: source.link.status["connections"] == 2)
    device.send(1.0, 0.01, boot=9)
    until(lambda: source.stream.head == 1)
    close_both(device, source)


def test_a_forgotten_birth_holds_nothing(broker):
    """The broker is told to forget the retained birth: an empty message on its topic."""
    device, source = open_both(broker, "forgotten")
    device.say(b"")
    device.send(1.0, 0.01)
    until(lambda: source.stream.head == 1)
    assert not source.link.status["held"] and source.error is None
    close_both(device, source)


def test_reborn_while_the_link_was_down(broker):
    """In the queue: old samples, the new birth, new samples, which are not decoded with the old scales."""
    device, source = open_both(broker, "down")
    device.send(1.0, 0.01)
    until(lambda: source.stream.head == 1)
    known = source.born
    source.close()
    for _ in range(20):
        device.send(2.0, 0.01)
    device.say(born(scale=0.02))
    for _ in range(20):
        device.send(3.0, 0.02)
    source.born = known
    source.start()
    until(lambda: source.error is not None and source.link.status["withheld"] > 19)
    assert source.stream.head == 21
    close_both(device, source)


def test_a_birth_too_large_to_read(broker):
    device, source = open_both(broker, "large", clean=True)
    device.say(b"x" * (300 << 10))
    until(lambda: source.error is not None)
    assert "too large" in source.error and source.link.status["held"]
    device.say(born())
    until(lambda: source.error is None and not source.link.status["held"])
    close_both(device, source)


def test_reborn_twice_while_the_link_was_down(broker):
    """In the queue: two births with samples behind each; every sample is read as the birth before it says, once."""
    device, source = open_both(broker, "twice")
    device.send(1.0, 0.01)
    until(lambda: source.stream.head == 1)
    known = source.born
    source.close()
    device.send(2.0, 0.01)
    for value, scale in ((3.0, 0.02), (4.0, 0.04), (5.0, 0.02)):
        device.say(born(scale=scale))
        device.send(value, scale)
    source.born, asked = known, []

    def reborn(info):
        time.sleep(0.3)  # all of the queue comes meanwhile
        asked.append(info.format.scales["a"])
        source.stream.reformat(info.format)
        return True

    source.reborn = reborn
    source.start()
    until(lambda: source.stream.head == 5)
    assert np.allclose(source.stream.window()["a"], [1, 2, 3, 4, 5]) and asked == [0.02, 0.04, 0.02]
    until(lambda: source.error is None and not source.link.status["held"])
    close_both(device, source)


def test_a_birth_at_qos_0(broker):
    """While the link stands it is as good: what follows is read as it says."""
    device, source = open_both(broker, "qos0")
    source.reborn = lambda info: source.stream.reformat(info.format) or True
    device.send(1.0, 0.01)
    until(lambda: source.stream.head == 1)
    assert device.link.publish("polepair/1/qos0/birth", born(scale=0.5), 0, True)
    for _ in range(20):
        device.send(2.0, 0.5)
    until(lambda: source.stream.head == 21)
    assert np.allclose(source.stream.window()["a"], [1.0] + [2.0] * 20)
    close_both(device, source)
