"""Files from strangers given to the commands: one line that names the file and what was expected."""

import json
import os
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import polepair as pp
from polepair.cli.main import main

M = "outrunner-12s14p"


def refused(*args, code=2):
    """The one line of a command that refuses."""
    done = CliRunner().invoke(main, [str(a) for a in args])
    assert done.exit_code == code and isinstance(done.exception, SystemExit), done.output
    assert done.stderr.startswith("polepair: ") and done.stderr.count("\n") == 1 and not done.stdout, done.output
    for word in ("pickle", "unsafe", "allow_", "Traceback", "defect"):
        assert word not in done.stderr.replace("pickle.npz", "")
    return done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of run files: good ones, and one for each way to be none."""
    folder = tmp_path_factory.mktemp("runs")
    twin = pp.Twin(pp.load(M))
    run = twin.run(0.02)
    run.save(folder / "good.parquet")
    run.save(folder / "good.npz")
    twin.run(0.02, ("time", "omega_m")).save(folder / "few.parquet")
    pp.Result(run.names, run.block[:0], run.about).save(folder / "zero.parquet")
    pp.Result(run.names, run.block * np.nan, run.about).save(folder / "nan.parquet")
    pp.sweep(twin, {"magnet.Br": [1, 1.1]}, 0.01).save(folder / "gs.parquet")
    held = {b"polepair": pq.read_schema(folder / "good.parquet").metadata[b"polepair"]}
    columns = {
        "str": ["x"] * 3,
        "null": pa.array([None, 1.0, 2.0]),
        "list": [[1.0], [2.0]],
        "lst": [1.0, 2.0],
    }
    for name, column in columns.items():
        table = pa.table(dict.fromkeys(run.names, column))
        about = {b"polepair": b"[]"} if name == "lst" else held
        pq.write_table(table.replace_schema_metadata(about), folder / f"{name}.parquet")
    whole = (folder / "good.parquet").read_bytes()
    (folder / "trunc.parquet").write_bytes(whole[: len(whole) // 2])
    arrays = {"names": np.array(run.names), "block": run.block, "about": np.array(json.dumps({"format": 1}))}
    blocks = {"shape": run.block[:, :5], "oned": run.block[0], "strblock": run.block[:3].astype(str)}
    for name, block in blocks.items():
        np.savez(folder / f"{name}.npz", **{**arrays, "block": block})
    np.savez(folder / "object.npz", **{**arrays, "names": np.array(run.names, dtype=object)})
    (folder / "bin.npz").write_bytes(os.urandom(300))
    (folder / "pickle.npz").write_bytes(pickle.dumps({"a": 1}))
    return folder


NO_RUN = {
    "gs.parquet": "a sweep, expected a run",
    "few.parquet": "expected a run with time omega_m",
    "zero.parquet": "0 rows, expected at least 2",
    "nan.parquet": "time: expected finite",
    "str.parquet": "expected columns of numbers",
    "null.parquet": "expected no missing values",
    "lst.parquet": "expected metadata as it was saved",
    "list.parquet": "expected columns of numbers",
    "trunc.parquet": "not a result file",
    "shape.npz": "expected as many different names as columns",
    "oned.npz": "expected as many different names as columns",
    "strblock.npz": "expected block as float64",
    "object.npz": "expected numbers or text",
    "bin.npz": "not a result file",
    "pickle.npz": "not a result file",
    "none.parquet": "no such file",
    "good.csv": "unknown kind of file, expected .parquet or .npz",
}


@pytest.mark.parametrize("command", ["report", "film"])
@pytest.mark.parametrize(("name", "text"), NO_RUN.items())
def test_a_run_that_is_none(command, name, text, runs, tmp_path):
    out = tmp_path / ("x.html" if command == "report" else "x.mp4")
    line = refused(command, M, "--run", runs / name, "--out", out)
    assert name in line and text in line and not out.exists()


@pytest.mark.parametrize("name", ["bin.npz", "pickle.npz", "object.npz", "trunc.parquet", "gs.parquet"])
def test_a_record_that_is_none(name, runs):
    for command in (("estimate", "--motor", M), ("live", "--time", "0", "--replay")):
        line = refused(*command, runs / name)
        assert name in line and any(t in line for t in ("expected ", "not a record with columns", "not a result file"))


def test_a_run_is_replayed_and_the_estimator_says_what_it_lacks(runs):
    """Two kinds of .npz: an array a column, and polepair's own."""
    line = refused("estimate", runs / "good.npz", "--motor", M)
    assert "good.npz: no column u_alpha, expected time u_alpha" in line and "it is a run of a twin" in line
    done = CliRunner().invoke(main, ["live", "--replay", str(runs / "good.npz"), "--pace", "0", "--time", "1"])
    assert done.exit_code == 0 and "omega_m" in done.output, done.output


