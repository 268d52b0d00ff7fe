"""Runs against independent solutions, conservation laws, symmetry and order of convergence."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import polepair as pp


def foc_bench(substeps=1):
    m = pp.load("ipmsm-2k2")
    m.drive.substeps = substeps
    return m


def six_step_bench(substeps=1):
    m = pp.load("maxon-ec45flat-70w-24v-old")
    m.drive.substeps = substeps
    m.drive.i_max = 100  # the references have no current limit
    return m


def relative(run, reference, names):
    scale = max(np.abs(reference[:, k]).max() for k in range(len(names)))
    return max(np.abs(run[n] - reference[: len(run), k]).max() for k, n in enumerate(names)) / scale


def independent_foc(n):
    """The benchmark's drive written down again, its plant solved by DOP853 to 1e-11."""
    R, Ld, Lq, psi, J, p, T = 3.6, 0.036, 0.051, 0.545, 0.015, 3, 1e-4
    ac, as_ = 2 * math.pi * 300, 2 * math.pi * 4
    kpd, kid, kpq, kpw, kiw = ac * Ld, ac * R, ac * Lq, 2 * as_ * J, as_ * as_ * J
    x, rows, xw, xd, xq = np.zeros(4), [], 0.0, 0.0, 0.0
    for k in range(n + 1):
        rows.append(x[:3])
        id_, iq, w, th = x
        e = min(700 * k * T, 140) - w
        ta = kpw * e + xw
        ts = min(max(ta, -22), 22)
        xw += T * kiw * (e + (ts - ta) / kpw)
        we, ed, eq = p * w, -id_, ts / (1.5 * p * psi) - iq
        vd, vq = kpd * ed + xd - we * Lq * iq, kpq * eq + xq + we * (Ld * id_ + psi)
        g = min(1, 540 / math.sqrt(3) / max(math.hypot(vd, vq), 1e-30))
        xd += T * kid * (ed + (g - 1) * vd / kpd)
        xq += T * kid * (eq + (g - 1) * vq / kpq)
        a = th + 0.5 * T * we
        va, vb = g * (math.cos(a) * vd - math.sin(a) * vq), g * (math.sin(a) * vd + math.cos(a) * vq)

        def rhs(_, y, va=va, vb=vb):
            c, s, we = math.cos(y[3]), math.sin(y[3]), p * y[2]
            torque = 1.5 * p * (psi * y[1] + (Ld - Lq) * y[0] * y[1])
            return (
                (c * va + s * vb - R * y[0] + we * Lq * y[1]) / Ld,
                (c * vb - s * va - R * y[1] - we * (Ld * y[0] + psi)) / Lq,
                torque / J,
                we,
            )

        x = solve_ivp(rhs, (0, T), x, "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
    return np.array(rows)


def test_foc_against_scipy():
    run = pp.Twin(foc_bench(4)).run(0.04)
    reference = independent_foc(400)
    assert relative(run, reference[:, :2], ("id", "iq")) < 1e-9
    assert relative(run, reference[:, 2:], ("omega_m",)) < 1e-9


@pytest.mark.parametrize("substeps, bound", [(1, 1e-7), (2, 1e-8), (4, 1e-9)])
def test_foc_against_quad_reference(shared, substeps, bound):
    reference = np.fromfile(shared / "bench/solver_peers/ref/foc.bin").reshape(-1, 3)
    run = pp.Twin(foc_bench(substeps)).run(1.0)
    assert relative(run, reference[:, :2], ("id", "iq")) < bound
    assert np.abs(run["omega_m"] - reference[:, 2]).max() / 140 < bound


@pytest.mark.parametrize("substeps, bound", [(1, 1e-5), (2, 1e-6), (10, 1e-9)])
def test_six_step_against_quad_reference(shared, substeps, bound):
    reference = np.fromfile(shared / "bench/solver_peers/ref/bldc.bin").reshape(-1, 3)
    run = pp.Twin(six_step_bench(substeps)).run(0.2)
    assert relative(run, reference[:, :2], ("ia", "ib")) < bound


HIGH, LOW, OUT = (0, 0, 1, 1, 2, 2), (1, 2, 2, 0, 0, 1), (2, 1, 0, 2, 1, 0)


def limited_voltage(rates, y, conducts, common, high, low, step, i_max, u_dc):
    """The most voltage that leaves the phases within i_max a step on, by their rates: straight lines in the voltage."""
    later = y + np.array([0, 0, 0, 0, step * rates(0, y, 0.0, conducts)[4]])

    def span(u):  # of the two phases that stay, as if the third had none
        d = rates(0, y, u, False)
        return 0.5 * (y[high] - y[low] + step * (d[high] - d[low]))

    def shared(u):
        return abs(y[common]) + np.sign(y[common]) * step * rates(0, later, u, True)[common]

    bounds = [span] + [shared] * bool(conducts and y[common] != 0)
    return min(max(min((i_max - f(0.0)) / (f(1.0) - f(0.0)) for f in bounds), 0.0), u_dc)


def independent_six_step(t_end, step=20e-6, i_max=None):
    """Six-step drive in phase quantities, sectors and diode times found by SciPy's event location; i_max or none."""
    ke, R, L, J, B, Vdc, Vd, p = 18.45e-3, 0.304, 0.2315e-3, 181e-7, 1.35e-5, 24.0, 0.7, 8
    t, y, sector, conducts, start = 0.0, np.array([0, 0, 0, 0, math.pi / 3]), 0, False, math.pi / 6
    grid, rows, period, u = np.arange(round(t_end / step) + 1) * step, [], 0, Vdc
    while t < t_end - 1e-12:
        h, low, o = HIGH[sector % 6], LOW[sector % 6], OUT[sector % 6]
        was_high = HIGH[(sector + 5) % 6] == o

        def rates(_, y, u, conducts, h=h, low=low, o=o, was_high=was_high, start=start):
            r = 1 - 6 * (y[4] - start) / math.pi
            f, v, d = [0.0] * 3, [0.0] * 3, [0.0] * 5
            f[h], f[low], f[o], v[h] = 1, -1, (r if was_high else -r), u
            e = [ke * y[3] * k for k in f]
            if conducts:
                v[o] = -Vd if was_high else Vdc + Vd
                star = (sum(v) - sum(e)) / 3
                for i in range(3):
                    d[i] = (v[i] - star - R * y[i] - e[i]) / L
            else:
                d[h] = (v[h] - v[low] - e[h] + e[low] - R * (y[h] - y[low])) / (2 * L)
                d[low] = -d[h]
            d[3] = (ke * sum(f[i] * y[i] for i in range(3)) - B * y[3]) / J
            d[4] = p * y[3]
            return d

        if i_max is not None and t > grid[period] - 1e-12:
            common = low if was_high else h
            u = limited_voltage(rates, y, conducts, common, h, low, step, i_max, Vdc)
            period += 1
        rhs = lambda t, y, u=u, conducts=conducts, rates=rates: rates(t, y, u, conducts)
        stop = t_end if i_max is None else min(grid[period], t_end) if period < len(grid) else t_end
        turn = lambda _, y, start=start: y[4] - start - math.pi / 3
        die = lambda _, y, o=o, was_high=was_high, conducts=conducts: (
            (-y[o] if was_high else y[o]) if conducts else -1.0
        )
        turn.terminal = die.terminal = True
        turn.direction = die.direction = 1
        s = solve_ivp(rhs, (t, stop), y, "DOP853", rtol=1e-10, atol=1e-12, events=(turn, die), dense_output=True)
        while len(rows) < len(grid) and grid[len(rows)] <= s.t[-1] + 1e-15:
            rows.append(s.sol(grid[len(rows)])[[0, 1, 3]])
        t, y = s.t[-1], s.y[:, -1].copy()
        if len(s.t_events[1]):
            y[o], conducts = 0.0, False
        if len(s.t_events[0]):
            sector, start = sector + 1, start + math.pi / 3
            o = OUT[sector % 6]
            conducts = bool(y[o] > 0 if HIGH[(sector + 5) % 6] == o else y[o] < 0)
    return np.array(rows)


def test_six_step_against_scipy_events():
    run = pp.Twin(six_step_bench(2), load=pp.Load(torque=0)).run(0.03)
    reference = independent_six_step(0.03)
    assert relative(run, reference[:, :2], ("ia", "ib")) < 1e-6
    assert relative(run, reference[:, 2:], ("omega_m",)) < 1e-8


def test_six_step_current_limit_against_scipy():
    """The limited start: the duty of every period by another derivation, the plant by another solver."""
    m = six_step_bench(2)
    m.drive.i_max = 6.0
    run = pp.Twin(m, load=pp.Load(torque=0)).run(0.03)
    reference = independent_six_step(0.03, i_max=6.0)
    assert relative(run, reference[:, :2], ("ia", "ib")) < 1e-6
    assert relative(run, reference[:, 2:], ("omega_m",)) < 1e-7
    peak = max(np.abs(run[n]).max() for n in ("ia", "ib", "ic"))
    assert peak == pytest.approx(6.0, rel=1e-3)


@pytest.mark.parametrize("name", ["maxon-ec45flat-50w-18v", "maxon-ec45flat-70w-24v-old", "maxon-ec45flat-70w-24v"])
@pytest.mark.parametrize("control", [None, pp.SixStep(speed=400.0, alpha_s=60), pp.SixStep(duty=0.7)])
def test_six_step_keeps_i_max(name, control):
    m = pp.load(name)
    run = pp.Twin(m, control).run(0.3)
    assert max(np.abs(run[n]).max() for n in ("ia", "ib", "ic")) < 1.001 * m.drive.i_max
    assert not {w.code for w in run.warnings} & {"OVERCURRENT"}


def test_the_speed_control_knows_of_the_current_limit():
    """No winding up while the current is limited: hardly an overshoot."""
    m = pp.load("maxon-ec45flat-70w-24v")
    run = pp.Twin(m, pp.SixStep(speed=300, alpha_s=60), pp.Load(torque=0)).run(0.4)
    assert run["omega_m"].max() < 300 * 1.2 and run["omega_m"][-500:].mean() == pytest.approx(300, rel=5e-3)


def test_commutations_and_extinctions():
    run = pp.Twin(six_step_bench()).run(0.2)
    sectors = (run["theta_m"][-1] * 8 + math.pi / 6) // (math.pi / 3)
    assert sectors == 822


@pytest.mark.parametrize("name, substeps", [("ipmsm-2k2", 4), ("maxon-ec45flat-70w-24v-old", 8)])
def test_energy_balance(name, substeps):
    m = pp.load(name)
    m.drive.substeps = substeps
    assert abs(pp.Twin(m).run(0.3).energy_residual) < 1e-9


def test_energy_balance_with_every_load():
    m = pp.load("outrunner-12s14p")
    m.drive.substeps = 64
    loads = pp.Propeller(7e-7, J=1e-5) | pp.Load(torque=0.01, t_on=0.02, viscous=1e-5, coulomb=0.004)
    run = pp.Twin(m, load=loads).run(0.2)
    assert abs(run.energy_residual) < 1e-8
    assert min(run[f"energy_{n}"][-1] for n in ("in", "copper", "friction", "load")) > 0


def slope(make, t_end, names, fine):
    def error(substeps):
        run = make(substeps).run(t_end, names)
        return max(np.abs(run[n] - reference[n]).max() for n in names)

    reference = make(fine).run(t_end, names)
    return np.log2(error(4) / error(8))


def test_order_four_of_the_smooth_drive():
    assert slope(lambda k: pp.Twin(foc_bench(k)), 0.2, ("id", "iq"), 64) == pytest.approx(4, abs=0.15)


def test_order_four_through_the_events():
    assert slope(lambda k: pp.Twin(six_step_bench(k)), 0.05, ("ia", "ib", "omega_m"), 64) == pytest.approx(4, abs=0.3)


def test_naive_events_would_fail():
    """The bound on six-step currents has teeth: the same run with the event moved by half a step misses it."""
    run = pp.Twin(six_step_bench()).run(0.05)
    shifted = pp.Twin(six_step_bench()).run(0.05)["ia"][1:] - run["ia"][:-1]
    assert np.abs(shifted).max() / np.abs(run["ia"]).max() > 1e-2


def test_reversal_symmetry():
    forward = pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=300, ramp=0)).run(0.2)
    backward = pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=-300, ramp=0)).run(0.2)
    for name in ("omega_m", "iq", "torque", "theta_m"):
        assert np.array_equal(backward[name], -forward[name])
    assert np.array_equal(backward["id"], forward["id"])


