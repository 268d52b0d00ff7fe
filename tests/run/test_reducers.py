"""Outputs of a sweep against NumPy over its own traces; what a table says of its cases."""

import glob
import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import polepair as pp
from polepair.run import executors

REDUCE = {
    "final": lambda x: x[-1],
    "mean": np.mean,
    "rms": lambda x: np.sqrt(np.mean(x**2)),
    "min": np.min,
    "max": np.max,
    "peak": lambda x: np.abs(x).max(),
}
CHANNELS = ("omega_m", "iq", "i_s", "torque", "ia", "energy_in", "torque_load")


def twin(kind):
    if kind == "foc":
        return pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=-150), pp.Load(torque=-0.02, t_on=0.01, coulomb=1e-3))
    if kind == "mtpa":
        return pp.Twin(pp.load("ipmsm-2k2"), pp.Foc(strategy="mtpa"))
    speed = 300 if kind == "six_step closed" else None
    load = pp.Load(torque=0.05, t_on=0.01)
    return pp.Twin(pp.load("maxon-ec45flat-70w-24v"), pp.SixStep(speed=speed, alpha_s=60), load)


def axes(base):
    name = "magnet.Br" if base.params.has_geometry else "datasheet.J"
    return {name: base.params.get(name) * np.linspace(1, 1.2, 5)}


@pytest.mark.parametrize("rtol", [0.0, 1e-7])
@pytest.mark.parametrize("kind", ["foc", "mtpa", "six_step", "six_step closed"])
def test_every_reducer_of_a_trace(kind, rtol):
    base = twin(kind)
    base.params.drive.rtol = rtol
    record = [f"{c}.{r}" for c in CHANNELS for r in REDUCE]
    for part in (record[:30], record[30:]):
        table = pp.sweep(base, axes(base), 0.03, part, trace=CHANNELS, threads=2)
        assert not table.failed and table.complete and (table["status"] == 0).all()
        for name in part:
            channel, reducer = name.split(".")
            for case in range(5):
                expected = REDUCE[reducer](table.run(case)[channel])
                assert table[name][case] == pytest.approx(expected, rel=1e-12, abs=1e-14), (name, case)


@pytest.mark.parametrize("kind", ["foc", "six_step closed"])
def test_settling_is_the_end_of_the_last_period_outside(kind):
    base = twin(kind)
    table = pp.sweep(base, axes(base), 0.3, ["omega_m.settle"], trace=["omega_m", "time"])
    period, reference = base.params.drive.period, base.params.control.speed_ref
    for case in range(5):
        outside = np.abs(table.run(case)["omega_m"] - reference) > 0.02 * abs(reference)
        assert table["omega_m.settle"][case] == pytest.approx((np.flatnonzero(outside)[-1] + 1) * period, rel=1e-9)
    assert table.unit("omega_m.settle") == "s"


@pytest.mark.parametrize("every", [1, 3, 7, 1000])
@pytest.mark.parametrize("kind", ["foc", "six_step"])
def test_traces_are_rows_of_the_run(kind, every):
    base = twin(kind)
    table = pp.sweep(base, axes(base), 0.01, ["omega_m.final"], trace=["time", "iq"], every=every)
    run = base.run(0.01, ["time", "iq"], every=every)
    assert np.array_equal(table.trace[0], run.block) and table.run(0).names == ("time", "iq")
    assert np.shares_memory(table.run(2).block, table.trace) and table.run(3).about["case"] == 3
    assert table["omega_m.final"][0] == base.run(0.01)["omega_m"][-1]


@pytest.mark.parametrize("kind", ["foc", "six_step"])
@pytest.mark.parametrize("channel", ["theta_m", "ia", "energy_in", "energy_load"])
def test_a_trace_of_one_channel_carries_what_it_needs(kind, channel):
    """Nothing but the trace asks for the angle or the energies here."""
    base = twin(kind)
    table = pp.sweep(base, axes(base), 0.01, ["omega_m.final"], trace=[channel])
    assert np.array_equal(table.trace[0, :, 0], base.run(0.01, [channel])[channel])


def test_initial_values_of_extremes():
    """Minima of what never falls below zero, maxima of what never rises above it."""
    base = twin("foc")
    table = pp.sweep(base, axes(base), 0.05, ["omega_m.max", "i_s.min", "omega_m.min", "theta_m.max", "time.min"])
    assert (table["omega_m.max"] == 0).all() and (table["i_s.min"] == 0).all() and (table["time.min"] == 0).all()
    assert (table["omega_m.min"] < -100).all() and (table["theta_m.max"] == 0).all()


