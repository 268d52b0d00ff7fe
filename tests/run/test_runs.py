"""Twins and results: settings, rows, chunks of a run, files and what a result says of itself."""

import json
import math
import sys

import numpy as np
import pytest

import polepair as pp
from polepair.run import result as results
from polepair.run import twin as twins


def outrunner(**kw):
    return pp.Twin(pp.load("outrunner-12s14p"), **kw)


def test_settings_name_their_parameters():
    assert pp.Foc() == {"drive.kind": "foc"}
    assert pp.Foc(1, 2, 3, "mtpa", 5, 6) == {
        "drive.kind": "foc",
        "control.speed_ref": 1,
        "control.speed_ramp": 2,
        "control.torque_max": 3,
        "control.strategy": "mtpa",
        "control.alpha_c": 5,
        "control.alpha_s": 6,
    }
    assert pp.SixStep() == {"drive.kind": "six_step", "control.closed_loop": "no"}
    assert pp.SixStep(0, 0.5, 2, 3) == {
        "drive.kind": "six_step",
        "control.closed_loop": "yes",
        "control.speed_ref": 0,
        "control.duty": 0.5,
        "control.speed_ramp": 2,
        "control.alpha_s": 3,
    }
    assert pp.Load(1, 2, 3, 4, 5) == {
        "load.torque": 1,
        "load.t_on": 2,
        "load.viscous": 3,
        "load.coulomb": 4,
        "load.J": 5,
    }
    both = pp.Propeller(1e-6, J=2e-5) | pp.Load(torque=0.1, J=1e-5)
    assert both == {"load.quadratic": 1e-6, "load.J": 1e-5, "load.torque": 0.1} and isinstance(both, twins.Settings)


def test_a_twin_has_its_own_parameters():
    motor = pp.load("outrunner-12s14p")
    twin = pp.Twin(motor, pp.Foc(speed=123), pp.Load(torque=0.01))
    assert twin.params.control.speed_ref == 123 and twin.params.load.torque == 0.01 and motor.load.torque == 0
    assert repr(twin) == "Twin('outrunner-12s14p', foc)"
    with pytest.raises(TypeError, match="expected a Motor, as pp.load gives it"):
        pp.Twin("outrunner-12s14p")


@pytest.mark.parametrize(
    "t_end, every, rows",
    [(0.01, 1, 201), (0.01, 7, 29), (0.01, 200, 2), (0.01, 201, 1), (0.0100249, 1, 201), (0.0100251, 1, 202)],
)
def test_rows_are_told_by_time(t_end, every, rows):
    run = outrunner().run(t_end, every=every)
    period = outrunner().params.drive.period
    assert len(run) == rows and np.allclose(run["time"], np.arange(rows) * every * period, rtol=1e-12, atol=0)
    about = {"motor": "outrunner-12s14p", "kind": "run", "t_end": t_end, "every": every, "period": period * every}
    assert about.items() <= run.about.items()


@pytest.mark.parametrize(
    "kw, text",
    [
        ({"t_end": 0}, "t_end = 0 s: expected more than 0"),
        ({"t_end": -1}, "t_end = -1 s"),
        ({"t_end": math.nan}, "t_end = nan s"),
        ({"t_end": math.inf}, "t_end = inf s"),
        ({"t_end": 1e7}, "less than 1e10 control periods"),
        ({"t_end": 0.01, "every": 0}, "every = 0: expected a whole number from 1 up"),
        ({"t_end": 0.01, "every": 1.0}, "every = 1.0: expected a whole number"),
        ({"t_end": 0.01, "record": []}, "expected at least one channel"),
        ({"t_end": 0.01, "record": ["iq", "torqe"]}, "record: torqe: no such channel, did you mean torque"),
    ],
)
def test_arguments_that_make_no_run(kw, text):
    with pytest.raises(ValueError, match=text):
        outrunner().run(**kw)