def test_phase_currents_are_the_park_transform():
    run = pp.Twin(pp.load("outrunner-12s14p")).run(0.1)
    theta = 7 * run["theta_m"]
    ia = run["id"] * np.cos(theta) - run["iq"] * np.sin(theta)
    assert np.abs(run["ia"] - ia).max() < 1e-12
    assert np.abs(run["ia"] + run["ib"] + run["ic"]).max() < 1e-12
    assert np.allclose(run["i_s"], np.hypot(run["id"], run["iq"]), rtol=1e-14)


def test_mtpa_needs_less_current():
    plain = pp.Twin(foc_bench()).run(1.0)
    best = pp.Twin(foc_bench(), pp.Foc(strategy="mtpa")).run(1.0)
    assert best["omega_m"][-1] == pytest.approx(140, rel=1e-2)
    assert best["i_s"][-1] < 0.995 * plain["i_s"][-1]
    d = foc_bench().derive()
    assert best["id"][-1] == pytest.approx(d.mtpa_id(best["i_s"][-1]), rel=1e-3)


def test_voltage_limit_holds():
    m = pp.load("outrunner-12s14p")
    run = pp.Twin(m, pp.Foc(speed=1000, ramp=0)).run(0.3)
    assert np.hypot(run["ud"], run["uq"]).max() <= m.drive.u_dc / math.sqrt(3) * (1 + 1e-12)


