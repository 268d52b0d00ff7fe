"""Motor files and result files: every mistake gets one line that names file, key, value and what was expected."""

import json

import numpy as np
import pytest

import polepair as pp

GOOD = "schema = 1\n[stator]\nslots = 12\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "m.toml: empty, expected a motor file"),
        ("\n\n# nothing\n", "m.toml: empty"),
        ("schema = 2\n", "schema: expected schema = 1"),
        ("[stator]\nslots = 12\n", "schema: expected schema = 1"),
        ("schema = 1\n[stator\n", "m.toml: not TOML"),
        ("schema = 1\n[statr]\nslots = 12\n", r"\[statr\]: unknown table, did you mean stator"),
        ("schema = 1\nstator = 3\n", r"stator = 3: expected a table \[stator\]"),
        (GOOD + "sloots = 1\n", "stator.sloots: unknown key, did you mean slots"),
        (GOOD + "length = 'long'\n", "stator.length = 'long': expected a number with a unit of m"),
        (GOOD + "length = '7 kg'\n", "stator.length = '7 kg': unit kg does not convert to m"),
        (GOOD + "length = '7 furlungs'\n", "unknown unit furlungs, expected one that converts to m"),
        (GOOD + "length = -1\n", r"stator.length = -1.0 m: expected 0.0005 to 2.0 m"),
        (GOOD + "length = '7.62 km'\n", r"stator.length = 7620.0 m: expected 0.0005 to 2.0 m"),
        (GOOD + "length = nan\n", "stator.length = nan: expected a finite number"),
        (GOOD + "length = inf\n", "stator.length = inf: expected a finite number"),
        (GOOD + "length = true\n", "stator.length = True: expected a number or a string with a unit"),
        (GOOD + "length = [1, 2]\n", r"stator.length = \[1, 2\]: expected a number"),
        ("schema = 1\n[stator]\nslots = 12.5\n", "stator.slots = 12.5: expected a whole number"),
        ("schema = 1\n[stator]\nslots = 10\n", "stator.slots = 10: no balanced three-phase winding"),
        ("schema = 1\n[rotor]\ntopology = 'middle'\n", "rotor.topology = 'middle': expected one of inner|outer"),
        (GOOD + "tooth_width = '12 mm'\n", "stator.tooth_width = 0.012 m: the teeth leave no slot: expected"),
        (
            "schema = 1\n[magnet]\nshape = 'flat_base'\nwidth = '15 mm'\n",
            "magnet.width = 0.015 m: magnets wider than a pole",
        ),
        (
            "schema = 1\n[rotor]\ntopology = 'inner'\npole_pairs = 2\nshaft_radius = 0\ncore_thickness = '1 mm'\n"
            "[stator]\nslots = 6\nyoke_radius = '50 mm'\ntooth_width = '6 mm'\n"
            "[magnet]\nshape = 'flat_base'\nwidth = '25 mm'\n",
            "magnet.width = 0.025 m: the flat-based magnet has no edge left: expected",
        ),
        (GOOD + "yoke_radius = '30 mm'\n", "stator.yoke_radius = 0.03 m: on the wrong side"),
        ("schema = 1\n[motor]\ncolour = 'red'\n", "motor.colour: unknown key"),
        ("schema = 1\n[motor]\nsource = 3\n", "motor.source = 3: expected text"),
        ("schema = true\n", "schema: expected schema = 1"),
        ("schema = 1.0\n", "schema: expected schema = 1"),
        (GOOD + "length = " + "1" * 400 + "\n", "stator.length = 1+[.]{3}: expected a finite number"),
        (GOOD + "length = 0x" + "f" * 5000 + "\n", "stator.length = a int without end: expected a finite number"),
        (GOOD + "length = " + "1" * 5000 + "\n", "not TOML: Exceeds the limit"),
        (GOOD + "length = '" + "x" * 10_000 + "'\n", "stator.length = 'x+[.]{3}: expected a number with a unit of m"),
        ("schema = 1\n[drive]\nkind = 1\n", "drive.kind = 1: expected one of"),
        ("schema = 1\n" + "a." * 400_000 + "b = 1\n", "400000 dots, expected at most 4000"),
        ("schema = 1\nmotor = 3\n", r"motor: expected a table \[motor\]"),
    ],
)
def test_bad_motor_files(tmp_path, text, message):
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(pp.FileError, match=message) as e:
        pp.load(path)
    assert str(path) in str(e.value) and "\n" not in str(e.value)


def test_an_address_is_no_motor():
    with pytest.raises(pp.FileError, match="an address stands where") as e:
        pp.load("mqtt://bob:hunter2@host/m1")
    assert "hunter2" not in str(e.value)