@pytest.mark.parametrize("cases", [1, 2, 3, 31, 33, 64, 65, 130])
@pytest.mark.parametrize("threads", [1, 3, 12, 400])
def test_any_number_of_cases_and_threads(cases, threads, monkeypatch):
    monkeypatch.setattr(executors, "THREADS_MAX", 400)  # the core takes fewer by itself
    base = twin("foc")
    values = np.linspace(1.0, 1.4, cases)
    said = []
    table = pp.sweep(
        base, {"magnet.Br": values}, 0.002, ["iq.final"], threads=threads, progress=lambda a, b: said.append((a, b))
    )
    assert len(table) == cases and np.isfinite(table.block).all() and table.complete
    one = base.params.copy()
    one.magnet.Br = values[-1]
    assert table["iq.final"][-1] == pp.Twin(one).run(0.002)["iq"][-1]
    assert np.array_equal(table["magnet.Br"], values)
    assert all(0 <= a <= cases and b == cases for a, b in said)


def test_unlike_cases_keep_their_places():
    """Cases that cannot run side by side, and bad ones between them, each as they would run alone."""
    base = twin("foc")
    rows = [
        (4, 1e-4, 0.0, 1.2, 0),
        (2, 1e-4, 0.0, 1.2, 0),
        (4, 5e-5, 0.0, 1.2, 0),
        (4, 1e-4, 1e-6, 1.2, 0),
        (4, 1e-4, 0.0, 9.0, 0),
        (4, 1e-4, 0.0, 1.1, 1),
        (4, 1e-4, 0.0, 1.3, 0),
        (2.5, 1e-4, 0.0, 1.3, 0),
    ] * 9
    names = ("drive.substeps", "drive.period", "drive.rtol", "magnet.Br", "control.strategy")
    table = pp.sweep(base, (names, rows), 0.01, ["iq.final", "omega_m.mean"], threads=2)
    bad = [k for k, r in enumerate(rows) if r[3] == 9 or r[0] == 2.5]
    assert [k for k, _ in table.failed] == bad and np.isnan(table["iq.final"][bad]).all()
    assert table.failed[0][1] == "magnet.Br = 9: expected 0.05 to 1.6 T"
    assert table.failed[1][1] == "drive.substeps = 2.5: expected a whole number from 1 to 10000"
    for k in range(8):
        if k in bad:
            continue
        one = base.params.copy()
        for name, value in zip(names, rows[k], strict=True):
            one.set(name, int(value) if name == "drive.substeps" else value)
        run = pp.Twin(one).run(0.01)
        assert table["iq.final"][k] == run["iq"][-1] and table["iq.final"][k + 64] == run["iq"][-1]
        assert table["omega_m.mean"][k] == pytest.approx(run["omega_m"].mean(), rel=1e-12)


def test_reasons_are_the_cores_words():
    base = twin("foc")
    table = pp.sweep(base, {"stator.slots": [12, 10, 9]}, 0.001)
    assert [k for k, _ in table.failed] == [1]
    assert table.failed[0][1].startswith("stator.slots: no balanced three-phase winding: expected")
    assert repr(table).startswith("SweepTable(3 cases, 1 failed: stator.slots, ")
    hot = (("control.alpha_c", "control.alpha_s"), [(1000.0, 20.0), (9e5, 9e4)])
    hot = pp.sweep(pp.Twin(base.params, pp.Foc(speed=200)), hot, 5.0, ["iq.peak"], threads=1)
    assert hot.failed == [(1, "drive.period: the run diverged: expected a shorter period or a slower control")]


def test_units_of_columns():
    table = pp.sweep(twin("foc"), {"magnet.Br": [1.2]}, 0.001)
    expected = ["T", "rad/s", "N*m", "A", "A", "", ""]
    assert [table.unit(n) for n in table.names] == expected
    derived = pp.derive_sweep(twin("foc").params, {"magnet.Br": [1.2, 1.3]}, ["psi_pm", "Ld"])
    assert derived.names == ("magnet.Br", "psi_pm", "Ld", "status") and derived.unit("psi_pm") == "Wb"
    assert derived["psi_pm"][1] / derived["psi_pm"][0] == pytest.approx(1.3 / 1.2)
    with pytest.raises(ValueError, match=r"fields: psi: no such derived value"):
        pp.derive_sweep(twin("foc").params, {"magnet.Br": [1.2]}, ["psi"])
    with pytest.raises(ValueError, match="kept no trace"):
        table.run(0)


