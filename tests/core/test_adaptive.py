"""Adaptive steps: error follows the tolerance, lanes give the bits of single runs, dense rows lie on the true curve."""

import numpy as np
import pytest

import polepair as pp
from polepair import _core

KINDS = {"foc": None, "six_step": pp.SixStep(duty=0.8) | {"drive.i_max": 200}, "closed": pp.SixStep(speed=300.0)}


def twin(kind, rtol, substeps=4):
    m = pp.load("outrunner-12s14p")
    m.rotor.coulomb_friction = 0.0  # its kink ends the order of any method
    m.drive.rtol, m.drive.substeps = rtol, substeps
    return pp.Twin(m, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_error_follows_the_tolerance(kind):
    """Against 64 fixed steps a period, another method on the same equations."""
    truth = twin(kind, 0.0, 64).run(0.2)
    scale = np.abs(truth["ia"]).max()
    errors = [np.abs(twin(kind, tol).run(0.2)["ia"] - truth["ia"]).max() / scale for tol in (1e-6, 1e-11)]
    assert errors[0] < 2e-4 and errors[1] < 1e-8 and errors[1] < errors[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("isa", ["plain", "avx2", "avx512"])
def test_lanes_have_steps_of_their_own_and_the_bits_of_single_runs(kind, isa):
    tolerances = [1e-4, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11]
    if not _core.force_isa(isa):
        pytest.skip(f"no {isa}")
    try:
        table = pp.sweep(twin(kind, 1e-6), {"drive.rtol": tolerances}, 0.05, ("ia.final", "energy_in.final"))
    finally:
        _core.force_isa(None)
    for k, tol in enumerate(tolerances):
        run = twin(kind, tol).run(0.05)
        assert table["ia.final"][k] == run["ia"][-1] and table["energy_in.final"][k] == run["energy_in"][-1]


@pytest.mark.parametrize("kind", KINDS)
def test_dense_rows(kind):
    """Rows between samples: those of a run whose step they do not touch, and close to a run that stops at them."""
    coarse, fine = twin(kind, 1e-9).run(0.05), twin(kind, 1e-9).run(0.05, fine=5)
    assert np.allclose(coarse.block, fine.block[::5], rtol=1e-12, atol=1e-12) and len(fine) == 5 * (len(coarse) - 1) + 1
    assert np.allclose(np.diff(fine["time"]), twin(kind, 1e-9).params.drive.period / 5)
    if kind == "six_step":  # open loop: a shorter period changes nothing else
        t = twin(kind, 1e-11)
        t.params.drive.period /= 5
        stops = t.run(0.05)
        assert np.abs(stops["ia"] - fine["ia"]).max() < 1e-4 * np.abs(stops["ia"]).max()
        assert np.abs(stops["omega_m"] - fine["omega_m"]).max() < 1e-5 * stops["omega_m"].max()


def test_stiff_machine():
    """L/R of a microsecond: fixed steps refuse, adaptive ones follow."""
    m = pp.Motor("stiff")
    values = {"datasheet.R_phase": 2.0, "datasheet.Ld": 2e-6, "datasheet.psi_pm": 0.01}
    values |= {"datasheet.Lq": 2e-6, "datasheet.J": 1e-5, "rotor.pole_pairs": 4, "control.alpha_c": 3000.0}
    for name, value in values.items():
        m.set(name, value)
    with pytest.raises(ValueError, match=r"drive\.period"):
        pp.Twin(m).run(0.02)
    fixed, adaptive = m.copy(), m.copy()
    fixed.drive.substeps, adaptive.drive.rtol = 1000, 1e-9
    a, b = pp.Twin(fixed).run(0.02), pp.Twin(adaptive).run(0.02)
    assert np.abs(a["omega_m"] - b["omega_m"]).max() < 1e-6 * a["omega_m"].max()


def test_long_open_loop_steps_over_periods():
    """Rows far apart: the run without speed control steps over periods and arrives at the same place."""
    every_row, few = twin("six_step", 1e-10).run(0.2), twin("six_step", 1e-10).run(0.2, every=100)
    assert np.abs(every_row["omega_m"][::100] - few["omega_m"]).max() < 1e-6 * few["omega_m"].max()


def test_refusals():
    with pytest.raises(ValueError, match=r"drive\.rtol > 0"):
        twin("foc", 0.0).run(0.01, fine=4)
    with pytest.raises(ValueError, match="every = 1"):
        twin("foc", 1e-6).run(0.01, fine=4, every=2)
    with pytest.raises(ValueError, match="fine = 0"):
        twin("foc", 1e-6).run(0.01, fine=0)
    with pytest.raises(ValueError, match=r"drive\.rtol"):
        twin("foc", 1.0)


def test_step_by_hand_is_adaptive_too():
    t = twin("foc", 1e-9)
    core, run = t.core(), t.run(0.002)
    rows = np.array([core.step() for _ in range(len(run))])
    names = list(pp.table.channels())
    assert np.array_equal(rows[:, names.index("ia")], run["ia"])
