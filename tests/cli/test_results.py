"""Results on the command line: show, rerun, and who refuses a result of another motor."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import polepair as pp
from polepair.cli.main import main

MOTOR = "outrunner-12s14p"


def call(*args, code=0):
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, two sweeps, the solids' file, and the record of a motor with its estimate."""
    folder = tmp_path_factory.mktemp("made")
    call(
        "run", MOTOR, "--set", "stator.length=15 mm", "--time", "0.02", "--every", "3", "--out", folder / "run.parquet"
    )
    call("run", MOTOR, "--time", "0.02", "--out", folder / "plain.npz")
    call("sweep", MOTOR, "magnet.Br=1:1.4", "--sobol", 8, "--seed", 3, "--time", "0.01", "--out", folder / "s.npz")
    call(
        "sweep",
        MOTOR,
        "magnet.Br=1,9",
        "--mode",
        "single",
        "--keep-tuning",
        "--time",
        "0.01",
        "--out",
        folder / "t.parquet",
    )
    call("design", MOTOR, "--no-cad", "--set", "magnet.Br=1.1", "--out", folder / "d")
    run = pp.Twin(pp.load(MOTOR)).run(0.05, ["time", "ia", "ib", "ud", "uq", "theta_m"])
    theta = 7 * run["theta_m"]
    u_alpha, u_beta = (
        run["ud"] * np.cos(theta) - run["uq"] * np.sin(theta),
        run["ud"] * np.sin(theta) + run["uq"] * np.cos(theta),
    )
    i_beta = (run["ia"] + 2 * run["ib"]) / 3**0.5
    columns = {"time": run["time"], "u_alpha": u_alpha, "u_beta": u_beta, "i_alpha": run["ia"], "i_beta": i_beta}
    np.savez(folder / "record.npz", **columns)
    for suffix in (".npz", ".parquet"):
        call("estimate", folder / "record.npz", "--motor", MOTOR, "-o", folder / f"e{suffix}")
    return folder


RESULTS = ("run.parquet", "plain.npz", "s.npz", "t.parquet", "e.npz", "e.parquet")


@pytest.mark.parametrize("name", RESULTS)
def test_show_says_what_a_result_is_of(made, name):
    text = call("show", made / name).stdout
    assert f" of {MOTOR}" in text and "speed_ref = 418.879020479 rad/s" in text and f"polepair {pp.__version__}" in text
    assert "  command   polepair " in text and "(digest of all" in text
    data = json.loads(call("show", made / name, "--json").stdout)
    assert data["about"]["settings"]["stator.length"] in (0.01, 0.015) and data["rows"] and data["channels"] in text
    if name == "s.npz":
        assert "plan = kind sobol seed 3" in text and "cases     8, 0 refused" in text
    if name == "run.parquet":
        assert "--set 'stator.length=15 mm'" in text and "every = 3" in text


@pytest.mark.parametrize("name", RESULTS)
def test_rerun_makes_the_same_bits(made, name, tmp_path):
    out = tmp_path / "again.parquet"
    data = json.loads(call("rerun", made / name, "--out", out, "--json").stdout)
    assert data["equal"] and data["before"] == data["after"]
    assert json.loads(call("show", out, "--json").stdout)["channels"] == data["before"]
    assert "equal, bit by bit" in call("rerun", made / name).stdout


def test_rerun_tells_the_first_number_that_differs(made, tmp_path):
    run = pp.Result.load(made / "plain.npz")
    run.block[7, 2] = np.nextafter(run.block[7, 2], 9)
    run.save(tmp_path / "r.npz")
    said = call("rerun", tmp_path / "r.npz", code=1).stdout
    assert f"not equal: {run.names[2]} in row 7 was" in said


def test_derived_tables_are_made_again(tmp_path):
    pp.derive_sweep(pp.load(MOTOR), {"magnet.Br": [1.0, 1.2, 9.0]}).save(tmp_path / "d.npz")
    assert "3 rows made again: equal" in call("rerun", tmp_path / "d.npz").stdout