def test_bad_places(tmp_path):
    with pytest.raises(
        pp.FileError, match="no such file, and no motor of that name in the catalogue, did you mean spmloss-18s16p"
    ):
        pp.load("spmloss-18s16")
    with pytest.raises(pp.FileError, match="no such file"):
        pp.load(tmp_path / "none.toml")
    with pytest.raises(pp.FileError, match="is a directory"):
        pp.load(tmp_path)
    (tmp_path / "big.toml").write_text("#" * 2_000_000)
    with pytest.raises(pp.FileError, match="2000000 bytes, expected at most"):
        pp.load(tmp_path / "big.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(pp.FileError, match="not UTF-8"):
        pp.load(tmp_path / "binary.toml")
    (tmp_path / "deep.toml").write_text("a=" + "[" * 100000)
    with pytest.raises(pp.FileError, match="not TOML"):
        pp.load(tmp_path / "deep.toml")


@pytest.mark.parametrize("name", list(pp.catalogue()))
def test_catalogue(name, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    import tomllib
    from importlib import resources

    motor = pp.load(name)
    assert motor.description and motor.source and motor.name == name
    motor.save(tmp_path / "copy.toml")
    again = pp.load(tmp_path / "copy.toml")
    assert again == motor and again.derive().as_dict() == motor.derive().as_dict()
    schema = json.loads(resources.files("polepair").joinpath("motor.schema.json").read_text())
    for path in (pp.catalogue()[name], tmp_path / "copy.toml"):
        jsonschema.validate(tomllib.loads(path.read_text()), schema)
    run = pp.Twin(motor).run(0.02)
    assert np.isfinite(run.block).all()


def test_schema_refuses_what_the_reader_refuses():
    jsonschema = pytest.importorskip("jsonschema")
    from polepair.design.generate import schema

    for bad in (
        {"schema": 2},
        {"schema": 1, "stator": {"sloots": 1}},
        {"schema": 1, "magnet": {"Br": 9}},
        {"schema": 1, "rotor": {"topology": "x"}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema())


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_results_round_trip(tmp_path, suffix, outrunner):
    run = pp.Twin(outrunner).run(0.01)
    run.save(tmp_path / f"r{suffix}")
    again = pp.Result.load(tmp_path / f"r{suffix}")
    assert again.names == run.names and np.array_equal(again.block, run.block)
    assert again.about["units"]["omega_m"] == "rad/s"


def test_csv_has_units(tmp_path, outrunner):
    pp.Twin(outrunner).run(0.001, ["time", "omega_m"]).save(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().splitlines()[0] == "time [s],omega_m [rad/s]"


def test_bad_results(tmp_path, outrunner):
    run = pp.Twin(outrunner).run(0.001)
    with pytest.raises(pp.FileError, match=r"unknown kind of file, expected \.parquet"):
        run.save(tmp_path / "r.xyz")
    with pytest.raises(pp.FileError, match="cannot write here"):
        run.save(tmp_path / "none" / "r.npz")
    for suffix in (".parquet", ".npz"):
        broken = tmp_path / f"b{suffix}"
        broken.write_bytes(b"nonsense")
        with pytest.raises(pp.FileError, match="not a result file"):
            pp.Result.load(broken)
    with pytest.raises(pp.FileError, match="no such file"):
        pp.Result.load(tmp_path / "none.npz")
    np.savez(tmp_path / "old.npz", names=["time"], block=np.zeros((1, 1)), about='{"format": 99}')
    with pytest.raises(pp.FileError, match="format 99, expected 1"):
        pp.Result.load(tmp_path / "old.npz")
    run.save(tmp_path / "run.npz")
    with pytest.raises(pp.FileError, match="not a sweep"):
        pp.load_table(tmp_path / "run.npz")


def test_failed_write_leaves_nothing(tmp_path, outrunner, monkeypatch):
    run = pp.Twin(outrunner).run(0.001)
    run.save(tmp_path / "r.npz")
    before = (tmp_path / "r.npz").read_bytes()

    def full(*_a, **_k):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(pp.FileError, match="No space left"):
        run.save(tmp_path / "r.npz")
    assert (tmp_path / "r.npz").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.npz"]


def test_unknown_channel_names_the_nearest(outrunner):
    run = pp.Twin(outrunner).run(0.001)
    with pytest.raises(KeyError, match="did you mean omega_m"):
        run["omega"]
    with pytest.raises(ValueError, match="omegam: no such channel, did you mean omega_m"):
        pp.Twin(outrunner).run(0.001, ["omegam"])
    for t_end in (0, -1, float("nan"), float("inf"), 1e300):
        with pytest.raises(ValueError, match="t_end"):
            pp.Twin(outrunner).run(t_end)
    with pytest.raises(ValueError, match=r"rows of \d+ channels need \d+.\d GB and \d+.\d GB are free"):
        pp.Twin(outrunner).run(400_000.0)
    with pytest.raises(ValueError, match="every"):
        pp.Twin(outrunner).run(0.01, every=0)


def test_views_not_copies(outrunner):
    run = pp.Twin(outrunner).run(0.001)
    assert run["omega_m"].base is run.block or np.shares_memory(run["omega_m"], run.block)
