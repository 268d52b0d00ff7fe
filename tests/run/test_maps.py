"""Map and run promise the same: what the map has solid a run holds, what it marks a run does not."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import polepair as pp

FOC = ["outrunner-12s14p", "spmloss-18s16p", "ipmsm-2k2", "anaheim-bly171d", "pyleecan-spmsm-015", "coreless-printed"]
SIX_STEP = ["maxon-ec45flat-50w-18v", "maxon-ec45flat-70w-24v-old", "maxon-ec45flat-70w-24v"]


def held(motor, omega, torque) -> float:
    """The share of a speed that the motor's drive comes to, when the load there needs an air-gap torque."""
    m, d = motor.copy(), motor.derive()
    m.control.speed_ref, m.control.speed_ramp = omega, omega / 0.3
    m.load.torque = m.load.viscous = m.load.coulomb = m.load.quadratic = 0.0
    left = torque - d.B * omega - d.T_coulomb
    m.load.quadratic = max(left, 0.0) / omega**2
    inertia = 8 * m.load.quadratic * omega**2 / omega  # of a load that follows within a second
    m.load.J = min(max(0.0, 0.2 * inertia - d.J), 20 * d.J)
    run = pp.Twin(m).run(3.0, ["omega_m"], every=200)
    return run["omega_m"][-10:].mean() / omega


def point(motor, speed, share):
    """A point of the map as (column, row, map)."""
    found = pp.efficiency_map(motor, speeds=40, shares=21)
    column = 1 + int(speed * (len(found.omega_m) - 2))
    return column, 1 + int(share * 19), found


def away(found, row, column) -> bool:
    """Not beside the border of the marked part, where a cell decides."""
    low_r, low_c = max(row - 1, 0), max(column - 1, 0)
    around = found.needs_field_weakening[low_r : row + 2, low_c : column + 2]
    return bool(around.all() or not around.any())


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(FOC),
    st.floats(0.05, 1),
    st.floats(0, 1),
    st.sampled_from(["id0", "mtpa"]),
    st.floats(0.4, 1.5),
    st.floats(0.6, 1.3),
)
def test_a_run_holds_what_is_solid_and_no_more(name, speed, share, strategy, current, voltage):
    motor = pp.load(name)
    motor.control.strategy = strategy
    motor.drive.i_max *= current
    motor.drive.u_dc *= voltage
    column, row, found = point(motor, speed, share)
    d = motor.derive()
    omega, torque = found.omega_m[column], found.torque[row, column]
    assume(away(found, row, column) and torque > 1.02 * (d.B * omega + d.T_coulomb))
    assume(not abs(torque) > 0.98 * found.torque_limit.max())  # i_max itself leaves nothing to settle with
    arrives = abs(held(motor, omega, torque) - 1) < 0.01
    assert arrives != found.needs_field_weakening[row, column]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.sampled_from(SIX_STEP), st.floats(0.05, 1), st.floats(0, 1), st.floats(0.5, 3))
def test_six_step_holds_what_is_solid(name, speed, share, current):
    motor = pp.load(name)
    motor.drive.i_max *= current
    motor.control.closed_loop = "yes"
    column, row, found = point(motor, speed, share)
    d = motor.derive()
    omega, torque = found.omega_m[column], found.torque[row, column]
    assume(torque > 1.02 * (d.B * omega + d.T_coulomb))
    if not found.needs_field_weakening[row, column]:
        assert held(motor, omega, torque) == pytest.approx(1, abs=0.02)
    elif motor.derive().Kt_block * omega > 1.05 * motor.drive.u_dc or torque > 1.1 * d.Kt_block * motor.drive.i_max:
        assert held(motor, omega, torque) < 0.98


def test_the_map_of_the_printed_example():
    """0.2 N m at 6000 rpm: on the map, by field weakening that the control does not have."""
    motor = pp.load("outrunner-12s14p")
    found = pp.efficiency_map(motor)
    column = int(np.argmin(np.abs(found.omega_m - 628)))
    row = int(np.argmin(np.abs(found.torque[:, column] - 0.2)))
    assert found.torque_limit[column] > 0.3 and found.needs_field_weakening[row, column]
    assert found.torque_reach[column] == 0 and found.torque_reach[5] > 0.6
    assert held(motor, 628, 0.2) < 0.8


def test_reach_is_part_of_the_limit():
    for name in pp.catalogue():
        found = pp.efficiency_map(pp.load(name), speeds=30, shares=15)
        assert found.needs_field_weakening.shape == found.torque.shape and found.needs_field_weakening.dtype == bool
        assert (found.torque_reach <= found.torque_limit * (1 + 1e-9)).all()
        assert not found.needs_field_weakening[0].any() or found.omega_m[-1] > 0


def test_what_the_file_does_not_give_is_said():
    assert pp.efficiency_map(pp.load("ipmsm-2k2")).omitted == ("iron loss", "friction")
    assert pp.efficiency_map(pp.load("anaheim-bly171d")).omitted == ("iron loss",)
    assert pp.efficiency_map(pp.load("outrunner-12s14p")).omitted == ()
    assert "without iron loss and friction" in repr(pp.efficiency_map(pp.load("ipmsm-2k2")))


def test_its_repr_is_short():
    text = repr(pp.efficiency_map(pp.load("outrunner-12s14p")))
    assert "\n" not in text and len(text) < 160 and "without field weakening" in text


def test_limits_of_its_own():
    motor = pp.load("outrunner-12s14p")
    wide = pp.efficiency_map(motor, u_max=30.0)
    assert wide.torque_reach[wide.omega_m < 628].min() > 0
    with pytest.raises(ValueError, match="expected more than 0"):
        pp.efficiency_map(motor, u_max=0)
    pp.efficiency_map(motor, u_max=1e-3, i_max=1e-6)
