"""Any number at any entry of observer and twin: no crash, a marked estimate, recovery; or one clear error."""

import contextlib
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polepair as pp
from polepair import _core
from polepair.live.estimation import estimates

ODD = [math.nan, math.inf, -math.inf, 1e300, -1e300, 1e18, 1e9, -1e9, 5e-324, -5e-324, 2.2e-308, 0.0, -0.0]
NUMBERS = st.sampled_from(ODD) | st.floats()
ALL = np.arange(len(estimates()), dtype=np.int32)
SPEED, QUALITY = list(estimates()).index("omega_m"), list(estimates()).index("quality")
INCONSISTENT = 3


@cache
def recorded():
    """A run to 300 rad/s: the motor, its run, and the five columns of a record."""
    motor = pp.load("outrunner-12s14p")
    run = pp.Twin(motor, control=pp.Foc(speed=300.0)).run(0.6)
    turned = np.exp(1j * run["theta_m"] * motor.rotor.pole_pairs)
    u, ia = (run["ud"] + 1j * run["uq"]) * turned, run["ia"]
    return motor, run, (run["time"], u.real, u.imag, ia, (ia + 2 * run["ib"]) / math.sqrt(3))


def by_sensor(sensor, value, bad=()):
    """Estimates of each millisecond; in the rows of `bad` the sensor says `value`."""
    motor, run, _ = recorded()
    o, out = _core.Observer(motor, adapt=False), []
    for k in range(20, len(run), 20):
        seen = {n: value if k // 20 in bad else float(run[n][k]) for n in ("theta_m", "omega_m", "i_bus")}
        o.coast(20 * motor.drive.period)
        if sensor == "angle":
            o.angle(seen["theta_m"], 0.001)
        else:
            o.speed(seen["omega_m"], 0.5)
            o.bus(seen["i_bus"], motor.drive.u_dc, 0.1)
        out.append(o.estimates())
    return np.array(out)


@pytest.mark.parametrize("sensor", ["angle", "speed"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, -1e9])
def test_a_sensor_that_says_no_number_is_told_and_comes_back(sensor, value):
    bad = range(200, 240)
    out = by_sensor(sensor, value, bad)
    assert np.isfinite(out).all() and out[bad[-1] - 1, QUALITY] == INCONSISTENT
    assert out[-1, QUALITY] != INCONSISTENT
    assert out[-1, SPEED] == pytest.approx(recorded()[1]["omega_m"][-1], rel=0.01)
    one = by_sensor(sensor, value, [300])
    assert one[299, QUALITY] != INCONSISTENT and one[-1, SPEED] == pytest.approx(out[-1, SPEED], rel=0.01)


@pytest.mark.parametrize("unscented", [False, True])
@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 1e8, 5e-324])
def test_a_record_that_holds_no_numbers_is_passed(unscented, column, value):
    motor, run, good = recorded()
    columns = [c.copy() for c in good]
    columns[column][4000:4040] = value
    out = _core.Observer(motor, 0.02, False).run(*columns, ALL, None, unscented)
    assert out[-1, QUALITY] == 0 and out[-1, SPEED] == pytest.approx(run["omega_m"][-1], rel=1e-3)
    lost = ~np.isfinite(out).all(axis=1)
    assert (out[lost, QUALITY] == INCONSISTENT).all() and not lost[:4000].any()
    assert column == 0 or not lost[4200:].any()  # without a clock it passes a gap, and may have to begin anew
    if column in (0, 3, 4) and not abs(value) < 1e9:
        assert out[4039, QUALITY] == INCONSISTENT


CALLS = {"predict": 3, "coast": 1, "currents": 2, "speed": 2, "angle": 2, "bus": 3}


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from(list(CALLS)), st.tuples(NUMBERS, NUMBERS, NUMBERS)), max_size=20), st.booleans()
)
def test_an_observer_takes_any_numbers(calls, adapt):
    """What leaves the finite numbers says so, and good samples bring it back."""
    motor, run, good = recorded()
    o = _core.Observer(motor, 0.02, adapt)
    for name, values in calls:
        try:
            getattr(o, name)(*values[: CALLS[name]])
        except ValueError as e:
            assert "expected a number" in str(e)
        now = o.estimates()
        assert np.isfinite(now).all() or now[QUALITY] == INCONSISTENT
    back = o.run(*(c[2000:] for c in good), ALL)
    assert np.isfinite(back[-1]).all()
    anew = by_angle_after(o)
    assert np.isfinite(anew).all() and anew[SPEED] == pytest.approx(run["omega_m"][-1], rel=0.02)


def by_angle_after(o):
    """The estimates after the angles of the recorded run."""
    motor, run, _ = recorded()
    for k in range(0, len(run), 4):
        o.coast(4 * motor.drive.period)
        o.angle(float(run["theta_m"][k]), 0.001)
    return o.estimates()


@given(NUMBERS, NUMBERS, NUMBERS)
def test_an_observer_begins_with_any_numbers_or_says_why_not(current, theta, sigma):
    motor, _, good = recorded()
    try:
        o = _core.Observer(motor, current, True, theta, sigma)
    except ValueError as e:
        assert "Observer: expected current >= 0" in str(e)
        return
    out = o.run(*(c[:300] for c in good), ALL)
    assert out.shape == (300, len(ALL)) and out[:, QUALITY].min() >= 0 and out[:, QUALITY].max() <= INCONSISTENT


TWIN_CALLS = st.tuples(st.sampled_from(["ask", "place", "step", "run", "fork"]), st.tuples(*[NUMBERS] * 5))


@settings(max_examples=200)
@given(st.lists(TWIN_CALLS, max_size=12), st.sampled_from(["foc", "six_step"]))
def test_a_twin_takes_any_numbers_or_says_why_not(calls, kind):
    motor = pp.load("outrunner-12s14p" if kind == "foc" else "maxon-ec45flat-70w-24v")
    core = pp.Twin(motor).core()
    for name, values in calls:
        given_ = {"ask": values[:2], "place": values, "step": values[:2], "run": (3, 2, True, ALL[:9]), "fork": ()}[
            name
        ]
        try:
            answer = getattr(core, name)(*given_)
            core = answer if name == "fork" else core
        except (ValueError, ArithmeticError) as e:
            assert "expected" in str(e)
    core.reset()
    core.ask(10.0, 0.0)
    assert np.isfinite(core.run(5, 1, True, ALL[:9])).all()


def test_a_twin_that_left_the_finite_numbers_says_so_at_every_step():
    core = pp.Twin(pp.load("outrunner-12s14p")).core()
    core.place(1e200, 1e200, 1e200, 0, 0)
    for _ in range(3):
        with pytest.raises(ArithmeticError, match="diverged"):
            core.step()
    core.reset()
    assert np.isfinite(core.step()).all()


@pytest.mark.parametrize("value", [1e18, 1e100, 1e300, -1e300])
def test_an_adaptive_twin_gives_up_on_what_it_cannot_hold(value):
    """Its step shrinks to nothing there: the period ends all the same."""
    motor = pp.load("outrunner-12s14p")
    motor.drive.rtol = 1e-6
    for ask in ((value, 0.0), (0.0, value)):
        core = _core.Twin(motor)
        for _ in range(3):
            with contextlib.suppress(ArithmeticError):
                core.step(*ask)
        core.reset()
        assert np.isfinite(core.step()).all()
