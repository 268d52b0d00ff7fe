"""Sweeps: the same bits as single runs on every instruction set and thread count; bad cases; interruption."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import polepair as pp
from polepair import _core

AXES = {"magnet.Br": np.linspace(1.0, 1.4, 5), "winding.turns": [12, 15, 19]}
RECORD = ["omega_m.final", "id.final", "i_s.peak", "i_s.rms", "torque.mean", "torque.min", "iq.max", "ia.final"]


@pytest.fixture(autouse=True)
def best_isa():
    yield
    _core.force_isa(None)


def twin(kind="foc"):
    if kind == "foc":
        return pp.Twin(pp.load("outrunner-12s14p"))
    if kind == "full":
        return pp.Twin(pp.load("ipmsm-2k2"), pp.Foc(strategy="mtpa"), pp.Load(coulomb=0.1) | pp.Propeller(1e-4))
    return pp.Twin(pp.load("maxon-ec45flat-70w-24v"))


def axes(kind):
    if kind == "foc":
        return AXES
    return {"datasheet.J": np.linspace(1, 3, 7) * twin(kind).params.datasheet.J, "load.torque": [0.01, 0.1]}


def reduced(run, name):
    channel, how = name.split(".")
    x = run[channel]
    ways = {
        "final": x[-1],
        "mean": x.mean(),
        "rms": np.sqrt((x**2).mean()),
        "min": x.min(),
        "max": x.max(),
        "peak": np.abs(x).max(),
    }
    return ways[how]


@pytest.mark.parametrize("kind", ["foc", "full", "six_step"])
def test_cases_are_single_runs(kind):
    t = twin(kind)
    table = pp.sweep(t, axes(kind), 0.05, RECORD)
    names = list(axes(kind))
    for k in (0, 3, len(table) - 1):
        single = t.params.copy()
        for n in names:
            single.set(n, table[n][k])
        run = pp.Twin(single).run(0.05)
        for name in RECORD:
            exact = name.endswith(("final", "min", "max", "peak"))
            assert table[name][k] == pytest.approx(reduced(run, name), rel=0 if exact else 1e-12, abs=0), name


@pytest.mark.parametrize("kind", ["foc", "full", "six_step"])
def test_same_bits_on_every_path(kind):
    results = []
    for isa in ("plain", "avx2", "avx512"):
        for threads in (1, 2, 5):
            if _core.force_isa(isa):
                results.append(pp.sweep(twin(kind), axes(kind), 0.05, RECORD, threads=threads).block.tobytes())
    assert len(results) >= 3 and len(set(results)) == 1


@pytest.mark.parametrize("kind", ["foc", "six_step"])
def test_float_lanes_count_no_further_than_they_can(kind):
    t = twin(kind)
    periods = (1 << 24) + 2
    table = pp.sweep(t, {"load.J": [1e-5]}, periods * t.params.drive.period, ["omega_m.final"], mode="single")
    assert "floats can count" in dict(table.failed)[0]


@pytest.mark.parametrize("kind", ["foc", "six_step"])
def test_settling_time(kind):
    t = twin(kind)
    if kind == "six_step":
        t.params.control.closed_loop, t.params.control.speed_ref, t.params.control.alpha_s = "yes", 300, 60
    table = pp.sweep(t, {"load.J": [1e-6, 1e-5, 3e-5]}, 0.4, ["omega_m.settle"])
    for k, J in enumerate(table["load.J"]):
        single = t.params.copy()
        single.load.J = J
        run = pp.Twin(single).run(0.4, ["time", "omega_m"])
        ref = single.control.speed_ref
        outside = np.flatnonzero(np.abs(run["omega_m"] - ref) > 0.02 * ref)
        assert table["omega_m.settle"][k] == pytest.approx(run["time"][outside[-1]] + single.drive.period, rel=1e-12)
    with pytest.raises(ValueError, match="expected omega_m.settle"):
        pp.sweep(t, {"load.J": [1e-5]}, 0.1, ["iq.settle"])


def test_mixed_periods_and_lengths_share_a_sweep():
    table = pp.sweep(
        twin(),
        {"drive.period": [2e-5, 5e-5, 1e-4], "drive.substeps": [1, 2], "winding.turns": [14, 16]},
        0.02,
        ["omega_m.final"],
    )
    assert not table.failed and np.isfinite(table["omega_m.final"]).all()


def test_bad_cases_are_named_and_the_rest_runs():
    table = pp.sweep(twin(), {"magnet.Br": [1.2, 9.0], "winding.turns": [16, 2000], "stator.slots": [12, 10]}, 0.01)
    good = table["status"] == 0
    assert good.sum() == 1 and len(table.failed) == 7
    reasons = dict(table.failed)
    assert reasons[1].startswith(
        "stator.slots: no balanced three-phase winding: expected slots / gcd(slots, pole_pairs)"
    )
    assert reasons[2].startswith("winding.wire_diameter: the copper does not fit")
    assert reasons[4] == "magnet.Br = 9: expected 0.05 to 1.6 T"
    assert np.isnan(table["omega_m.final"][~good]).all() and np.isfinite(table["omega_m.final"][good]).all()


def test_diverging_cases_are_marked():
    table = pp.sweep(twin(), {"control.alpha_c": [1000.0, 9e5], "control.alpha_s": [60.0, 9e4]}, 5.0, ["omega_m.final"])
    assert table["status"][0] == 0
    assert any("diverged" in why for _, why in table.failed)


def test_retune_changes_the_controller():
    a = pp.sweep(twin(), {"winding.turns": [12, 20]}, 0.05, ["iq.final"])
    b = pp.sweep(twin(), {"winding.turns": [12, 20]}, 0.05, ["iq.final"], retune=False)
    assert not np.array_equal(a["iq.final"], b["iq.final"])


def test_derive_sweep_is_derive():
    table = pp.derive_sweep(pp.load("outrunner-12s14p"), AXES)
    for k in (0, 7, 14):
        m = pp.load("outrunner-12s14p")
        m.magnet.Br, m.winding.turns = table["magnet.Br"][k], table["winding.turns"][k]
        d = m.derive().as_dict()
        assert all(table[n][k] == v for n, v in d.items())


@pytest.mark.parametrize(
    "axes, kw, text",
    [
        ({"magnet.Brr": [1]}, {}, "magnet.Brr: no such parameter, did you mean magnet.Br"),
        ({"magnet.Br": []}, {}, "magnet.Br: no values"),
        ({}, {}, "no cases|no values"),
        ({"magnet.Br": [1]}, {"record": "omega.final"}, "no such channel, did you mean omega_m"),
        ({"magnet.Br": [1]}, {"record": "omega_m.middle"}, "no such reducer"),
        ({"rotor.topology": ["middle"]}, {}, "expected one of inner, outer"),
        ((("magnet.Br", "magnet.Br"), [[1, 2]]), {}, "named twice"),
        ((("magnet.Br",), [[1, 2]]), {}, "1 names but rows of 2"),
    ],
)
def test_bad_arguments(axes, kw, text):
    with pytest.raises(ValueError, match=text):
        pp.sweep(twin(), axes, 0.01, **kw)


def test_bad_time():
    for t_end in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="t_end"):
            pp.sweep(twin(), {"magnet.Br": [1.2]}, t_end)


def test_progress_and_save(tmp_path):
    seen = []
    table = pp.sweep(twin(), AXES, 0.2, progress=lambda done, total: seen.append((done, total)))
    assert seen and seen[-1][1] == len(table) and seen == sorted(seen)
    for suffix in (".parquet", ".npz"):
        table.save(tmp_path / f"s{suffix}")
        again = pp.load_table(tmp_path / f"s{suffix}")
        assert again.names == table.names and np.array_equal(again.block, table.block)


def test_progress_may_raise():
    def stop(done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pp.sweep(twin(), {"magnet.Br": np.linspace(1, 1.4, 400)}, 1.0, progress=stop)


def test_ctrl_c_keeps_the_finished_cases():
    code = """
        import signal, numpy as np, polepair as pp
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit it ignored
        told = []
        def progress(done, total):
            if done and not told:
                told.append(print("ready", flush=True))
        t = pp.Twin(pp.load("outrunner-12s14p"))
        table = pp.sweep(t, {"magnet.Br": np.linspace(1, 1.4, 200000)}, 1.0, progress=progress)
        print(table.complete, (table["status"] == 0).sum(), len(table))
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().strip() == "ready"
        os.kill(child.pid, signal.SIGINT)
        complete, done, total = child.communicate()[0].split()  # one that is not interrupted ends too, complete
    finally:
        child.kill()
    assert complete == "False" and 0 < int(done) < int(total)


