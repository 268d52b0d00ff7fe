"""The acknowledgement oracle through a broker: real processes, real kill -9; what mosquitto acknowledged to the device
is stored, once, with its values. ORACLE_BROKER_SEQUENCES sets how many, ORACLE_BROKER_FIRST where they begin; a failing
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


TWICE = (("burst", 0, 55215), ("reborn", 0, 34382), ("reborn", 0, 22894), ("send", 0, 59890), ("kill", 0, 5801))
KEPT = (  # each showed a defect once
    # two births in the broker's queue: one led to the other for ever, as nothing was heard acknowledged before the cut
    Plan(("scaled",), False, 1, 2**31 - 20, 0, (*TWICE, ("burst", 0, 30887), ("send", 0, 41204))),
)


def tried(plan):
    """Runs it; what fails is told as a shorter plan."""
    try:
        return go(plan)
    except AssertionError as e:
        pytest.fail(f"{e}\n{plan}\nORACLE_BROKER_PLAN={str(shrunk(plan))!r}")


@pytest.mark.parametrize("seed", range(5))
def test_what_the_broker_acknowledged_is_stored_once(seed):
    go(drawn(seed, 6))


@pytest.mark.parametrize("plan", KEPT)
def test_what_failed_once(plan):
    go(plan)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEQUENCES))
def test_long_sequences(seed):
    print(seed, tried(drawn(seed)))


@pytest.mark.skipif(not AGAIN, reason="no plan given")
def test_a_plan_again():
    print(go(eval(AGAIN, {"Plan": Plan})))