def tampered(path, **changes):
    result = pp.Result.load(path)
    result.about |= changes
    result.save(path)
    return path


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"digest": None}, "does not say which values its motor had"),
        ({"settings": {"magnet.Br": "much"}}, "expected values of this version's parameters"),
        ({"settings": {}}, "its motor is another one here"),
        ({"t_end": "long"}, "cannot be made again"),
        ({"every": None}, "cannot be made again"),
        ({"kind": "estimate"}, "an estimate of what no file holds"),
        ({"kind": "table"}, "a table, expected a run, sweep or estimate"),
        ({"kind": "sweep"}, "cannot be made again"),
        ({"kind": "derive"}, "cannot be made again"),
        ({"tuned_to": "another machine"}, "tuned to another machine"),
    ],
)
def test_what_cannot_be_made_again_is_one_line(made, tmp_path, changes, text):
    run = pp.Result.load(made / "plain.npz")
    run.save(tmp_path / "r.npz")
    error = call("rerun", tampered(tmp_path / "r.npz", **changes), code=2).stderr
    assert text in error and error.count("\n") == 1
    call("show", tmp_path / "r.npz")


def test_an_incomplete_sweep_is_shown_as_such_and_not_made_again(made, tmp_path):
    table = pp.load_table(made / "s.npz")
    table.block[3, -1] = table.about["cancelled"]
    table.save(tmp_path / "s.npz")
    assert "cases     8, 0 refused; 1 not run" in call("show", tmp_path / "s.npz").stdout
    assert "1 of 8 cases were not run" in call("rerun", tmp_path / "s.npz", code=2).stderr
    drawn = call("report", MOTOR, "--sweep", tmp_path / "s.npz", "--out", tmp_path / "p.html").stderr
    assert "s.npz: 1 of 8 cases were not run (interrupted), so the page is of the others" in drawn


def test_an_estimate_of_another_record_is_refused(made, tmp_path):
    columns = dict(np.load(made / "record.npz"))
    columns["i_alpha"] = columns["i_alpha"] * 1.001
    np.savez(tmp_path / "record.npz", **columns)
    estimate = tampered(made / "e.parquet", record=str(tmp_path / "record.npz"))
    assert "another record than the one of" in call("rerun", estimate, code=2).stderr
    tampered(made / "e.parquet", record=str(made / "record.npz"))


def test_other_files_are_shown_as_far_as_they_go(made, tmp_path, root):
    (tmp_path / "t.csv").write_text("time [s],ia [A]\n0,1\n1,2\n")
    assert "a table, 2 rows" in call("show", tmp_path / "t.csv").stdout
    assert "expected a run, sweep or estimate" in call("rerun", tmp_path / "t.csv", code=2).stderr
    assert "record of columns" in call("show", made / "record.npz", code=2).stderr
    assert "record of columns" in call("rerun", made / "record.npz", code=2).stderr
    assert "no such file" in call("show", tmp_path / "none.npz", code=2).stderr
    assert "no such file" in call("show", tmp_path / "none.ppdb", code=2).stderr
    (tmp_path / "bad.ppdb").write_bytes(b"x" * 5000)
    assert "expected a whole store" in call("show", tmp_path / "bad.ppdb", code=2).stderr
    np.savez(tmp_path / "old.npz", names=["time", "iq"], block=np.zeros((3, 2)), about='{"format": 1, "motor": "x"}')
    assert "settings  not told" in call("show", tmp_path / "old.npz").stdout
    assert "does not say which values" in call("rerun", tmp_path / "old.npz", code=2).stderr


