"""Sampling plans, memory told beforehand, modes, resuming, and sweeps on executors with lost workers."""

import os
import pickle
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import polepair as pp
from polepair import _core
from polepair.run import executors, plans

RANGES = {"magnet.Br": (1.0, 1.4), "winding.turns": (12, 20)}
RECORD = ["omega_m.final", "i_s.rms"]


def twin():
    return pp.Twin(pp.load("outrunner-12s14p"))


@pytest.mark.parametrize("plan", [plans.random, plans.sobol])
def test_plans_stay_in_their_ranges(plan):
    names, rows = plan(RANGES, 300, seed=3)
    assert names == tuple(RANGES) and rows.shape == (300, 2)
    assert rows[:, 0].min() >= 1.0 and rows[:, 0].max() <= 1.4
    assert set(rows[:, 1]) == set(range(12, 21))
    assert np.array_equal(rows, plan(RANGES, 300, seed=3)[1]) and not np.array_equal(rows, plan(RANGES, 300, seed=4)[1])


def test_sobol_fills_better_than_chance():
    def gap(rows):
        x = np.sort(rows[:, 0])
        return np.diff(x).max()

    ranges = {"magnet.Br": (1.0, 1.4), "stator.length": (0.008, 0.02)}
    assert gap(plans.sobol(ranges, 256, 1)[1]) < gap(plans.random(ranges, 256, 1)[1])


def test_table_plan(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("magnet.Br [T],winding.turns\n1.1,14\n1.2,16\n")
    table = pp.sweep(twin(), plans.table(path), 0.01, RECORD)
    assert len(table) == 2 and table["winding.turns"].tolist() == [14, 16]
    path.write_text("magnet.Brr\n1\n")
    with pytest.raises(ValueError, match="magnet.Brr: no such parameter"):
        plans.table(path)
    path.write_text("magnet.Br\nx\n")
    with pytest.raises(pp.FileError, match="not a table of numbers"):
        plans.table(path)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: plans.random(RANGES, 0), "count = 0"),
        (lambda: plans.sobol({"magnet.Br": (2, 1)}, 4), "a low and a high"),
    ],
)
def test_bad_plans(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_memory_is_told_beforehand():
    axes = {"magnet.Br": np.linspace(1, 1.4, 100_000), "stator.length": np.linspace(0.01, 0.02, 100_000)}
    with pytest.raises(ValueError, match=r"10,000,000,000 cases need \d+\.\d GB and \d+\.\d GB are free"):
        pp.sweep(twin(), axes, 0.1)


def test_modes():
    cases = plans.random(RANGES, 64)
    exact, fast, single = (pp.sweep(twin(), cases, 0.1, RECORD, mode=m) for m in ("exact", "fast", "single"))
    scale = np.abs(exact["i_s.rms"]).max()
    assert np.abs(fast["i_s.rms"] - exact["i_s.rms"]).max() / scale < 1e-11
    assert np.abs(single["i_s.rms"] - exact["i_s.rms"]).max() / scale < 1e-3
    if _core.isa() != "plain":
        assert not np.array_equal(single.block, exact.block)
    with pytest.raises(ValueError, match="mode = 'quick': expected one of exact, fast, single"):
        pp.sweep(twin(), cases, 0.1, mode="quick")


def test_single_mode_runs_six_step():
    six = pp.Twin(pp.load("maxon-ec45flat-70w-24v"))
    cases = {"datasheet.J": np.linspace(1, 2, 40) * 181e-7}
    exact, single = (pp.sweep(six, cases, 0.1, RECORD, mode=m) for m in ("exact", "single"))
    assert np.abs(single["omega_m.final"] / exact["omega_m.final"] - 1).max() < 2e-3


@pytest.mark.parametrize("name", ["outrunner-12s14p", "maxon-ec45flat-70w-24v"])
def test_trace_is_the_single_run(name):
    base = pp.Twin(pp.load(name))
    parameter = "magnet.Br" if base.params.has_geometry else "datasheet.R_ll"
    start = base.params.get(parameter)
    axes = {parameter: [start, 1.05 * start, 1.1 * start, -1.0, 1.15 * start]}
    table = pp.sweep(base, axes, 0.02, RECORD, trace=["time", "omega_m", "ia"], every=7)
    for k in (0, 2, 4):
        single = base.params.copy()
        single.set(parameter, axes[parameter][k])
        run = pp.Twin(single).run(0.02, ["time", "omega_m", "ia"], every=7)
        assert np.array_equal(table.run(k).block, run.block) and np.shares_memory(table.run(k)["ia"], table.trace)
    assert np.isnan(table.trace[3]).all() and table["status"][3] != 0
    with ThreadPoolExecutor(2) as executor:
        there = pp.sweep(base, axes, 0.02, RECORD, trace=["time", "omega_m", "ia"], every=7, executor=executor, chunk=2)
    assert np.array_equal(there.trace, table.trace, equal_nan=True)
    with pytest.raises(ValueError, match="kept no trace"):
        pp.sweep(base, axes, 0.001).run(0)


def test_resume(tmp_path):
    cases, path = plans.random(RANGES, 40), tmp_path / "part.npz"
    whole = pp.sweep(twin(), cases, 0.05, RECORD)
    first = pp.sweep(twin(), cases, 0.05, RECORD, resume=path)
    broken = first.block.copy()
    broken[10:30, 2:-1], broken[10:30, -1] = np.nan, executors.CANCELLED
    pp.SweepTable(first.names, broken, first.about, []).save(path)
    ran = []
    again = pp.sweep(twin(), cases, 0.05, RECORD, resume=path, progress=lambda done, total: ran.append((done, total)))
    assert np.array_equal(again.block, whole.block) and ran[0][0] >= 20 and ran[-1][1] == 40
    with pytest.raises(pp.FileError, match="holds another sweep"):
        pp.sweep(twin(), plans.random(RANGES, 40, seed=9), 0.05, RECORD, resume=path)
    with pytest.raises(pp.FileError, match="holds another sweep"):
        pp.sweep(twin(), cases, 0.06, RECORD, resume=path)


def test_motors_are_pickled_whole():
    motor = pp.load("spmloss-18s16p")
    again = pickle.loads(pickle.dumps(motor))
    assert again == motor and (again.name, again.source) == (motor.name, motor.source)


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), lambda: ProcessPoolExecutor(2, get_context("spawn"))])
def test_executor_gives_the_same_bits(make):
    cases = plans.random({**RANGES, "magnet.arc": (0.5, 0.9)}, 50)
    cases[1][7, 0] = 9.0  # one bad case
    here = pp.sweep(twin(), cases, 0.05, RECORD)
    seen = []
    with make() as executor:
        there = pp.sweep(twin(), cases, 0.05, RECORD, executor=executor, chunk=9, progress=lambda d, t: seen.append(d))
    assert np.array_equal(there.block, here.block, equal_nan=True) and there.failed == here.failed and seen[-1] == 50


