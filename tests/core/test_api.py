"""The extension as Python sees it: references, errors, threads, buffers, import time modules."""

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

import polepair as pp
from polepair import _core


def leaks(action, count=300):
    """Change of allocated blocks per call, after warming up."""
    for _ in range(20):
        action()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(count):
        action()
    gc.collect()
    return (sys.getallocatedblocks() - before) / count


def actions():
    motor = pp.load("outrunner-12s14p")
    core, derived = _core.Twin(motor), motor.derive()
    channels, out = np.array([1, 2], dtype=np.int32), np.empty((3, 2))
    columns, values = np.array([pp.parameters()["magnet.Br"].index], dtype=np.int32), np.array([[1.0], [9.0]])

    def refused(call, *args):
        def run():
            try:
                call(*args)
            except (ValueError, TypeError, AttributeError):
                return
            raise AssertionError("not refused")

        return run

    bad = pp.Motor()
    bad.stator.slots = 10
    return {
        "get": lambda: motor.magnet.Br,
        "set": lambda: setattr(motor.magnet, "Br", 1.3),
        "by name": lambda: (motor.get("rotor.topology"), motor.set("rotor.topology", "outer")),
        "values": motor.values,
        "copy": motor.copy,
        "compare": lambda: motor == motor,
        "derive": motor.derive,
        "as_dict": derived.as_dict,
        "outline": lambda: motor.outline("tooth"),
        "dims": motor.dims,
        "masses": motor.masses,
        "winding": motor.winding_layout,
        "limit": lambda: derived.torque_limit([1.0, 2.0], 5.0, 10.0),
        "torque": lambda: (derived.torque([0.0, 1.0], 2.0), derived.copper_loss(0.0, 1.0)),
        "point": lambda: derived.operating_point(0.0, 1.0, 2.0),
        "run": lambda: core.run(3, 1, False, channels, out),
        "run new": lambda: core.run(3, 1, False, channels),
        "step": core.step,
        "fork": core.fork,
        "sweep": lambda: _core.sweep(motor, columns, values, 0.001, np.array([[1, 0]], dtype=np.int32), threads=1),
        "sweep_derive": lambda: _core.sweep_derive(motor, columns, values, [0, 1]),
        "bad value": refused(setattr, motor.magnet, "Br", 9.0),
        "bad text": refused(setattr, motor.rotor, "topology", "x"),
        "bad torque": refused(derived.torque, [1, 2], [1, 2, 3]),
        "bad name": refused(motor.get, "x.y"),
        "bad derive": refused(bad.derive),
        "bad twin": refused(_core.Twin, bad),
        "bad run": refused(core.run, 3, 1, False, [99]),
        "bad out": refused(core.run, 3, 1, False, channels, np.empty((1, 1))),
        "bad sweep": refused(_core.sweep, motor, [9999], values, 0.1, [[0, 0]]),
        "bad outline": refused(motor.outline, "x"),
    }


def live_actions():
    """The entry points of streams and observers."""
    stream = pp.Stream(("a", "b"), "json", 1024).core
    observer, z = _core.Observer(pp.load("outrunner-12s14p")), np.zeros(3)
    values, sample, taken = np.ones((2, 3)), b'{"a":1,"b":2}', np.array([0, 1], dtype=np.int32)
    packet, out = _core.frame(values, 0, 1, 2), np.empty((3, 2))
    stream.push(sample)

    def refused(call, *args):
        def run():
            with pytest.raises((ValueError, IndexError, TypeError)):
                call(*args)

        return run

    return {
        "stream": lambda: pp.Stream(("a", "b"), "json", 1024),
        "push": lambda: stream.push(sample, 5, 0),
        "counts": stream.counts,
        "column": lambda: stream.column(0, stream.floor, stream.head)[0],
        "describe": lambda: stream.learn(stream.describe(b"about"), bytes(80)),
        "decoder": lambda: _core.Decoder(b"about", stream.describe(b"about")).state(),
        "marks": lambda: _core.Decoder(b"about", stream.describe(b"about"), bytes(range(80))).marks(),
        "bad decoder": refused(_core.Decoder, b"other", stream.describe(b"about")),
        "bad segment": refused(_core.Decoder(b"").read, b"x" * 64, 0, 1, True, 1),
        "handle": stream.handle,
        "wait": lambda: stream.wait(0, 0.001),
        "frame": lambda: _core.frame(values, 0, 1, 2),
        "header": lambda: _core.frame_header(packet),
        "lines": lambda: _core.line_protocol(b"m", [(b"x", z)], taken.astype(np.int64).repeat(2)[:3]),
        "bad lines": refused(_core.line_protocol, b"m", [(b"x", [1.0, 2.0])], [0]),
        "cobs": lambda: _core.cobs_decode(_core.cobs_encode(packet)),
        "observer": lambda: observer.run(z, z, z, z, z, taken, out),
        "estimates": observer.estimates,
        "fork observer": observer.fork,
        "bad frame": refused(_core.frame, values * 1e9, 0, 1, 2, 0, 1),
        "bad header": refused(_core.frame_header, b"x"),
        "bad column": refused(stream.column, 9, 0, 1),
        "bad observer": refused(observer.run, z, z, z, z, z, np.array([99], dtype=np.int32)),
    }


