"""Datasheet route and steady states against the analytic list (exact figures, computed by hand elsewhere)."""

import math

import pytest

import polepair as pp

RPM = math.pi / 30


def sheet(**values):
    m = pp.Motor()
    m.rotor.pole_pairs = 4
    base = {"R_ll": 1.0, "L_ll": 1e-3, "J": 1e-5}
    for name, value in {**base, **values}.items():
        m.set(f"datasheet.{name}", value)
    return m


def test_ec45_constants():
    """EC 45 flat: tau_m 8.082 ms, tau_e 0.7615 ms, stall 39.47 A and 1.4566 N m, 4.264 rpm/mN m."""
    d = pp.load("maxon-ec45flat-70w-24v-old").derive()
    R = 2 * d.Rs
    assert 1e3 * d.tau_m == pytest.approx(8.082, abs=5e-4)
    assert 1e3 * d.tau_e == pytest.approx(0.7615, abs=5e-5)
    assert pytest.approx(39.47, abs=5e-3) == 24 / R
    assert d.Kt_block * 24 / R == pytest.approx(1.4566, abs=5e-5)
    assert R / d.Kt_block**2 / RPM * 1e-3 == pytest.approx(4.264, abs=5e-4)


def test_maxon_rows_are_consistent():
    for name, stall in (("maxon-ec45flat-70w-24v", 1.690), ("maxon-ec45flat-50w-18v", 1.190)):
        m = pp.load(name)
        d = m.derive()
        assert d.Kt_block * m.drive.u_dc / (2 * d.Rs) == pytest.approx(stall, rel=0.005)
        assert pp.load(name).datasheet.I_no_load * d.Kt_block == pytest.approx(d.B * m.datasheet.n_no_load)


def test_conventions_agree():
    """The same motor told in every convention gives the same flux linkage."""
    psi, p = 0.0052, 4
    same = {
        "psi_pm": psi,
        "Kt_peak": 1.5 * p * psi,
        "Kt_rms": 1.5 * p * psi * math.sqrt(2),
        "Ke_ll_peak": math.sqrt(3) * p * psi,
        "Ke_ll_rms": math.sqrt(1.5) * p * psi,
        "Kv": 1 / (math.sqrt(3) * p * psi),
        "Kt_block": 3 * math.sqrt(3) / math.pi * p * psi,
    }
    for name, value in same.items():
        assert sheet(**{name: value}).derive().psi_pm == pytest.approx(psi, rel=1e-12), name


def test_trapezoid_conventions():
    flat = sheet(Kt_block=0.04, emf="trapezoid").derive()
    assert flat.emf_trapezoid == pytest.approx(0.02)
    assert flat.psi_pm == pytest.approx(12 / math.pi**2 * 0.02 / 4)
    assert sheet(Kv=25.0, emf="trapezoid").derive().emf_trapezoid == pytest.approx(0.02)
    assert flat.Kt_block == pytest.approx(0.04)


def test_line_to_line_is_twice_a_phase():
    d = sheet(psi_pm=0.005).derive()
    assert d.Rs == 0.5 and d.Ld == 5e-4
    m = sheet(psi_pm=0.005, R_ll=0, R_phase=0.5, L_ll=0, Ld=5e-4, Lq=6e-4)
    assert m.derive().Rs == 0.5 and m.derive().Lq == 6e-4


def test_units_of_published_sheets():
    assert pp.load("anaheim-bly171d").derive().psi_pm == pytest.approx(0.0052, abs=5e-5)
    assert pp.load("faulhaber-3242-bx4").derive().Kv / RPM == pytest.approx(1 / 7.666e-3, rel=1e-9)


@pytest.mark.parametrize(
    "values, text",
    [
        ({"Kt_block": 0.04, "Kv": 20.0}, "exactly one of Kt_block"),
        ({}, "exactly one of Kt_block"),
        ({"Kv": 20.0, "R_phase": 1.0}, "both R_ll and R_phase"),
        ({"Kv": 20.0, "L_ll": 0}, "either L_ll or Ld"),
        ({"Kv": 20.0, "Ld": 1e-3}, "either L_ll or Ld"),
        ({"Kv": 20.0, "J": 0}, "datasheet.J"),
    ],
)
def test_refusals(values, text):
    with pytest.raises(ValueError, match=text):
        sheet(**values).derive()


