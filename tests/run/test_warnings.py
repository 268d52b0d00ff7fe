"""What a run doubts: every warning has a run that shows it, what is well has none, sweeps say the same."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import polepair as pp
from polepair import _core
from polepair.cli.main import main
from polepair.run import warnings
from polepair.table import parameters

MISSED = {"VOLTAGE_LIMIT", "CURRENT_LIMIT", "TORQUE_LIMIT", "RAMPING", "SETTLING", "OVERHAULED"}


def codes(motor="outrunner-12s14p", t_end=0.5, **values):
    """The codes of a run's warnings; keys like load__torque."""
    m = motor if isinstance(motor, pp.Motor) else pp.load(motor)
    for name, value in values.items():
        m.set(name.replace("__", "."), value)
    return {w.code for w in pp.Twin(m).run(t_end, every=20).warnings}


NO_FAN = {"load__quadratic": 0.0}
SHOWN = [
    ("outrunner-12s14p", 0.5, {"control__speed_ref": 2094.0}, {"VOLTAGE_LIMIT"}),
    ("outrunner-12s14p", 0.5, {"stator__length": 0.015}, {"VOLTAGE_LIMIT"}),
    ("outrunner-12s14p", 0.5, {"drive__i_max": 2.0}, {"CURRENT_LIMIT"}),
    ("outrunner-12s14p", 0.5, {"control__torque_max": 0.05}, {"TORQUE_LIMIT"}),
    ("outrunner-12s14p", 0.05, {}, {"RAMPING"}),
    ("pyleecan-spmsm-001", 0.5, {}, {"SETTLING"}),
    ("outrunner-12s14p", 0.5, {"load__torque": 1.0, **NO_FAN}, {"OVERHAULED", "BACKWARDS", "OVERCURRENT"}),
    ("outrunner-12s14p", 0.5, {"load__torque": -1.0, **NO_FAN}, {"OVERHAULED", "OVERCURRENT"}),
    ("outrunner-12s14p", 0.5, {"rotor__gap": 0.05}, {"GAP", "SHORT", "CURRENT_LIMIT"}),
    ("outrunner-12s14p", 0.5, {"stator__tooth_width": 0.003}, {"SATURATED"}),
    ("outrunner-12s14p", 0.5, {"winding__coil_span": 5}, {"WINDING"}),
    ("outrunner-12s14p", 0.5, {"control__duty": 0.5}, {"IDLE"}),
    ("maxon-ec45flat-70w-24v", 0.2, {"control__speed_ref": 300.0}, {"IDLE"}),
    ("ipmsm-2k2", 0.9, {"magnet__Br": 1.0}, {"IDLE"}),
]


@pytest.mark.parametrize("name, t_end, values, wanted", SHOWN)
def test_a_run_says_what_it_doubts(name, t_end, values, wanted):
    found = codes(name, t_end, **values)
    assert wanted <= found and found - wanted <= {"VOLTAGE_LIMIT", "SETTLING"}


def test_torque_and_energy_are_doubted():
    """A torque limit far below the current's, held while the voltage is short; steps that are too long."""
    assert "OVERTORQUE" in codes(load__torque=-0.3, control__torque_max=0.05, **NO_FAN)
    m = pp.load("ipmsm-2k2")
    m.drive.period, m.drive.substeps, m.control.alpha_c, m.control.speed_ref = 2e-3, 1, 200.0, 200.0
    assert "ENERGY" in codes(m, 1.0)


def test_every_warning_is_shown_here():
    shown = set().union(*(wanted for *_, wanted in SHOWN)) | {"OVERTORQUE", "ENERGY"}
    assert shown == {row.code for row in warnings.rows()}


@pytest.mark.parametrize("name", pp.catalogue())
def test_the_catalogue_has_none(name):
    """But for two motors that half a second does not bring back from their load's step; a second more does."""
    late = {"pyleecan-spmsm-001", "pyleecan-spmsm-015"}
    assert codes(name, 0.5) == ({"SETTLING"} if name in late else set())
    assert not codes(name, 1.5)


@pytest.mark.parametrize("share, reached", [(0.985, True), (0.975, False)])
def test_a_reference_is_reached_within_two_percent(share, reached):
    """An ideal drive on its ramp's last rows, cut where the speed is this share of the reference."""
    m = pp.load("outrunner-12s14p")
    run = pp.Twin(m).run(0.5)
    first = int(np.flatnonzero(run["omega_m"] >= share * m.control.speed_ref)[0])
    found = codes(m, first * m.drive.period)
    assert bool(found & MISSED) != reached


@pytest.mark.parametrize("current, passed", [(1.04, False), (1.06, True)])
def test_i_max_is_passed_at_five_percent(current, passed):
    """The limit is set below the peak of a run whose torque limit, not i_max, decides it."""
    m = pp.load("spmloss-18s16p")
    m.control.torque_max = 0.1
    peak = pp.Twin(m).run(0.5)["i_s"].max()
    m.drive.i_max = peak / current
    assert ("OVERCURRENT" in codes(m)) == passed