def test_memory_counts_parameters_outputs_and_traces(monkeypatch):
    asked = []
    monkeypatch.setattr("polepair.run.sweeps.plans.need_memory", lambda *a: asked.append(a))
    cases = (("magnet.Br", "magnet.mu_r"), [(1.2, 1.05)] * 5)
    pp.sweep(twin("foc"), cases, 0.001, ["iq.final", "iq.rms", "id.max"])
    pp.sweep(twin("foc"), cases, 0.001, ["iq.final"], trace=["iq", "id", "ia"], every=4)
    assert asked == [(5, 2, 3), (5, 2, 1 + 3 * 6)]


def test_a_name_is_no_plan():
    with pytest.raises(TypeError):
        pp.sweep(twin("foc"), ("magnet.Br", [[1.2]]), 0.001)
    pair = pp.sweep(twin("foc"), (["magnet.Br"], [[1.2]]), 0.001)
    assert len(pair) == 1


def test_record_defaults_to_the_final_value():
    table = pp.sweep(twin("foc"), {"magnet.Br": [1.2]}, 0.001, "iq")
    assert table.names == ("magnet.Br", "iq.final", "status")


class Executor:
    """Runs at once what it is given; loses the first `lost` tasks, and takes no more after `closed` of them."""

    _max_workers = 3

    def __init__(self, lost=0, closed=10**9, error=OSError):
        self.lost, self.closed, self.error, self.sizes = lost, closed, error, []

    def submit(self, fn, *args):
        if len(self.sizes) >= self.closed:
            raise RuntimeError("closed")
        self.sizes.append(len(args[0].rows))
        future = Future()
        if len(self.sizes) <= self.lost:
            future.set_exception(self.error("lost"))
        else:
            future.set_result(fn(*args))
        return future


def spread(executor, chunk=None, progress=None, **kw):
    return pp.sweep(
        twin("foc"),
        {"magnet.Br": np.linspace(1, 1.4, 26)},
        0.002,
        ["iq.final"],
        executor=executor,
        chunk=chunk,
        progress=progress,
        **kw,
    )


