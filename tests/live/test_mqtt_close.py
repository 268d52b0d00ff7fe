"""Ends of a link: closed beside whatever other threads do with it, in a child, at exit, and with messages in flight."""

import os
import shutil
import subprocess
import sys
import threading
import time

import pytest
from support.brokers import Broker

from polepair.live.mqtt import Link, MqttSource

pytest.importorskip("polepair._mqtt")
if not shutil.which("mosquitto"):
    pytest.skip("no mosquitto", allow_module_level=True)

CALLS = {
    "wait": lambda link: link.core.wait("up", 30),
    "mail": lambda link: link.mail(30),
    "publish": lambda link: link.publish("x", b"y" * 500, 1),
    "status": lambda link: link.status,
    "release": lambda link: link.core.release(b"x"),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    b = Broker(tmp_path_factory.mktemp("close"))
    yield b
    b.close()


def repeat(call, link, ends):
    """Until it is told that the link is closed."""
    try:
        while True:
            call(link)
    except RuntimeError as e:
        ends.append(str(e))


@pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_close_beside_every_call(broker, rounds):
    """Two threads in each call, messages coming in, two threads closing: everybody is told, nobody waits on."""
    for _ in range(rounds):
        link = Link(f"{broker.url}/m1")
        link.core.subscribe("x", 1)
        link.core.watch("y", b"z")
        link.connect()
        ends = []
        threads = [threading.Thread(target=repeat, args=(call, link, ends)) for call in CALLS.values() for _ in "ab"]
        threads += [threading.Thread(target=link.close) for _ in "ab"]
        for thread in threads[:-2]:
            thread.start()
        time.sleep(0.05)
        for thread in threads[-2:]:
            thread.start()
        for thread in threads:
            thread.join()
        assert ends == ["this connection is closed"] * 10
        link.close()


@pytest.mark.parametrize("name", CALLS)
def test_a_waiting_call_ends_at_once(broker, name):
    link = Link(f"{broker.url}/m1").connect()
    ends = []
    thread = threading.Thread(target=repeat, args=(CALLS[name], link, ends))
    thread.start()
    time.sleep(0.05)
    link.close()
    thread.join(20)  # of the 30 s that it would wait
    assert not thread.is_alive() and ends == ["this connection is closed"]
    with pytest.raises(RuntimeError, match="this connection is closed"):
        CALLS[name](link)
    assert link.state == "closed"


def test_a_handler_of_a_signal_may_close(broker):
    """It runs inside the very call that waits."""
    code = f"""
import signal
from polepair.live.mqtt import Link
link = Link("{broker.url}/m1").connect()
signal.signal(signal.SIGALRM, lambda *_: link.close())
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    link.mail(60)
except RuntimeError as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0 and done.stdout.strip() == "this connection is closed", done.stderr


def test_exit_beside_a_thread(broker):
    """The links are closed at exit, while a daemon thread still waits for mail and another one publishes."""
    code = f"""
import threading, time
from polepair.live.mqtt import Link, MqttSource
link = Link("{broker.url}/m1")
link.core.subscribe("x", 1)
link.connect()
source = MqttSource("{broker.url}/m2", channels=("a",), fmt="json").start()
def use(call):
    try:
        while True:
            call()
    except RuntimeError:
        pass
for call in (lambda: link.mail(5), lambda: link.publish("x", b"y", 1), lambda: link.status, lambda: source.state):
    threading.Thread(target=use, args=(call,), daemon=True).start()
time.sleep(0.3)
"""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_close_in_a_child(broker):
    """A child that closes what it inherited leaves its parent's link alone."""
    source = MqttSource(f"{broker.url}/m1", channels=("a",), fmt="json").start()
    child = os.fork()
    if child == 0:
        try:
            source.close()
            source.close()
            os._exit(5)
        finally:
            os._exit(6)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    assert source.link.state == "up"
    source.close()


def test_in_flight_messages_are_freed_once():
    """Clean sessions that lose their links with QoS 1 on the way, again and again: the process lives."""
    path = os.path.join(os.path.dirname(__file__), os.pardir, "support", "resetting.py")
    for _ in range(3):
        done = subprocess.run([sys.executable, path, "3.5"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) >= 8, "connections"