def test_a_sweep_that_is_none(runs):
    assert "not a sweep but a run" in refused("report", M, "--sweep", runs / "good.parquet")
    assert "bin.npz" in refused("report", M, "--sweep", runs / "bin.npz")


SOLID = {"volume": 1e-6, "mass": 0.01, "inertia": [[1e-6, 0, 0], [0, 1e-6, 0], [0, 0, 1e-6]]}
GOOD = {"solids": 35, "valid": True, "build_ms": 4.0, "masses": {"rotor": SOLID, "stator_core": SOLID}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "5",
        '{"cad": 5}',
        '{"cad": {"x": 1}}',
        json.dumps({"cad": {**GOOD, "masses": {}}}),
        json.dumps({"cad": {**GOOD, "masses": {"rotor": SOLID, "stator_core": {**SOLID, "inertia": []}}}}),
        json.dumps({"cad": {**GOOD, "masses": {"rotor": {**SOLID, "mass": 0}, "stator_core": SOLID}}}),
        json.dumps({"cad": {**GOOD, "solids": "many"}}),
        json.dumps({"cad": {**GOOD, "valid": "yes"}}),
        json.dumps({"cad": {**GOOD, "build_ms": None}}),
    ],
)
def test_solids_that_are_none(text, tmp_path):
    (tmp_path / "motor.json").write_text(text)
    line = refused("report", M, "--cad", tmp_path / "motor.json", "--out", tmp_path / "x.html")
    assert "motor.json: " in line and not (tmp_path / "x.html").exists()


def mesh(path, **changed):
    """A mesh of one triangle, with some arrays replaced."""
    arrays = {
        "about": np.array(json.dumps([["rotor_core", "rotor", "rotor"]])),
        "rotor_core.vertices": np.eye(3, dtype=np.float32) * 0.01,
        "rotor_core.faces": np.array([[0, 1, 2]], np.int32),
        **changed,
    }
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


@pytest.mark.parametrize(
    "changed",
    [
        {"about": None},
        {"about": np.array("[")},
        {"about": np.array("5")},
        {"about": np.array("[]")},
        {"about": np.array('[["rotor_core"]]')},
        {"about": np.array([{}], dtype=object)},
        {"rotor_core.vertices": None},
        {"rotor_core.vertices": np.zeros((3, 3))},
        {"rotor_core.vertices": np.full((3, 3), np.nan)},
        {"rotor_core.vertices": np.eye(3)[0]},
        {"rotor_core.faces": np.array([[0, 1, 3]])},
        {"rotor_core.faces": np.array([[0, 1, -1]])},
        {"rotor_core.faces": np.array([[0.0, 1.0, 2.0]])},
        {"rotor_core.faces": np.zeros((0, 3), int)},
    ],
    ids=str,
)
def test_a_mesh_that_is_none(changed, tmp_path):
    (tmp_path / "motor.json").write_text(json.dumps({"derived": {}, "cad": GOOD}))
    mesh(tmp_path / "motor.mesh.npz", **changed)
    line = refused("report", M, "--cad", tmp_path / "motor.json", "--out", tmp_path / "x.html")
    assert "motor.mesh.npz: not the motor.mesh.npz that polepair design writes" in line or "numbers or text" in line


def test_a_damaged_mesh_and_a_good_one(tmp_path):
    (tmp_path / "motor.json").write_text(json.dumps({"derived": {}, "cad": GOOD}))
    mesh(tmp_path / "motor.mesh.npz")
    args = ["report", M, "--cad", str(tmp_path / "motor.json"), "--out", str(tmp_path / "x.html")]
    assert CliRunner().invoke(main, args).exit_code == 0 and (tmp_path / "x.html").exists()
    (tmp_path / "motor.mesh.npz").write_bytes((tmp_path / "motor.mesh.npz").read_bytes()[:400])
    assert "motor.mesh.npz" in refused(*args)


def test_a_clip_of_another_kind(tmp_path):
    assert "f.xyz: expected a clip named .mp4" in refused("film", M, "--out", tmp_path / "f.xyz")