EVERY = {**actions(), **live_actions()}


@pytest.mark.parametrize("name", list(EVERY))
def test_no_blocks_leak(name):
    assert any(abs(leaks(EVERY[name])) < 0.05 for _ in range(3))  # what another test left behind may be freed meanwhile


def test_arguments_keep_their_references():
    motor = pp.load("outrunner-12s14p")
    core, channels, out = _core.Twin(motor), np.array([1, 2], dtype=np.int32), np.empty((3, 2))
    before = [sys.getrefcount(x) for x in (motor, core, channels, out)]
    for _ in range(200):
        core.run(3, 1, False, channels, out)
        motor.derive()
        motor.magnet.Br  # noqa: B018
    assert [sys.getrefcount(x) for x in (motor, core, channels, out)] == before


def test_group_outlives_its_motor():
    magnet = pp.load("outrunner-12s14p").magnet
    gc.collect()
    assert magnet.Br == 1.28


def test_types_cannot_be_abused():
    for wrong in (
        lambda: _core.Derived(),
        lambda: _core.Magnet(),
        lambda: _core.Twin(3),
        lambda: _core.Twin(pp.Motor(), 3),
        lambda: hash(pp.Motor()),
    ):
        with pytest.raises(TypeError):
            wrong()
    core = _core.Twin(pp.load("outrunner-12s14p"))
    for args in ((0, 1, True, [0]), (1, 0, True, [0]), (1, 1, True, [-1])):
        with pytest.raises(ValueError):
            core.run(*args)
    with pytest.raises(TypeError):
        core.run(1)
    frozen = np.empty((1, 1))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="writable C-contiguous"):
        core.run(1, 1, True, [0], frozen)


def test_runs_let_other_threads_work():
    """The GIL is released: a counter in Python advances while a long run is under way; one run at a time per twin."""
    core = _core.Twin(pp.load("outrunner-12s14p"))
    worker = threading.Thread(target=core.run, args=(1, 3_000_000, False, [1]))
    worker.start()
    count = 0
    while worker.is_alive():
        count += 1
        if count == 1000:
            with pytest.raises(RuntimeError, match="running in another thread"):
                core.step()
    worker.join()
    assert count > 10_000


def test_import_is_light():
    code = (
        "import sys, polepair; print(*sorted(m for m in sys.modules if m.split('.')[0] in "
        "('matplotlib', 'pyarrow', 'click', 'rich', 'scipy', 'tomli_w')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_other_interpreters_load_the_same_file(root):
    """FreeCAD's interpreter with its NumPy 1.24 imports the very extension this NumPy 2 environment built."""
    import os

    if not os.path.exists("/usr/lib/python3/dist-packages/numpy"):
        pytest.skip("no system NumPy")
    code = "import numpy, polepair as pp; m = pp.Motor(); run = pp.Twin(m).run(0.01); "
    code += "print(numpy.__version__, m.derive().psi_pm.hex(), run.block.sum().hex())"
    env = {**os.environ, "PYTHONPATH": str(root)}
    there = subprocess.run(
        ["/usr/bin/python3", "-c", code], capture_output=True, text=True, env=env, check=True
    ).stdout.split()
    here = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    ).stdout.split()
    assert there[0] != here[0] and there[1:] == here[1:]
