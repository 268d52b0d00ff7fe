"""Sampling plans by their definition: orders, ranges, whole numbers, refusals, memory."""

import sys

import numpy as np
import pytest

import polepair as pp
from polepair.run import plans


def test_a_grid_is_every_combination_in_order():
    names, rows = plans.grid({"magnet.Br": [1.0, 1.1], "winding.turns": range(3, 6), "winding.layers": 2})
    assert names == ("magnet.Br", "winding.turns", "winding.layers") and rows.dtype == float and rows.flags.c_contiguous
    assert rows.tolist() == [[b, t, 2] for b in (1.0, 1.1) for t in (3, 4, 5)]


def test_choices_by_name():
    rows = plans.grid({"rotor.topology": ["outer", "inner", 1], "magnet.shape": "flat_base"})[1]
    assert rows.tolist() == [[1, 1], [0, 1], [1, 1]]


@pytest.mark.parametrize(
    "axes, text",
    [
        ({}, "no parameters given, so no cases"),
        ({"magnet.Br": []}, "magnet.Br: no values"),
        ({"magnet.Brr": [1]}, "magnet.Brr: no such parameter"),
        ({"magnet.Br": ["x"]}, "magnet.Br = 'x': expected a number"),
        ({"magnet.shape": ["round"]}, "magnet.shape = 'round': expected one of arc, flat_base"),
    ],
)
def test_axes_that_are_none(axes, text):
    with pytest.raises(ValueError, match=text):
        plans.grid(axes)


@pytest.mark.parametrize(
    "cases, text",
    [
        ((("magnet.Br", "magnet.Br"), [[1, 1]]), "a parameter is named twice"),
        ((("magnet.Br",), [[1, 2]]), "1 names but rows of 2 values"),
        ((("magnet.Br", "winding.turns"), [[1]]), "2 names but rows of 1 values"),
        ((("magnet.Br",), np.ones((2, 1, 1))), "1 names but rows of 1 values"),
        ((("magnet.Br",), np.empty((0, 1))), "no cases"),
        ((("magnet.Brr",), [[1]]), "no such parameter"),
    ],
)
def test_cases_that_do_not_fit(cases, text):
    with pytest.raises(ValueError, match=text):
        plans.checked(cases)
    with pytest.raises(ValueError, match="here: 1 names"):
        plans.checked((("magnet.Br",), [[1, 2]]), "here")


def test_one_case_may_be_one_row():
    assert plans.checked((["magnet.Br", "winding.turns"], [1.2, 10]))[1].tolist() == [[1.2, 10]]


@pytest.mark.parametrize("plan", [plans.random, plans.sobol])
def test_ranges_are_filled_evenly(plan):
    _, rows = plan({"magnet.Br": (1.0, 1.4), "winding.turns": (3, 6), "magnet.mu_r": (1.1, 1.1)}, 1024, 5)
    assert rows.shape == (1024, 3) and (rows[:, 2] == 1.1).all()
    shares = np.histogram(rows[:, 0], 4, (1.0, 1.4))[0]
    assert abs(shares - 256).max() < 60
    counts = np.unique(rows[:, 1], return_counts=True)
    assert counts[0].tolist() == [3, 4, 5, 6] and abs(counts[1] - 256).max() < 60
    assert rows[:, 0].mean() == pytest.approx(1.2, abs=0.01) and len(np.unique(rows[:, 0])) == 1024


@pytest.mark.parametrize("count", [1, 2, 3, 100, 129])
def test_any_count(count):
    for plan in (plans.random, plans.sobol):
        assert plan({"magnet.Br": (1.0, 1.4)}, count)[1].shape == (count, 1)
    assert np.array_equal(
        plans.sobol({"magnet.Br": (1, 1.4)}, count, 2)[1], plans.sobol({"magnet.Br": (1, 1.4)}, 256, 2)[1][:count]
    )
    assert plans.random({"magnet.Br": (1.0, 1.4)}, np.int64(count))[1].shape == (count, 1)


def test_the_seed_is_nought_unless_told():
    for plan in (plans.random, plans.sobol):
        assert np.array_equal(plan({"magnet.Br": (1.0, 1.4)}, 8)[1], plan({"magnet.Br": (1.0, 1.4)}, 8, 0)[1])


@pytest.mark.parametrize("count", [0, -1, 2.0, "3", None])
def test_counts_that_are_none(count):
    with pytest.raises((ValueError, TypeError), match="expected a whole number from 1 to"):
        plans.random({"magnet.Br": (1.0, 1.4)}, count)


@pytest.mark.parametrize("low, high", [(1.2, 1.1), (float("nan"), 1.2), (1, float("inf"))])
def test_ranges_that_are_none(low, high):
    with pytest.raises(ValueError, match=r"magnet.Br = \(.*\): expected a low and a high value"):
        plans.random({"magnet.Br": (low, high)}, 4)


def test_tables_of_cases(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("magnet.Br [T] , winding.turns\n1.1,14\n")
    names, rows = plans.table(path)
    assert names == ("magnet.Br", "winding.turns") and rows.tolist() == [[1.1, 14]]
    path.write_text("magnet.Br\n1\n2\n3\n")
    assert plans.table(str(path))[1].tolist() == [[1], [2], [3]]
    with pytest.raises(pp.FileError, match="no such file"):
        plans.table(tmp_path / "none.csv")
    path.write_bytes(b"\xff\xfe\n1\n")
    with pytest.raises(pp.FileError, match="not a table of numbers"):
        plans.table(path)
    path.write_text("magnet.Br,magnet.mu_r\n1\n")
    with pytest.raises(ValueError, match="c.csv: 2 names but rows of 1 values"):
        plans.table(path)


def test_memory_that_is_needed(monkeypatch):
    need = lambda cases, columns, outputs: 8.0 * cases * (3 * columns + 2 * outputs + 2)
    cases = 4_000_000
    for free, fits in ((need(cases, 2, 3) / 0.8 * 1.001, True), (need(cases, 2, 3) / 0.8 * 0.999, False)):
        monkeypatch.setattr(plans, "free_memory", lambda free=free: free)
        if fits:
            plans.need_memory(cases, 2, 3)
        else:
            with pytest.raises(ValueError, match=r"4,000,000 cases need 0\.4 GB and 0\.6 GB are free"):
                plans.need_memory(cases, 2, 3)
    monkeypatch.setattr(plans, "free_memory", lambda: need(cases, 2, 0) / 0.8 * 1.001)
    plans.need_memory(cases, 2)  # no outputs counted where none are named
    monkeypatch.setattr(plans, "free_memory", lambda: 1.0)
    plans.need_memory(1_000_000, 2)  # small: nobody asks
    plans.need_memory(6_400_000, 1)  # just 256 MB
    with pytest.raises(ValueError, match="are free"):
        plans.need_memory(4_000_001, 2)
    with pytest.raises(ValueError, match="are free"):
        plans.grid({"magnet.Br": np.linspace(1, 1.4, 4001), "stator.length": np.linspace(0.01, 0.02, 1001)})


def test_free_memory_is_the_systems():
    with open("/proc/meminfo") as f:
        rows = dict(line.split(":") for line in f)
    assert plans.free_memory() == pytest.approx(1024 * float(rows["MemAvailable"].split()[0]), rel=0.2)


def test_systems_that_do_not_tell(monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr("builtins.open", refuse)
    assert plans.free_memory() == float("inf")


def test_sobol_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ValueError, match="a Sobol plan needs SciPy, expected: pip install scipy"):
        plans.sobol({"magnet.Br": (1.0, 1.4)}, 4)