def test_executors_get_even_chunks():
    alone = spread(None)
    for chunk, sizes in ((None, [3] * 8 + [2]), (10, [10, 10, 6]), (26, [26]), (100, [26])):
        executor, said = Executor(), []
        table = spread(executor, chunk, lambda done, all, said=said: said.append((done, all)), trace=["iq"])
        assert executor.sizes == sizes and np.array_equal(table.block, alone.block)
        assert said[-1] == (26, 26) and table.complete and np.array_equal(table.trace[:, -1, 0], alone["iq.final"])
    assert executors.chunk_size(1, 4) == 1 and executors.chunk_size(17, 4) == 2 and executors.chunk_size(16, 4) == 1
    assert executors.chunk_size(4000, None) == -(-4000 // (4 * os.cpu_count()))
    with ThreadPoolExecutor(2) as pool:
        assert np.array_equal(spread(pool).block, alone.block)


def test_lost_chunks_run_again_and_at_last_here():
    alone = spread(None)
    for lost, tasks in ((1, 2), (2, 3), (3, 3), (9, 3)):
        executor = Executor(lost)
        assert np.array_equal(spread(executor, 26).block, alone.block) and len(executor.sizes) == tasks
    executor = Executor(closed=1)
    assert np.array_equal(spread(executor, 10).block, alone.block) and executor.sizes == [10]
    for error in (ValueError, TypeError):
        with pytest.raises(error, match="lost"):
            spread(Executor(1, error=error), 10)


def test_a_sweep_goes_on_where_it_stopped(tmp_path):
    path, alone = tmp_path / "part.npz", spread(None)
    part = spread(None)
    part.block[5:9, -1] = executors.CANCELLED
    part.block[5:9, 1] = np.nan
    part.save(path)
    said = []
    table = spread(None, None, lambda done, all: said.append((done, all)), resume=path)
    assert np.array_equal(table.block, alone.block) and said[-1] == (26, 26) and min(d for d, _ in said) >= 22
    assert np.array_equal(pp.load_table(path).block, alone.block)
    with pytest.raises(pp.FileError, match="holds another sweep"):
        pp.sweep(twin("foc"), {"magnet.Br": np.linspace(1, 1.5, 26)}, 0.002, ["iq.final"], resume=path)
    with pytest.raises(pp.FileError, match="holds another sweep"):
        pp.sweep(twin("foc"), {"magnet.Br": np.linspace(1, 1.4, 26)}, 0.003, ["iq.final"], resume=path)
    with pytest.raises(ValueError, match="cannot be kept with resume"):
        spread(None, resume=path, trace=["iq"])
    pp.Twin(pp.load("outrunner-12s14p")).run(0.001, ["iq"]).save(path)
    with pytest.raises(pp.FileError, match="not a sweep but a run"):
        pp.load_table(path)


def test_refused_cases_stay_refused_in_a_file(tmp_path):
    path = tmp_path / "t.npz"
    first = pp.sweep(twin("foc"), {"magnet.Br": [1.2, 9.0, 1.3]}, 0.001, ["iq.final"], resume=path)
    again = pp.sweep(twin("foc"), {"magnet.Br": [1.2, 9.0, 1.3]}, 0.001, ["iq.final"], resume=path)
    assert again.failed == first.failed == [(1, "magnet.Br = 9: expected 0.05 to 1.6 T")]
    assert np.array_equal(again.block, first.block, equal_nan=True)


def test_the_base_machines_controller():
    """retune=False: every case keeps the base's tuning, as a run with its nominal machine does."""
    base = twin("foc")
    table = pp.sweep(base, {"magnet.Br": [1.0, 1.4]}, 0.01, ["iq.final"], retune=False)
    for k, Br in enumerate((1.0, 1.4)):
        other = pp.Twin(base.params)
        other.params.magnet.Br = Br
        assert table["iq.final"][k] == other.run(0.01, nominal=base.params.derive())["iq"][-1]
        assert table["iq.final"][k] != other.run(0.01)["iq"][-1]


def test_ray_gets_what_it_needs(monkeypatch):
    """A stand-in for Ray: a task asks for one CPU unless told otherwise, and gives a future."""
    asked = []

    class Answer:
        def __init__(self, value):
            self.value = value

        def future(self):
            done = Future()
            done.set_result(self.value)
            return done

    class Ray:
        @staticmethod
        def remote(**options):
            asked.append(options)
            return lambda call: type("Task", (), {"remote": staticmethod(lambda *a: Answer(call(*a)))})

        @staticmethod
        def cluster_resources():
            return {"CPU": 3.0} if len(asked) < 2 else {}

    monkeypatch.setitem(sys.modules, "ray", Ray)
    executor = executors.RayExecutor()
    assert asked == [{"num_cpus": 1}] and executor._max_workers == 3
    assert executor.submit(divmod, 17, 5).result() == (3, 2)
    assert np.array_equal(spread(executor, 10).block, spread(None).block)
    assert executors.RayExecutor(num_cpus=2, resources={"a": 1})._max_workers == 1
    assert asked[1] == {"num_cpus": 2, "resources": {"a": 1}}


def test_the_chosen_instruction_set_can_be_forced():
    from polepair import _core

    best = _core.isa()
    assert _core.force_isa(best) and _core.isa() == best
    assert _core.force_isa("plain") and _core.isa() == "plain"
    assert not _core.force_isa("mmx") and _core.isa() == "plain"
    assert _core.force_isa(None) and _core.isa() == best


@pytest.mark.slow
def test_sweeps_in_c(root, tmp_path):
    """tests/c/sweep.c on the plain lanes with the address sanitizer."""
    flags = ["-std=c11", "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off"]
    kernels = sorted(glob.glob(str(root / "csrc/host/sweep/kernel_*.c")))
    lanes = {"avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f"]}
    objects = []
    for kernel in kernels:
        extra = next((v for k, v in lanes.items() if kernel.endswith(f"{k}.c")), [])
        objects.append(str(tmp_path / (Path(kernel).stem + ".o")))
        command = ["gcc", *flags, *extra, f"-I{root}/csrc/include", "-c", kernel, "-o", objects[-1]]
        subprocess.run(command, check=True)
    rest = ["tests/c/sweep.c", "csrc/host/sweep/sweep.c", "csrc/host/clock.c"]
    sources = [*(str(root / f) for f in rest), *glob.glob(str(root / "csrc/core/*/*.c")), *objects]
    binary = str(tmp_path / "sweep")
    subprocess.run(["gcc", *flags, f"-I{root}/csrc/include", *sources, "-lm", "-lpthread", "-o", binary], check=True)
    done = subprocess.run([binary], capture_output=True, text=True)
    assert done.returncode == 0 and "sweep: passed" in done.stdout, done.stdout + done.stderr
