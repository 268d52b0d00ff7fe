"""`polepair record` as the process that a machine starts, stops, kills and starves."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from support.brokers import Broker, free_port
from support.disks import fill_up
from support.soak_sender import Sender
from support.waiting import until

from polepair.live.store import Store
from polepair.live.streams import Format, frame
from polepair.live.wire import StreamInfo, birth

pytest.importorskip("polepair._mqtt")
if not shutil.which("mosquitto"):
    pytest.skip("no mosquitto", allow_module_level=True)

SMALL = "import runpy, sys; from polepair.cli import recording as r; r.Watch.LOOK = {look}; r.Recording.RETRY = 0.5; "
SMALL += "runpy.run_path('tests/support/soak_record.py', run_name='__main__')"


def born(scale=0.5, channels=("a",)):
    return birth("device", 7, {"fast": StreamInfo(channels, Format("frame", scales=dict.fromkeys(channels, scale)))})


class Record:
    """The process, and what it says."""

    def __init__(self, port, out, *more, look=60.0, asset="m1"):
        self.out, self.log = out, out.parent.parent / f"{out.name}-{asset}.log"
        self.command = [sys.executable, "-c", SMALL.format(look=look), "record", f"mqtt://127.0.0.1:{port}/{asset}"]
        self.command += ["--out", str(out), *more]
        self.start()

    def start(self):
        environment = {**os.environ, "PYTHONPATH": f"{os.getcwd()}:{os.getcwd()}/tests"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)

    def said(self):
        return self.log.read_text()

    def says(self, pattern, times=1):
        until(lambda: len(re.findall(pattern, self.said())) >= times or self.process.poll() is not None, 40)
        assert len(re.findall(pattern, self.said())) >= times, self.said()

    def end(self, which=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(which)
        return self.process.wait(60)


class Device:
    """Frames of one sample with a scale."""

    def __init__(self, port, asset="m1"):
        self.taken, self.asset, self.number = [], asset, 0
        self.sender = Sender(port, acknowledged=self.taken.append)

    def say(self, payload, qos=1):
        self.sender.put(f"polepair/1/{self.asset}/birth", payload, qos=qos, retain=True)

    def send(self, value, scale=0.5, rows=1):
        values = np.full((rows, 1), value)
        made = frame(values, 10**18 + self.number * 1000, 1000, self.number, 7, "int16", [scale])
        self.number += rows
        self.sender.put(f"polepair/1/{self.asset}/t/fast", made, value)

    def settle(self):
        until(lambda: not self.sender.left(), 30)


@pytest.fixture
def broker(tmp_path):
    b = Broker(tmp_path)
    yield b
    b.close()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "data"
    made.mkdir()
    return made


def stored(path):
    with Store(path) as store:
        return store.read()["a"].tolist() if store.streams else []


def recorded(broker, folder):
    """A store that knows its stream."""
    device = Device(broker.port)
    device.say(born())
    device.settle()
    record = Record(broker.port, folder / "x.ppdb")
    record.says("link up")
    device.send(1.0)
    until(lambda: stored(record.out) == [1.0])
    return device, record


def test_the_link_and_its_times(broker, folder):
    """Lost and up with their times; SIGTERM ends it with 0 while the link stands, and while the broker is away."""
    device, record = recorded(broker, folder)
    assert record.end() == 0 and "1 rows in 1 messages" in record.said()
    record.start()
    record.says(r"\d\d:\d\d:\d\d link up", 2)
    broker.kill()
    record.says(r"\d\d:\d\d:\d\d link lost")
    assert record.end() == 0 and "the link was lost 1 times" in record.said()
    device.sender.close()


@pytest.mark.parametrize("known", [False, True])
def test_ended_while_connecting(broker, folder, known):
    """Somebody listens and says nothing."""
    if known:
        device, record = recorded(broker, folder)
        device.sender.close()
        record.end()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(40)
        record = Record(silent.getsockname()[1], folder / "x.ppdb")
        silent.accept()
        assert record.end() == 0, record.said()
        assert "Traceback" not in record.said()


def test_a_broker_that_comes_later(broker, folder):
    """A machine boots in any order: with a store that knows the stream the recorder waits; without one it says so."""
    device, record = recorded(broker, folder)
    record.end()
    device.send(2.0)
    device.settle()
    broker.close()
    record.start()
    record.says("trying again")
    broker.start()
    record.says("link up", 2)
    device.send(3.0)
    until(lambda: stored(record.out)[-1] == 3.0)
    assert record.end() == 0
    device.sender.close()
    fresh = Record(free_port(), folder / "y.ppdb")
    assert fresh.process.wait(60) == 1 and "a broker that answers" in fresh.said()


def test_reborn_while_the_recorder_is_dead(broker, folder):
    """What the broker kept from before the birth that it gives now is read as it was sent."""
    device, record = recorded(broker, folder)
    record.end(signal.SIGKILL)
    wanted = [1.0]
    for value, scale in ((2.0, 0.5), (3.0, 0.25), (4.0, 0.125), (5.0, 0.25)):
        device.say(born(scale))
        for k in range(20):
            device.send(100 * value + k, scale)
            wanted.append(100 * value + k)
    device.settle()
    record.start()
    until(lambda: len(stored(record.out)) >= len(wanted))
    record.end(signal.SIGKILL)
    device.send(7.5, 0.25)
    device.settle()
    record.start()
    until(lambda: len(stored(record.out)) > len(wanted))
    assert record.end() == 0, record.said()
    assert stored(record.out) == [*wanted, 7.5]
    device.sender.close()


def test_other_channels_are_held(broker, folder):
    """They belong into another store: it says so, and what came before is stored."""
    device, record = recorded(broker, folder)
    record.end(signal.SIGKILL)
    device.send(2.0)
    device.say(born(channels=("z",)))
    device.settle()
    record.start()
    record.says("born anew with other channels")
    until(lambda: stored(record.out) == [1.0, 2.0])
    assert record.end() == 0
    device.sender.close()


def test_a_full_disk(broker, small_disk):
    """It says how long the disk lasts; ended while it is full the exit code is 1, and nothing is lost."""
    device = Device(broker.port)
    device.say(born())
    device.settle()
    record = Record(broker.port, small_disk / "x.ppdb", look=0.5)
    record.says("link up")
    for k in range(200):
        device.send(float(k % 100), rows=20)
    record.says(r"disk: 0\.0 GB free, .* (lasts|not growing)")
    fill_up(small_disk / "ballast")
    for _ in range(200):
        device.send(9.0, rows=500)
    record.says("link lost")
    assert record.end() == 1 and "the disk is full" in record.said(), record.said()
    (small_disk / "ballast").unlink()
    record.start()
    until(lambda: len(stored(record.out)) == 200 * 520)
    assert record.end() == 0, record.said()
    device.sender.close()


def test_the_unit(root, tmp_path):
    """packaging/polepair-record@.service: what it starts is a command that `record` understands."""
    from polepair.cli.recording import record

    unit = (root / "packaging/polepair-record@.service").read_text()
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1]
    program, *arguments = command.replace("${URL}", "mqtts://twin@broker/m1").replace("$OPTIONS", "--keep 400d").split()
    assert program.endswith("/polepair") and arguments.pop(0) == "record"
    given = record.make_context("record", arguments).params
    assert given["url"] == "mqtts://twin@broker/m1" and given["keep"] == "400d" and given["password_file"]
    for line in ("Restart=always", "KillSignal=SIGTERM", "NoNewPrivileges=yes", "ProtectSystem=strict"):
        assert f"\n{line}\n" in unit
