"""References leaked per call, every entry point and its refusals; run under a debug interpreter (references.sh).

The interpreter's own total counts every reference, but a release build of NumPy keeps its share out of that total: one
np.empty() alone shows +1. Calls that make or take arrays are therefore judged by what a leak would have to hold: new
objects (allocated blocks) and the counts of the objects that all calls share (dtypes, types, arguments, singletons).
From Python 3.12 on some of these are immortal and count nothing; they cannot leak either.
"""

import gc
import sys

import numpy as np
from test_api import EVERY

import polepair as pp
from polepair import _core

LIMIT = 0.05
ARRAYS = {"values", "outline", "winding", "limit", "run", "run new", "step", "sweep", "sweep_derive"}
ARRAYS |= {"column", "frame", "observer", "estimates", "bad frame", "bad observer"}
ARRAYS |= {"bad run", "bad out", "bad sweep", "lines", "bad lines", "torque", "bad torque"}
DTYPES = [np.dtype(t) for t in (np.float64, np.int64, np.int32, np.int16, np.int8, np.uint8)]
SHARED = [*DTYPES, _core.Params, _core.Derived, _core.Twin, pp.Motor, None, True, False, np.ndarray]


def total() -> int:
    """Every reference that the interpreter counts."""
    return sys.gettotalrefcount()


def held() -> int:
    """Allocated blocks, and the references to what all calls share."""
    return sys.getallocatedblocks() + sum(sys.getrefcount(x) for x in SHARED)


def per_call(action, measure, count=200) -> float:
    """Change of a measure per call, after warming up; the least of three, because a leak leaks every time.

    What looks like one is asked once more with ten times the calls: caches of the interpreter fill by a dozen blocks
    whatever the count.
    """
    for _ in range(20):
        action()
    changes = []
    for _ in range(3):
        gc.collect()
        before = measure()
        for _ in range(count):
            action()
        gc.collect()
        changes.append((measure() - before) / count)
    least = min(changes, key=abs)
    return per_call(action, measure, 10 * count) if abs(least) >= LIMIT and count < 1000 else least


def main() -> int:
    """Prints every entry point's figure; 1 when one leaks."""
    assert hasattr(sys, "gettotalrefcount"), "expected a debug interpreter"
    assert "build/debug" in pp.__file__, pp.__file__
    kept = []
    assert per_call(lambda: kept.append(pp.Motor), held) > 1 - LIMIT, "the measure has to see a planted reference"
    assert per_call(lambda: kept.append(np.empty(1)), held) > 1 - LIMIT, "the measure has to see a planted array"
    worst = {name: per_call(action, held if name in ARRAYS else total) for name, action in EVERY.items()}
    for name, leak in worst.items():
        print(f"{name:<16} {leak:+.3f}  {'held' if name in ARRAYS else 'total'}")
    most = max(worst.values(), key=abs)
    print(f"references: at most {most:+.3f} leaked per call over {len(worst)} entry points (limit {LIMIT})")
    return abs(most) >= LIMIT


if __name__ == "__main__":
    sys.exit(main())