def test_six_step_speed_control():
    m = pp.load("maxon-ec45flat-70w-24v")
    run = pp.Twin(m, pp.SixStep(speed=300, alpha_s=60), pp.Load(torque=0.05, t_on=0.3)).run(1.2)
    assert run["omega_m"][-2000:].mean() == pytest.approx(300, rel=1e-3)


def test_nominal_speed_of_a_maxon_motor():
    """Event-level six-step, cold: notes give -1.9 to -2.6 % against the catalogue's 4750 rpm at 134 mN m."""
    m = pp.load("maxon-ec45flat-70w-24v")
    m.drive.i_max = 100
    run = pp.Twin(m, load=pp.Load(torque=0.134, t_on=0.05)).run(0.4)
    assert run["omega_m"][-2500:].mean() * 30 / math.pi == pytest.approx(4750, rel=0.03)


def test_every_keeps_the_rows_of_the_full_run():
    twin = pp.Twin(pp.load("outrunner-12s14p"))
    full, thin = twin.run(0.02), twin.run(0.02, every=7)
    assert np.array_equal(full.block[::7], thin.block)


def test_a_given_block_is_filled():
    twin = pp.Twin(pp.load("outrunner-12s14p"))
    run = twin.run(0.01, ["time", "iq"])
    out = np.zeros_like(run.block)
    again = twin.run(0.01, ["time", "iq"], out=out)
    assert again.block is out and np.array_equal(out, run.block)
    for wrong in (np.zeros((3, 2)), out[:, ::-1], out.astype(np.float32), out.tolist()):
        with pytest.raises(ValueError, match="out: expected a C-contiguous float64 array of 201 x 2"):
            twin.run(0.01, ["time", "iq"], out=wrong)


def test_step_by_step_is_the_run():
    twin = pp.Twin(pp.load("outrunner-12s14p"))
    run, core = twin.run(0.01), twin.core()
    rows = np.array([core.step() for _ in range(len(run))])
    assert np.array_equal(rows[:, : run.block.shape[1]], run.block)


def test_fork_goes_its_own_way():
    core = pp.Twin(pp.load("outrunner-12s14p")).core()
    for _ in range(100):
        core.step()
    other = core.fork()
    assert np.array_equal(core.step(), other.step())
    core.step(0.0)
    other.step(500.0)
    assert not np.array_equal(core.step(), other.step())


def test_divergence_is_reported():
    m = pp.load("outrunner-12s14p")
    with pytest.raises(pp.DivergedError, match="the run diverged: expected"):
        pp.Twin(m, pp.Foc(alpha_c=9e5, alpha_s=9e4)).run(5.0)
    with pytest.raises(ValueError, match=r"drive\.period = 0\.01 s: too long"):
        m.drive.period = 0.01
        m.drive.substeps = 1
        pp.Twin(m).core()
