"""Star of slots: published winding factors and leakages, refusals, and what any layout has to satisfy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import polepair as pp

# slots, poles, winding factor, differential leakage (swat-em 0.6.3, Pyrhonen's tables)
PUBLISHED = [
    (12, 14, 0.933, 2.858),
    (12, 10, 0.933, 0.968),
    (9, 6, 0.866, 0.462),
    (12, 8, 0.866, 0.462),
    (18, 16, 0.9452, 1.182),
    (24, 22, 0.9495, None),
    (36, 42, 0.933, 2.858),
    (48, 8, 0.9659, 0.0284),
]


def machine(slots, poles, **changes):
    m = pp.Motor()
    m.stator.gap_radius, m.stator.yoke_radius, m.stator.length = 0.2, 0.05, 0.05
    m.stator.slot_depth, m.stator.slot_opening, m.stator.tip_height = 0.03, 0.0, 0.0
    m.stator.slots, m.rotor.pole_pairs = slots, poles // 2
    m.stator.tooth_width = 0.4 * 2 * np.pi * 0.17 / slots
    m.winding.wire_diameter = 1e-4
    for name, value in changes.items():
        m.set(name.replace("__", "."), value)
    return m


@pytest.mark.parametrize("slots, poles, kw, sigma", PUBLISHED)
def test_published(slots, poles, kw, sigma):
    d = machine(slots, poles).derive()
    assert d.winding_factor == pytest.approx(kw, abs=6e-5 + 5e-4 * (kw in (0.933, 0.866)))
    if sigma is not None:
        assert d.differential_leakage == pytest.approx(sigma, abs=6e-4)


@pytest.mark.parametrize("slots, poles", [(10, 8), (6, 6), (12, 6), (7, 6), (20, 22), (9, 18)])
def test_unbalanced_is_refused(slots, poles):
    with pytest.raises(ValueError, match=r"stator\.slots = \d+: no balanced three-phase winding: expected"):
        machine(slots, poles).derive()


@pytest.mark.parametrize("slots, poles", [(9, 8), (15, 10)])
def test_single_layer_refused_where_impossible(slots, poles):
    m = machine(slots, poles, winding__layers=1)
    with pytest.raises(ValueError, match=r"stator\.slots|winding\.layers"):
        m.derive()
    assert machine(slots, poles).derive().winding_factor > 0.8


def test_single_layer_halves_the_coils():
    one, two = machine(12, 10, winding__layers=1).derive(), machine(12, 10).derive()
    assert one.series_turns == two.series_turns / 2
    assert one.winding_factor == pytest.approx(0.9659, abs=1e-4)


def test_parallel_paths_keep_the_star_of_equal_coils():
    one, two = machine(12, 10).derive(), machine(12, 10, winding__parallel_paths=2).derive()
    assert two.Rs == pytest.approx(one.Rs / 4)
    assert two.Ld == pytest.approx(one.Ld / 4)
    with pytest.raises(ValueError, match=r"winding\.parallel_paths = 3: does not divide"):
        machine(12, 10, winding__parallel_paths=3).derive()


@given(st.integers(1, 79), st.integers(1, 40))
def test_every_accepted_layout_is_balanced(third, pairs):
    slots = 3 * third
    m = machine(slots, 2 * pairs)
    try:
        sides, coils, span = m.winding_layout()
    except ValueError:
        return
    assert (np.abs(sides).sum(axis=0) <= 2).all()
    assert (sides.sum(axis=1) == 0).all()
    assert np.bincount(np.abs(coils), minlength=4)[1:].tolist() == [slots // 3] * 3
    phasor = sides @ np.exp(2j * np.pi * pairs * np.arange(slots) / slots)
    assert abs(phasor.sum()) < 1e-9 * abs(phasor[0])
    assert np.allclose(abs(phasor), abs(phasor[0]), rtol=1e-9)
    rebuilt = np.zeros_like(sides)
    for start, phase in enumerate(coils.astype(int)):
        rebuilt[abs(phase) - 1, start] += np.sign(phase)
        rebuilt[abs(phase) - 1, (start + span) % slots] -= np.sign(phase)
    assert (rebuilt == sides).all()


@pytest.mark.parametrize("combination", [(12, 14), (12, 10), (9, 8), (18, 16), (24, 20), (36, 6), (48, 8)])
def test_goerges_equals_the_sum_over_harmonics(combination):
    slots, poles = combination
    m = machine(slots, poles)
    sides, _, _ = m.winding_layout()
    current = np.exp(-2j * np.pi * np.arange(3) / 3)
    orders = np.arange(1, 40000)
    sheet = (current @ sides)[None, :] * np.exp(2j * np.pi * np.outer(np.r_[-orders, orders], np.arange(slots)) / slots)
    wave = np.abs(sheet.sum(axis=1)) ** 2 / np.r_[-orders, orders] ** 2.0
    main = max(wave[np.abs(np.r_[-orders, orders]) == poles // 2])
    assert m.derive().differential_leakage == pytest.approx(wave.sum() / main - 1, rel=1e-3)