@pytest.mark.parametrize("half", range(12))
@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_trace_has_the_rows_of_its_run(half, every):
    """Times that end between two samples are rounded in one place."""
    t = twin()
    t_end = (half + 0.5) * t.params.drive.period
    table = pp.sweep(t, {"magnet.Br": [1.1, 1.2, 1.3]}, t_end, trace=["omega_m", "time"], every=every)
    for k, Br in enumerate(table["magnet.Br"]):
        single = t.params.copy()
        single.magnet.Br = Br
        assert np.array_equal(table.trace[k], pp.Twin(single).run(t_end, ["omega_m", "time"], every=every).block)


def test_a_trace_with_no_room_for_its_rows_is_refused():
    motor, columns = twin().params, np.array([pp.parameters()["magnet.Br"].index], np.int32)
    ask = motor, columns, [[1.1], [1.2]], 10 * motor.drive.period, [[0, 0]], True, 1, None, 0
    for rows in (10, 1):
        results, status, _, _, trace = _core.sweep(*ask, ([0], 1, rows))
        assert status.all() and np.isnan(results).all() and np.isnan(trace).all() and trace.shape == (2, rows, 1)
    _, status, _, _, trace = _core.sweep(*ask, ([0], 1, 13))
    assert not status.any() and np.isfinite(trace[:, :11]).all() and np.isnan(trace[:, 11:]).all()
    for rows in (1 << 62, -1, 0):
        with pytest.raises(ValueError, match="trace"):
            _core.sweep(*ask, ([0], 1, rows))