@pytest.mark.parametrize("periods", [1, 2, 3, 50, 99, 100, 101, 200])
@pytest.mark.parametrize("every", [1, 3])
def test_a_run_in_chunks_is_the_run(monkeypatch, periods, every):
    whole = outrunner().run(0.01, every=every)
    said = []
    monkeypatch.setattr(twins, "CHUNK_PERIODS", periods)
    parts = outrunner().run(0.01, every=every, progress=lambda done, all: said.append((done, all)))
    assert np.array_equal(parts.block, whole.block)
    assert said[-1] == (len(whole), len(whole)) and all(b == len(whole) for _, b in said)
    steps = np.diff([0, *(a for a, _ in said)])
    assert (steps > 0).all() and steps.max() <= max(1, periods // every) + 1


def test_fine_rows_in_chunks(monkeypatch):
    twin = outrunner()
    twin.params.drive.rtol = 1e-7
    whole = twin.run(0.005, fine=3)
    assert whole.about["period"] == twin.params.drive.period / 3
    for periods in (1, 7, 98, 99, 100):
        monkeypatch.setattr(twins, "CHUNK_PERIODS", periods)
        assert np.array_equal(twin.run(0.005, fine=3).block, whole.block)


def test_memory_is_told_beforehand(monkeypatch):
    monkeypatch.setattr(twins, "free_memory", lambda: 5e8)
    with pytest.raises(
        ValueError, match=r"t_end: 10,000,001 rows of 19 channels need 1\.5 GB and 0\.5 GB are free: expected less time"
    ):
        outrunner().run(10_000_000 * 5e-5)
    monkeypatch.setattr(twins, "SMALL", 8.0 * 201 * 10)
    monkeypatch.setattr(twins, "free_memory", lambda: 1.0)
    assert len(outrunner().run(0.01, list(twins.ALL[:10]))) == 201  # too small to ask
    with pytest.raises(ValueError, match="201 rows of 11 channels"):
        outrunner().run(0.01, list(twins.ALL[:11]))
    monkeypatch.setattr(twins, "free_memory", lambda: 8.0 * 201 * 11 / 0.8)
    assert len(outrunner().run(0.01, list(twins.ALL[:11]))) == 201


def test_the_energy_residual_is_the_balance():
    names = ["energy_in", "energy_copper", "energy_friction", "energy_load", "energy_stored"]
    block = np.array([[0.0, 0, 0, 0, 3], [9, 9, 9, 9, 9], [10, 1, 2, 4, 5]])
    assert results.Result(names, block).energy_residual == pytest.approx((10 - (1 + 2 + 4 + 5 - 3)) / 10)
    block[-1] = [-10, 1, 2, 4, 5]
    assert results.Result(names, block).energy_residual == pytest.approx((-10 - 9) / 10)
    block[-1] = [0, 0, 0, 0, 3]
    assert results.Result(names, block).energy_residual == 0


def test_columns_by_name():
    run = outrunner().run(0.001, ["iq", "omega_m"])
    assert "iq" in run and "id" not in run and len(run) == 21 and run.names == ("iq", "omega_m")
    assert repr(run) == "Result(21 rows of iq, omega_m)"
    assert run["omega_m"].base is not None and np.array_equal(run["omega_m"], run.block[:, 1])
    assert run.unit("iq") == "A" and run.unit("nothing") == ""
    with pytest.raises(KeyError, match="omega: not recorded, did you mean omega_m"):
        run["omega"]


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_files_keep_everything(tmp_path, suffix):
    run = outrunner().run(0.001, ["time", "iq"])
    run.about["note"] = "ä"
    run.save(tmp_path / f"r{suffix}")
    back = pp.Result.load(tmp_path / f"r{suffix}")
    assert np.array_equal(back.block, run.block) and back.names == run.names
    assert back.about["note"] == "ä" and back.about["units"] == {"time": "s", "iq": "A"} and back.about["format"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"r{suffix}"]


def test_csv_is_read_by_anyone(tmp_path):
    run = outrunner().run(0.001, ["time", "iq"])
    run.save(tmp_path / "r.csv")
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert lines[0] == "time [s],iq [A]" and len(lines) == 22
    assert np.allclose(np.loadtxt(lines[1:], delimiter=","), run.block, rtol=1e-11)
    results.Result(["x"], np.ones((2, 1))).save(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "x\n1\n1\n"


def test_paths_may_be_texts(tmp_path):
    run = outrunner().run(0.001, ["iq"])
    run.save(str(tmp_path / "r.npz"))
    assert np.array_equal(pp.Result.load(str(tmp_path / "r.npz")).block, run.block)


def test_files_that_are_no_results(tmp_path):
    run = outrunner().run(0.001, ["time", "iq"])
    with pytest.raises(pp.FileError, match=r"expected \.parquet, \.npz or \.csv"):
        run.save(tmp_path / "r.txt")
    with pytest.raises(pp.FileError, match=r"expected \.parquet or \.npz"):
        pp.Result.load(tmp_path / "r.csv")
    with pytest.raises(pp.FileError, match="no such file"):
        pp.Result.load(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"no")
    with pytest.raises(pp.FileError, match="not a result file"):
        pp.Result.load(tmp_path / "bad.npz")
    with open(tmp_path / "old.npz", "wb") as f:
        np.savez(f, names=np.array(["a"]), block=np.ones((1, 1)), about=np.array(json.dumps({"format": 2})))
    with pytest.raises(pp.FileError, match="format 2, expected 1"):
        pp.Result.load(tmp_path / "old.npz")


def test_a_plot_of_a_run(tmp_path):
    run = outrunner().run(0.002)
    figure = run.plot(("iq", "omega_m"), tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 1000 and len(figure.axes) == 2
    x, y = figure.axes[0].lines[0].get_data()
    assert figure.axes[0].get_ylabel() == "iq, mA" and figure.axes[1].get_ylabel() == "omega_m, rpm"
    assert np.allclose(x, 1e3 * run["time"], rtol=1e-12) and np.allclose(y, 1e3 * run["iq"], rtol=1e-12)
    assert figure.axes[1].get_xlabel() == "time, ms"


@pytest.mark.parametrize("call", ["save", "load"])
def test_parquet_without_pyarrow(tmp_path, monkeypatch, call):
    run = outrunner().run(0.001, ["time", "iq"])
    (tmp_path / "there.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    hint = r"Parquet needs pyarrow, expected: pip install 'polepair\[report\]', or a \.npz file"
    with pytest.raises(pp.FileError, match=hint):
        run.save(tmp_path / "r.parquet") if call == "save" else pp.Result.load(tmp_path / "there.parquet")
    assert not (tmp_path / "r.parquet").exists()
    run.save(tmp_path / "r.npz")
    assert np.array_equal(pp.Result.load(tmp_path / "r.npz").block, run.block)
