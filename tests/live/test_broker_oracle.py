"""The acknowledgement oracle through a broker: real processes, real kill -9; what mosquitto acknowledged to the device is
stored, once, with its values. ORACLE_BROKER_SEQUENCES sets how many, ORACLE_BROKER_FIRST where they begin; a failing
plan is shrunk and printed, and ORACLE_BROKER_PLAN="Plan(...)" runs it again."""

import os
import shutil

import pytest
from support.soak_sequences import Plan, drawn, go, shrunk

pytest.importorskip("polepair._mqtt")
if not shutil.which("mosquitto"):
    pytest.skip("no mosquitto", allow_module_level=True)

SEQUENCES = int(os.environ.get("ORACLE_BROKER_SEQUENCES", "300"))
FIRST = int(os.environ.get("ORACLE_BROKER_FIRST", "0"))
AGAIN = os.environ.get("ORACLE_BROKER_PLAN")


def tried(plan, folder):
    """Runs it; the shrunk plan is what fails."""
    try:
        return go(plan, folder / "whole")
    except AssertionError as e:
        less = shrunk(plan, folder)
        pytest.fail(f"{e}\nORACLE_BROKER_PLAN={str(less)!r}")


@pytest.mark.parametrize("seed", range(5))
def test_what_the_broker_acknowledged_is_stored_once(tmp_path, seed):
    go(drawn(seed, 6), tmp_path / "x")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEQUENCES))
def test_long_sequences(tmp_path, seed, record_property):
    record_property("lost by the broker itself", tried(drawn(seed), tmp_path))


@pytest.mark.skipif(not AGAIN, reason="no plan given")
def test_a_plan_again(tmp_path):
    go(eval(AGAIN, {"Plan": Plan}), tmp_path / "x")