def test_a_stop_against_a_load_is_judged():
    assert not codes(control__speed_ref=0.0, load__torque=0.05, **NO_FAN)
    assert "OVERHAULED" in codes(control__speed_ref=0.0, load__torque=1.0, **NO_FAN)


@pytest.mark.parametrize(
    "name, torque, said",
    [
        ("outrunner-12s14p", 5.0, "load.torque: the load drives the rotor through over a quarter"),
        ("maxon-ec45flat-70w-24v", 1.0, "load.torque: the load turns a six_step motor backwards"),
        ("maxon-ec45flat-70w-24v", -0.05, "load.torque: the load drives a six_step motor"),
    ],
)
def test_what_no_model_holds_for_is_stopped(name, torque, said):
    m = pp.load(name)
    m.load.torque, m.load.quadratic = torque, 0.0
    with pytest.raises(pp.DivergedError, match=said):
        pp.Twin(m).run(0.5, every=50)
    table = pp.sweep(pp.Twin(m), {"load.torque": [0.0, torque]}, 0.5)
    assert [k for k, _ in table.failed] == [1] and said in table.failed[0][1]


def test_a_reference_beyond_the_period_is_named():
    with pytest.raises(ValueError, match=r"control\.speed_ref = -100000\.0 rad/s: turns the rotor"):
        pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=-1e5)).run(0.1)


AXES = {"load.torque": [0.0, 0.05, 0.3, 1.0, -0.3], "drive.i_max": [2.0, 15.0], "control.speed_ref": [300.0, 900.0]}


@pytest.mark.parametrize("isa", ["plain", "avx2"])
@pytest.mark.parametrize("mode", ["exact", "single"])
def test_sweeps_doubt_what_single_runs_doubt(isa, mode):
    m = pp.load("outrunner-12s14p")
    if not _core.force_isa(isa):
        pytest.skip(f"no {isa}")
    try:
        table = pp.sweep(pp.Twin(m), AXES, 0.3, record=("warnings", "omega_m"), mode=mode)
    finally:
        _core.force_isa(None)
    seen = set()
    for k in range(len(table)):
        for name in AXES:
            m.set(name, table[name][k])
        found = codes(m, 0.3) - {"ENERGY"}
        assert found == set(warnings.codes(table["warnings"][k]))
        seen |= found
    assert len(seen) > 4 and len(table.warnings) == len(seen)


def test_six_step_sweeps_doubt_too():
    m = pp.load("maxon-ec45flat-70w-24v")
    twin = pp.Twin(m, pp.SixStep(speed=400.0, alpha_s=60))
    table = pp.sweep(twin, {"load.torque": [0.0, 0.5], "load.coulomb": [0.05, 0.2]}, 0.4)
    assert [warnings.codes(v) for v in table["warnings"]] == [[], ["CURRENT_LIMIT"], [], []]
    assert [k for k, _ in table.failed] == [2, 3]  # the load turns them backwards


def motors():
    """Random drives of the catalogue's FOC motors: reference, load, limits, strategy and tuning."""
    share = st.floats(0.05, 1.6)
    return st.tuples(
        st.sampled_from(["outrunner-12s14p", "spmloss-18s16p", "ipmsm-2k2", "anaheim-bly171d", "pyleecan-spmsm-015"]),
        share,
        st.floats(0, 1.4),
        st.sampled_from(["id0", "mtpa"]),
        st.floats(0.5, 1.5),
    )


def drawn(name, speed, torque, strategy, limit):
    """The motor of such a draw; speed and torque as shares of what the drive has."""
    m = pp.load(name)
    d = m.derive()
    m.control.torque_max = 0
    m.drive.i_max *= limit
    m.control.strategy = strategy
    m.control.speed_ref = speed * m.drive.u_dc / 3**0.5 / (d.pole_pairs * d.psi_pm)
    m.control.speed_ramp = m.control.speed_ref / 0.2
    m.load.torque, m.load.t_on = 0.0, 0.0
    m.load.quadratic = torque * d.Kt * m.drive.i_max / m.control.speed_ref**2
    return m


@settings(max_examples=60, deadline=None, derandomize=True)
@given(motors())
def test_a_missed_reference_is_said_and_a_held_one_is_not(draw):
    m = drawn(*draw)
    run = pp.Twin(m).run(2.0, ["time", "omega_m"], every=100)
    off = abs(run["omega_m"][-1] / m.control.speed_ref - 1)
    found = {w.code for w in run.warnings}
    assert bool(found & MISSED) == (off > 0.02)
    if off <= 0.02:
        assert found <= ({"IDLE"} if draw[3] == "mtpa" and not draw[0].startswith("ipmsm") else set())