def test_ipmsm_analytic_list():
    """2.2-kW IPMSM: id = 0 at 14 N m; MTPA at 6 A; three-phase short at 75 Hz electrical."""
    d = pp.load("ipmsm-2k2").derive()
    iq = 14 / d.Kt
    assert iq == pytest.approx(5.70846, abs=5e-6)
    o = d.operating_point(0, iq, 140)
    assert (o["ud"], o["uq"]) == (pytest.approx(-122.275, abs=5e-4), pytest.approx(249.450, abs=5e-4))
    assert math.hypot(o["ud"], o["uq"]) == pytest.approx(277.807, abs=5e-4)
    id_ = d.mtpa_id(6)
    iq = math.sqrt(36 - id_**2)
    assert (id_, iq) == (pytest.approx(-0.94198, abs=5e-6), pytest.approx(5.92559, abs=5e-6))
    assert d.operating_point(id_, iq, 0)["torque"] == pytest.approx(14.9093, abs=5e-5)
    assert d.operating_point(0, 6, 0)["torque"] == pytest.approx(14.715, abs=5e-4)
    assert d.torque([[0], [id_]], [6, iq]).diagonal() == pytest.approx([14.715, 14.9093], abs=5e-4)
    assert d.torque(0, 6) == d.operating_point(0, 6, 0)["torque"]
    assert d.copper_loss([0, id_], [6, iq]) == pytest.approx([1.5 * d.Rs * 36] * 2)
    with pytest.raises(ValueError, match="shape"):
        d.torque([1, 2], [1, 2, 3])
    we = 2 * math.pi * 75
    det = d.Rs**2 + we**2 * d.Ld * d.Lq
    short = (-(we**2) * d.Lq * d.psi_pm / det, -we * d.Rs * d.psi_pm / det)
    o = d.operating_point(*short, we / 3)
    assert abs(o["ud"]) < 1e-9 and abs(o["uq"]) < 1e-9
    assert short == (pytest.approx(-14.6725, abs=5e-5), pytest.approx(-2.19784, abs=5e-6))
    assert o["torque"] == pytest.approx(-7.56691, abs=5e-6)
    assert d.psi_pm / d.Ld == pytest.approx(15.139, abs=5e-4)


def test_torque_limit_keeps_the_limits_and_beats_a_scan():
    import numpy as np

    d = pp.load("ipmsm-2k2").derive()
    i_max, u_max = 10.0, 540 / math.sqrt(3)
    for row, w in zip(d.torque_limit(np.linspace(0, 400, 41), i_max, u_max), np.linspace(0, 400, 41), strict=True):
        torque, id_, iq, ud, uq, reachable = row
        assert reachable and math.hypot(id_, iq) <= i_max * (1 + 1e-9) and math.hypot(ud, uq) <= u_max * (1 + 1e-9)
        angle = np.linspace(0, np.pi / 2, 400)
        for amplitude in np.linspace(1, 10, 30):
            for a in angle[::8]:
                o = d.operating_point(-amplitude * math.sin(a), amplitude * math.cos(a), w)
                if math.hypot(o["ud"], o["uq"]) <= u_max:
                    assert o["torque"] <= torque * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("name", ["ipmsm-2k2", "outrunner-12s14p", "maxon-ec45flat-70w-24v"])
def test_efficiency_map(name):
    import numpy as np

    motor = pp.load(name)
    d, m = motor.derive(), pp.efficiency_map(motor)
    assert (m.efficiency >= 0).all() and 0.5 < m.efficiency.max() < 1
    assert np.allclose(m.torque[-1], m.torque_limit, rtol=1e-9, atol=1e-12)
    k = len(m.omega_m) // 3
    total = m.torque[-1, k] * m.omega_m[k] + m.copper_loss[-1, k]
    limit = d.torque_limit([m.omega_m[k]], motor.drive.i_max, motor.drive.u_dc / math.sqrt(3))[0]
    o = d.operating_point(limit[1], limit[2], m.omega_m[k])
    assert 1.5 * (o["ud"] * o["id"] + o["uq"] * o["iq"]) == pytest.approx(total, rel=1e-9)
    with pytest.raises(ValueError, match="i_max = 0"):
        pp.efficiency_map(motor, i_max=0)