@pytest.mark.parametrize("kind", ["foc", "full", "six_step"])
def test_cases_of_different_shape_do_not_run_side_by_side(kind):
    """What a block shares (strategy, substeps, periods, friction) is the case's own, whatever others ask for."""
    t = twin(kind)
    mixed = {"drive.substeps": [1, 2], "drive.period": [5e-5, 1e-4], "load.coulomb": [0.0, 1e-3]}
    if kind != "six_step":
        mixed["control.strategy"] = ["id0", "mtpa"]
    record = ["omega_m.final", "iq.final", "id.peak"]
    table = pp.sweep(t, mixed, 0.02, record)
    assert not table.failed
    for k in range(len(table)):
        single = t.params.copy()
        for n in mixed:
            single.set(n, table[n][k])
        run = pp.Twin(single).run(0.02)
        assert [table[n][k] for n in record] == [reduced(run, n) for n in record]


@pytest.mark.parametrize(
    "axes, text",
    [
        (("magnet.Br", [1.1, 1.2]), r"axes: \('magnet.Br', ...\): expected \{name: values\}, or the \(names, rows\)"),
        ([("magnet.Br", [1.1])], "axes: list: expected"),
        (None, "axes: NoneType: expected"),
        ((), "axes: tuple: expected"),
    ],
)
def test_axes_of_another_kind(axes, text):
    with pytest.raises(TypeError, match=text):
        pp.sweep(twin(), axes, 0.01)


@pytest.mark.parametrize("values", [[None], [10**400], [[1, 2], [3]], [1j]])
def test_axes_of_no_numbers(values):
    with pytest.raises(ValueError, match="magnet.Br: expected numbers"):
        pp.sweep(twin(), {"magnet.Br": values}, 0.01)