@settings(max_examples=40, deadline=None, derandomize=True)
@given(motors())
def test_settings_without_effect_have_none(draw):
    """What is called idle may have any other value: not a bit of the run changes."""
    m = drawn(*draw)
    other = m.copy()
    row = parameters()
    for name in ("control.duty", "control.closed_loop", "drive.diode_drop", "datasheet.Kv", "magnet.Br"):
        value = {"control.closed_loop": "yes", "magnet.Br": 0.7}.get(name, 0.3)
        other.set(name, value)
        names = [list(row)[k] for k in other.derive().idle(other)] if _derives(other) else []
        if name not in names:
            other.set(name, m.get(name))
    idle = {list(row)[k] for k in other.derive().idle(other)}
    assert {"control.duty", "control.closed_loop", "drive.diode_drop"} <= idle
    assert pp.Twin(m).run(0.02).block.tobytes() == pp.Twin(other).run(0.02).block.tobytes()


def _derives(motor):
    try:
        motor.derive()
    except ValueError:
        return False
    return True


def test_strict_turns_warnings_into_errors():
    twin = pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=2000))
    with pp.strict():
        with pytest.raises(warnings.StrictError, match=r"outrunner-12s14p: control\.speed_ref = 2000 rad/s: speed ref"):
            twin.run(0.2, every=50)
        with pp.strict(False):
            twin.run(0.2, every=50)
        assert pp.Twin(pp.load("outrunner-12s14p")).run(0.5, every=50).warnings == []
        failed = pp.sweep(twin, {"control.speed_ref": [300.0, 2000.0]}, 0.5).failed
        assert [k for k, _ in failed] == [1] and "control.speed_ref: speed reference not reached" in failed[0][1]
    assert twin.run(0.2, every=50).warnings
    pp.strict()
    try:
        with pytest.raises(ValueError):
            twin.run(0.2, every=50)
    finally:
        pp.strict(False)


def test_strictness_of_two_threads_that_overlap():
    """The one that leaves first takes nothing from the other, and nothing is left when both are gone."""
    twin = pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=2000))
    entered, left, ends = threading.Event(), threading.Event(), []

    def first():
        with pp.strict():
            entered.wait(10)
        left.set()

    def second():
        with pp.strict():
            entered.set()
            left.wait(10)
            ends.append(_ends_strictly(twin))
            with pp.strict(False):
                ends.append(_ends_strictly(twin))

    threads = [threading.Thread(target=f) for f in (first, second)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert ends == [True, False] and not _ends_strictly(twin)


def _ends_strictly(twin) -> bool:
    try:
        twin.run(0.02, every=50)
    except warnings.StrictError:
        return True
    return False


def test_strictness_reaches_threads_and_is_put_back():
    twin = pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=2000))
    pool = ThreadPoolExecutor(1)
    with pp.strict():
        assert pool.submit(_ends_strictly, twin).result()
        pp.strict(False)
        assert not _ends_strictly(twin) and not pool.submit(_ends_strictly, twin).result()
    assert not _ends_strictly(twin)
    pp.strict()
    try:
        with pp.strict(False):
            assert not _ends_strictly(twin)
        assert _ends_strictly(twin) and pool.submit(_ends_strictly, twin).result()
    finally:
        pp.strict(False)
    for _ in range(2 * warnings.KEPT):
        pp.strict(False)
    assert not _ends_strictly(twin) and len(warnings._open) <= warnings.KEPT
    pool.shutdown()


def test_warnings_are_kept_with_the_result(tmp_path):
    run = pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=2000)).run(0.2, every=50)
    run.save(tmp_path / "run.npz")
    again = pp.Result.load(tmp_path / "run.npz")
    assert again.warnings == run.warnings != []
    assert all("\n" not in str(w) and "expected" in str(w) for w in run.warnings)


@pytest.mark.parametrize("kept", [None, 3, [3], [["a"]], {"a": 1}])
def test_damaged_metadata_has_no_warnings(kept):
    assert pp.Result(("time",), np.zeros((1, 1)), {"warnings": kept}).warnings == []


def test_the_command_line_says_them():
    runner = CliRunner()
    done = runner.invoke(main, ["run", "outrunner-12s14p", "--set", "control.speed_ref=2000", "--time", "0.2"])
    assert done.exit_code == 0
    assert "polepair: warning: control.speed_ref = 2000 rad/s: speed reference not reached" in done.stderr
    assert "warning" not in done.stdout
    done = runner.invoke(
        main, ["run", "outrunner-12s14p", "--set", "control.speed_ref=2000", "--time", "0.2", "--json"]
    )
    assert "not reached" in json.loads(done.stdout)["warnings"][0] and not done.stderr
    done = runner.invoke(main, ["sweep", "outrunner-12s14p", "control.speed_ref=300,2000", "--time", "0.5"])
    assert "polepair: warning: 1 of 2 cases: control.speed_ref: speed reference not reached" in done.stderr
