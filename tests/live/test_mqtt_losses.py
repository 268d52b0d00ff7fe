"""Over a real mosquitto that is killed: how often the link was lost, and how long it was down."""

import shutil

import pytest
from support.brokers import Broker, free_port
from support.waiting import until

from polepair.live.mqtt import Link

pytest.importorskip("polepair._mqtt")
if not shutil.which("mosquitto"):
    pytest.skip("no mosquitto", allow_module_level=True)


def test_losses_are_counted_and_timed(tmp_path):
    broker = Broker(tmp_path)
    link = Link(f"{broker.url}/m1").connect()
    assert (link.status["losses"], link.status["down"], link.status["connections"]) == (0, 0, 1)
    broker.kill()
    until(lambda: link.state == "lost")
    first = link.status
    until(lambda: link.status["down"] > first["down"])
    assert (first["losses"], first["connections"]) == (1, 1)
    broker.start()
    until(lambda: link.state == "up")
    whole = link.status
    assert whole["down"] > first["down"] and (whole["losses"], whole["connections"]) == (1, 2)
    assert link.status["down"] == whole["down"], "it goes on only while the link is down"
    broker.kill()
    until(lambda: link.status["losses"] == 2)
    assert link.status["down"] >= whole["down"] and link.status["connections"] == 2
    link.close()
    broker.close()


def test_a_link_that_never_stood_was_not_lost():
    link = Link(f"mqtt://127.0.0.1:{free_port()}/m1", timeout=1)
    link.core.connect()
    until(lambda: link.state not in ("connecting", "up"))
    assert (link.status["losses"], link.status["down"], link.status["connections"]) == (0, 0, 0)
    link.close()
