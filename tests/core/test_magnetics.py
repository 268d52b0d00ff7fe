"""Closed-form magnetics against published figures and stored finite-element results (tests/oracle)."""

import json
import math

import numpy as np
import pytest
from scipy.linalg import solve_banded

import polepair as pp
from polepair import _core

RPM4000 = 4000 * math.pi / 30


def test_spmloss_published_figures():
    """FEMM wiki: 62.30 W at 4000 rpm and 2 A; R(120 C) from copper loss; Ls by finite elements."""
    m = pp.load("spmloss-18s16p")
    d = m.derive()
    assert d.Kt * 2 * RPM4000 == pytest.approx(62.30, rel=0.03)
    assert d.psi_pm == pytest.approx(62.30 / RPM4000 / (1.5 * 8 * 2), rel=0.03)
    assert d.Rs == pytest.approx(0.7310, rel=0.005)
    assert d.Ld == pytest.approx(0.1547e-3, rel=0.05)
    assert d.winding_factor == pytest.approx(0.9452, abs=1e-4)
    assert d.carter == pytest.approx(1.1239, abs=1e-3)
    assert m.dims()["arc"] == pytest.approx(0.8665, abs=1e-4)
    assert d.iron_loss(m, RPM4000) == pytest.approx(3.41, rel=0.1)
    assert d.copper_loss(0, 2) == pytest.approx(4.386, rel=0.01)


def test_naive_formula_stays_wrong():
    m = pp.load("spmloss-18s16p")
    d, dims, g = m.derive(), m.dims(), m.magnet
    gap = dims["r_gap"] - dims["r_magnet"]
    naive = _core.naive_gap_field(g.Br, g.mu_r, g.thickness, gap, d.carter, dims["arc"])
    psi = 2 * d.winding_factor * d.series_turns * naive * dims["r_gap"] * m.stator.length / 8
    assert psi / 6.197e-3 == pytest.approx(1.18, abs=0.02)


STORED = ["spmloss-18s16p", "pyleecan-spmsm-015", "pyleecan-spmsm-001", "outrunner-12s14p"]


@pytest.mark.parametrize("name", STORED)
def test_catalogue_against_finite_elements(root, name):
    fe, d = json.loads((root / "tests/oracle/results.json").read_text())[name], pp.load(name).derive()
    assert d.psi_pm == pytest.approx(fe["psi_pm"], rel=0.02)
    assert d.L_gap + d.L_slot == pytest.approx(fe["L_2d"], rel=0.08)
    assert d.L_self - d.L_end == pytest.approx(fe["L_self"], rel=0.08)


def test_random_motors_against_finite_elements(root):
    rows = json.loads((root / "tests/oracle/random.json").read_text())
    assert len(rows) >= 40
    psi, inductance = [], []
    for row in rows:
        m = pp.Motor("drawn")
        for name, value in row["params"].items():
            m.set(name, value)
        d = m.derive()
        psi.append(d.psi_pm / row["psi_pm"] - 1)
        inductance.append((d.L_gap + d.L_slot) / row["L_2d"] - 1)
    assert np.abs(psi).max() < 0.03 and np.sqrt(np.mean(np.square(psi))) < 0.015
    assert np.abs(inductance).max() < 0.08 and np.sqrt(np.mean(np.square(inductance))) < 0.035


def mesh_of(a, cells):
    """Radii of the nodes: the annulus, and air far beyond where there is no iron."""
    low, high = sorted((a["r_stator"], a["r_base"]))
    inner_open = not a["rotor_iron"] if a["r_base"] < a["r_stator"] else not a["stator_iron"]
    outer_open = not a["stator_iron"] if a["r_base"] < a["r_stator"] else not a["rotor_iron"]
    parts = [np.linspace(low, high, cells + 1)]
    if inner_open:
        parts.insert(0, np.geomspace(1e-3 * low, low, cells)[:-1])
    if outer_open:
        parts.append(np.geomspace(high, 1000 * high, 2 * cells)[1:])
    return np.concatenate(parts)