def test_lost_worker():
    """A worker killed mid-way breaks the pool; every case is there all the same."""
    cases = plans.random(RANGES, 64)
    here = pp.sweep(twin(), cases, 0.5, RECORD)
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        executor.submit(os.getpid).result()
        killed = []

        def kill(done, total):
            if not killed:
                killed.append(os.kill(next(iter(executor._processes)), signal.SIGKILL))

        there = pp.sweep(twin(), cases, 0.5, RECORD, executor=executor, chunk=4, progress=kill)
    assert killed and np.array_equal(there.block, here.block)


def test_dask():
    distributed = pytest.importorskip("distributed")
    cases = plans.random(RANGES, 40)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = pp.sweep(twin(), cases, 0.1, RECORD, executor=client.get_executor(), chunk=5)
    assert np.array_equal(there.block, pp.sweep(twin(), cases, 0.1, RECORD).block)


def test_ray():
    ray = pytest.importorskip("ray")
    from polepair.run.executors import RayExecutor

    cases = plans.random(RANGES, 40)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        there = pp.sweep(twin(), cases, 0.1, RECORD, executor=RayExecutor(), chunk=5)
    finally:
        ray.shutdown()
    assert np.array_equal(there.block, pp.sweep(twin(), cases, 0.1, RECORD).block)


def test_unknown_option_is_named():
    with pytest.raises(TypeError, match="sweep: exeutor: no such argument, did you mean executor?"):
        pp.sweep(twin(), {"magnet.Br": [1.2]}, 0.01, exeutor=None)
