"""Objects that are not shared say so, in whichever thread comes second; what runs without the GIL owns its input."""

import threading

import numpy as np
import pytest

import polepair as pp
from polepair import _core
from polepair.live.estimation import estimates

ALL = np.arange(len(estimates()), dtype=np.int32)
BR = np.array([pp.parameters()["magnet.Br"].index], np.int32)
SPEED = pp.channels()["omega_m"].index


def motor():
    return pp.load("outrunner-12s14p")


def beside(work, look):
    """Calls look() for as long as work() runs in another thread; what the two of them raised."""
    raised, begun, ended = [], threading.Event(), threading.Event()

    def worker():
        begun.set()
        try:
            work()
        except Exception as e:
            raised.append(e)
        ended.set()

    thread = threading.Thread(target=worker)
    thread.start()
    begun.wait()
    while not ended.is_set():
        try:
            look()
        except Exception as e:
            raised.append(e)
    thread.join()
    return raised


def record(rows):
    """Five columns of a drive at rest."""
    return [np.arange(rows) * 5e-5, *np.zeros((4, rows))]


def refused(work, look, what):
    """Whether all that work() and look() raise in two threads are refusals of the second, at least one."""
    raised = []
    while not raised:  # a busy machine may keep them apart
        raised = beside(work, look)
    text = f"this {what} is running in another thread: expected one call at a time"
    return all(isinstance(e, RuntimeError) and str(e) == text for e in raised)


OBSERVER = {
    "run": lambda o: o.run(*record(3), ALL),
    "predict": lambda o: o.predict(0, 0, 1e-4),
    "coast": lambda o: o.coast(1e-4),
    "currents": lambda o: o.currents(0, 0),
    "speed": lambda o: o.speed(0, 1),
    "angle": lambda o: o.angle(0, 1),
    "bus": lambda o: o.bus(0, 24, 1),
    "estimates": lambda o: o.estimates(),
    "fork": lambda o: o.fork(),
}


@pytest.mark.parametrize("name", OBSERVER)
def test_an_observer_is_one_threads(name):
    o, columns = _core.Observer(motor()), record(60000)
    assert refused(lambda: o.run(*columns, ALL), lambda: OBSERVER[name](o), "observer")
    OBSERVER[name](o)
    assert np.isfinite(o.estimates()).all()


def test_two_observers_in_two_threads_give_what_one_gives():
    columns, alone = record(20000), _core.Observer(motor()).run(*record(20000), ALL)
    both = []
    threads = [threading.Thread(target=lambda: both.append(_core.Observer(motor()).run(*columns, ALL))) for _ in "ab"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(both) == 2 and all(np.array_equal(b, alone) for b in both)


TWIN = {
    "run": lambda t: t.run(2, 1, True, ALL[:1]),
    "step": lambda t: t.step(),
    "reset": lambda t: t.reset(),
    "ask": lambda t: t.ask(1.0, 0.0),
    "place": lambda t: t.place(0, 0, 1, 0, 0),
    "fork": lambda t: t.fork(),
}


@pytest.mark.parametrize("name", TWIN)
def test_a_twin_is_one_threads(name):
    core = pp.Twin(motor()).core()
    assert refused(lambda: core.run(100000, 1, True, ALL[:1]), lambda: TWIN[name](core), "twin")
    TWIN[name](core)


def test_the_samples_of_a_running_twin_are_those_before():
    core, seen = pp.Twin(motor()).core(), set()
    assert beside(lambda: core.run(100000, 1, False, ALL[:1]), lambda: seen.add(core.sample)) == []
    assert seen <= {0, 100000} and core.sample == 100000


def swept(m, values):
    return _core.sweep(m, BR, values, 0.01, [[SPEED, 0]], True, 2)[0]


def derived(m, values):
    return _core.sweep_derive(m, BR, values, [0, 1, 2])[0]


@pytest.mark.parametrize("call", [swept, derived])
def test_a_motor_that_changes_beside_a_sweep_is_taken_as_it_was(call):
    """All cases are of the motor before a change or all of the motor after it."""
    m, values, whole, got = motor(), np.linspace(1.0, 1.4, 3000)[:, None], [], []
    for turns in (12, 19):
        m.winding.turns = turns
        whole.append(call(m, values))

    def change():
        m.winding.turns = 12 if m.winding.turns == 19 else 19

    for _ in range(5):
        assert beside(lambda: got.append(call(m, values)), change) == []
    assert len(got) == 5 and all(any(np.array_equal(g, w) for w in whole) for g in got)


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_may_write_to_all_that_a_sweep_was_given(threads):
    m, told = motor(), []
    columns, values, outputs = BR.copy(), np.linspace(1.0, 1.4, 4000)[:, None].copy(), np.array([[SPEED, 0]], np.int32)
    traced = np.array([SPEED], np.int32)
    truth = _core.sweep(
        motor(), BR, values.copy(), 0.02, outputs.copy(), True, threads, None, 0, (traced.copy(), 400, 2)
    )

    def progress(done):
        told.append(done)
        columns[:], outputs[:], traced[:], values[:] = 1 << 20, 1 << 20, 1 << 20, np.nan
        m.winding.turns = 19

    got = _core.sweep(m, columns, values, 0.02, outputs, True, threads, progress, 0, (traced, 400, 2))
    assert told and all(np.array_equal(a, b) for a, b in zip(got, truth, strict=True))


def test_a_public_sweep_is_of_the_motor_that_it_was_given():
    twin = pp.Twin(motor())
    axes = {"magnet.Br": np.linspace(1.0, 1.4, 1000)}
    truth = pp.sweep(twin, axes, 0.02, ["omega_m.final"])

    def progress(done, total):
        twin.params.winding.turns = 19

    assert np.array_equal(pp.sweep(twin, axes, 0.02, ["omega_m.final"], progress=progress).block, truth.block)
    assert twin.params.winding.turns == 19


def test_lines_beside_a_thread_that_writes_to_their_columns():
    values, time = np.zeros(100000), np.arange(100000)

    def write():
        values[:] = np.nan
        values[:] = 1.5

    texts = []
    assert beside(lambda: texts.append(_core.line_protocol(b"m", [(b"a", values)], time)), write) == []
    assert all(line.startswith(b"m a=") for line in texts[0].splitlines())
