"""Waiting for other threads and processes, however slow the machine is."""

import time


def until(condition, seconds: float = 90.0) -> None:
    """Returns when the condition holds; fails when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