def finite_difference_field(a, n, cells=4000):
    """Radial field at the stator surface by linear elements over the radius: another solution of the same problem."""
    r = mesh_of(a, cells)
    nu, mu0, nodes = n * a["p"], 1.25663706212e-6, len(r)
    mid, h = 0.5 * (r[:-1] + r[1:]), np.diff(r)
    magnet = (mid < max(a["r_magnet"], a["r_base"])) & (mid > min(a["r_magnet"], a["r_base"]))
    half = a["arc"] * np.pi / 2
    if a["parallel"]:
        a1, a2 = (np.sinc((nu + k) * half / a["p"] / np.pi) for k in (1, -1))
        Mr, Mt = a["Br"] / mu0 * a["arc"] * (a1 + a2), a["Br"] / mu0 * a["arc"] * (a1 - a2)
    else:
        Mr, Mt = 4 * a["Br"] / mu0 / (n * np.pi) * np.sin(n * half), 0.0
    mu = np.where(magnet, a["mu_r"], 1.0)
    mr, mt = np.where(magnet, Mr, 0.0), np.where(magnet, Mt, 0.0)
    # div(mu grad phi) = div M in weak form: int mu (phi' v' r + nu^2 phi v / r) dr = int (Mr v' r - nu Mt v) dr
    stiff, mass = mu * mid / h, mu * nu**2 / mid * h
    main, load = np.zeros(nodes), np.zeros(nodes)
    for shift, slope in ((0, -1), (1, 1)):
        main[shift : nodes - 1 + shift] += stiff + mass / 3
        load[shift : nodes - 1 + shift] += slope * mr * mid - nu * mt * h / 2
    off = -stiff + mass / 6
    bands = np.zeros((3, nodes - 2))
    bands[1], bands[0, 1:], bands[2, :-1] = main[1:-1], off[1:-1], off[1:-1]
    phi = np.zeros(nodes)
    phi[1:-1] = solve_banded((1, 1), bands, load[1:-1])
    slopes = np.diff(phi) / h
    air = np.flatnonzero(~magnet & (np.minimum(abs(r[:-1] - a["r_stator"]), abs(r[1:] - a["r_stator"])) < 1e-12))
    inside = [k for k in air if min(a["r_stator"], a["r_magnet"]) <= mid[k] <= max(a["r_stator"], a["r_magnet"])]
    return -mu0 * slopes[inside[0]]


@pytest.mark.parametrize("cores", [("iron", "iron"), ("air", "iron"), ("iron", "air"), ("air", "air")])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("pairs", [1, 2, 7])
def test_field_against_finite_differences(cores, parallel, outer, pairs):
    """Slotless machines with and without iron: B_gap is the finite-element solution, radial, parallel, p = 1 too."""
    m = pp.Motor()
    m.stator.slots, m.rotor.pole_pairs, m.rotor.topology = 0, pairs, "outer" if outer else "inner"
    m.stator.gap_radius, m.stator.yoke_radius = 0.03, 0.015 if outer else 0.06
    m.stator.winding_thickness, m.rotor.gap, m.magnet.thickness = 0.002, 0.0007, 0.004
    m.magnet.magnetization, m.magnet.arc = "parallel" if parallel else "radial", 0.8
    m.rotor.shaft_radius, m.rotor.bearing_width, m.winding.wire_diameter, m.material.mu_r = 0, 0, 1e-4, 1e5
    m.stator.core, m.rotor.core = cores
    d = m.dims()
    a = {"r_stator": d["r_gap"], "r_magnet": d["r_magnet"], "r_base": d["r_base"], "Br": 1.2, "mu_r": 1.05, "arc": 0.8}
    a |= {"p": pairs, "parallel": parallel, "stator_iron": cores[0] == "iron", "rotor_iron": cores[1] == "iron"}
    assert m.derive().B_gap == pytest.approx(abs(finite_difference_field(a, 1)), rel=3e-3)


def test_coreless_field_is_weaker_and_positive():
    m = pp.load("coreless-printed")
    air = m.derive()
    m.stator.core = "iron"
    assert 0 < air.psi_pm < m.derive().psi_pm
    m.stator.core, m.rotor.core = "air", "air"
    assert 0 < m.derive().psi_pm < air.psi_pm


def test_temperature():
    m = pp.load("outrunner-12s14p")
    cold = m.derive()
    m.winding.temperature = m.magnet.temperature = 120
    hot = m.derive()
    assert hot.Rs / cold.Rs == pytest.approx(1 + 0.00393 * 100)
    assert hot.psi_pm / cold.psi_pm == pytest.approx(1 - 0.0011 * 100, rel=1e-6)


def test_delta_is_its_equivalent_star():
    m = pp.load("outrunner-12s14p")
    star = m.derive()
    m.winding.connection = "delta"
    delta = m.derive()
    assert delta.Rs == pytest.approx(star.Rs / 3)
    assert delta.Ld == pytest.approx(star.Ld / 3)
    assert delta.Kv == pytest.approx(star.Kv * math.sqrt(3))
    assert delta.Km == pytest.approx(star.Km)