def test_a_store_is_shown(tmp_path):
    from polepair.live.store import Recorder
    from polepair.live.streams import Stream

    stream = Stream(("ia", "ib"), "json")
    recorder = Recorder(tmp_path / "x.ppdb", stream)
    stream.push(b'{"n":1,"t":1000000000,"ia":1,"ib":2}')
    recorder.close()
    text = call("show", tmp_path / "x.ppdb").stdout
    assert "a store of recordings, 1 stream" in text and "1 rows of ia, ib; json, 1970-01-01T00:00:01.000Z to " in text
    data = json.loads(call("show", tmp_path / "x.ppdb", "--json").stdout)
    assert data["streams"][0]["channels"] == ["ia", "ib"] and data["streams"][0]["rows"] == 1
    assert "a recording cannot be made again" in call("rerun", tmp_path / "x.ppdb", code=2).stderr


# report and film refuse ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, text",
    [
        (("report", MOTOR, "--run", "run.parquet"), "stator.length = 0.015 m in {}, 0.01 m in the motor"),
        (("film", MOTOR, "--run", "run.parquet"), "stator.length = 0.015 m in {}, 0.01 m in the motor"),
        (("report", "spmloss-18s16p", "--run", "plain.npz"), f"stator.slots = 12 in {{}} of {MOTOR}, 18 in the motor"),
        (("report", "spmloss-18s16p", "--sweep", "s.npz"), f"stator.slots = 12 in {{}} of {MOTOR}, 18 in the motor"),
        (("report", MOTOR, "--cad", "d/motor.json"), "magnet.Br = 1.1 T in {}, 1.28 T in the motor"),
        (("report", MOTOR, "--run", "s.npz"), "{}: a sweep, expected a run as polepair run writes it"),
        (("film", MOTOR, "--run", "s.npz"), "{}: a sweep, expected a run as polepair run writes it"),
        (("report", MOTOR, "--run", "e.parquet"), "{}: no channel ia, expected a run"),
        (("report", MOTOR, "--sweep", "plain.npz"), "{}: not a sweep but a run, expected the result of polepair sweep"),
    ],
)
def test_a_result_of_another_motor_is_refused(made, tmp_path, monkeypatch, args, text):
    monkeypatch.chdir(tmp_path)
    file = made / args[-1]
    result = call(*args[:-1], file, code=2)
    assert result.stderr.startswith(f"polepair: {text.format(file)}") and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_results_of_the_motor_are_taken(made, tmp_path):
    out = tmp_path / "p.html"
    call("report", MOTOR, "--set", "stator.length=15 mm", "--run", made / "run.parquet", "--out", out)
    call("report", MOTOR, "--run", made / "plain.npz", "--sweep", made / "s.npz", "--out", out)
    call("report", MOTOR, "--set", "magnet.Br=1.2", "--sweep", made / "s.npz", "--out", out)  # an axis of the sweep
    control = ("--set", "control.speed_ref=100")  # no solid depends on it
    call("report", made / "d/motor.toml", *control, "--cad", made / "d/motor.json", "--out", out)
    (tmp_path / "old.json").write_text(json.dumps({"motor": "spmloss-18s16p", "derived": {}}))
    error = call("report", MOTOR, "--cad", tmp_path / "old.json", code=2).stderr
    assert "old.json is of spmloss-18s16p, expected one of outrunner-12s14p" in error


def test_a_motor_that_design_wrote_keeps_its_name(made, tmp_path):
    assert pp.load(made / "d/motor.toml").name == MOTOR
    assert call("run", made / "d/motor.toml", "--time", "0.01").stdout.startswith(f"{MOTOR}: ")
    (tmp_path / "mine.toml").write_text('schema = 1\n[motor]\nname = "  "\n')
    assert pp.load(tmp_path / "mine.toml").name == "mine"


def test_a_command_line_in_a_file_holds_no_address(tmp_path):
    out = tmp_path / "r.npz"
    call("run", MOTOR, "--time", "0.01", "--out", out, "--set", "magnet.Br=1.2")
    from polepair.cli.typed import Typed

    context = Typed("run").make_context("run", [], resilient_parsing=True)
    assert context.meta["polepair.typed"] == "polepair run"
    command = pp.Result.load(out).about["command"]
    assert command == f"polepair run {MOTOR} --time 0.01 --out {out} --set magnet.Br=1.2"
