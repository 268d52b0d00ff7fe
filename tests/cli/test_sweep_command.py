"""Sweeps on the command line: axes with units, plans, tables, what is printed, and every mistake as one line."""

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


def sweep(*args, code=0):
    return call("sweep", MOTOR, *args, "--time", "0.01", code=code)


def rows(*args):
    return json.loads(sweep(*args, "--json").stdout)["columns"]


def test_values_take_units():
    assert rows("rotor.gap=0.5mm,0.7 mm,0.001 m")["rotor.gap"] == [0.0005, 0.0007, 0.001]
    assert rows("rotor.gap=0.5mm:1mm:11")["rotor.gap"] == np.linspace(0.0005, 0.001, 11).tolist()
    assert rows("magnet.magnetization=radial,parallel")["magnet.magnetization"] == [0, 1]


def test_whole_numbers_are_called_so():
    text = sweep("winding.turns=8:27:7").stdout
    assert "case 1: winding.turns = 11.1667: expected a whole number from 1 to 10000\n" in text


def test_plans_and_tables(tmp_path):
    for name, plan in (("--sobol", pp.plans.sobol), ("--random", pp.plans.random)):
        expected = plan({"rotor.gap": (0.0005, 0.001), "winding.turns": (14, 18)}, 8, seed=4)[1]
        found = rows("rotor.gap=0.5mm:1mm", "winding.turns=14:18", name, 8, "--seed", 4)
        assert found["rotor.gap"] == expected[:, 0].tolist() and found["winding.turns"] == expected[:, 1].tolist()
    path = tmp_path / "cases.csv"
    path.write_text("rotor.gap [mm],magnet.Br [T]\n0.5,1.2\n0.7,1.3\n")
    found = rows("--cases", path)
    assert found["rotor.gap"] == pytest.approx([0.0005, 0.0007], rel=1e-15) and found["magnet.Br"] == [1.2, 1.3]


def test_the_ten_best_rows_are_printed_and_that_they_are_not_saved():
    text = sweep("winding.turns=8:27:20", "--sort", "i_s.rms").stdout
    table = [line.split() for line in text.splitlines()[1:12]]
    assert table[0][:2] == ["case", "winding.turns"] and len(table) == 11
    values = [float(line[-2]) for line in table[1:]]
    assert values == sorted(values) and "10 of 20 rows, smallest i_s.rms first" in text and "nothing was saved" in text
    down = sweep("winding.turns=8:27:20", "--sort", "-i_s.rms").stdout.splitlines()
    assert float(down[2].split()[-2]) > values[-1] and down[2].split()[1] == "8"
    first = sweep("winding.turns=8:27:20", "--record", "iq,i_s.rms").stdout
    assert "largest iq.final first" in first


def test_refused_cases_are_not_among_the_best():
    text = sweep("magnet.Br=1.2,9").stdout
    assert "1 of 1 rows" in text and "case 1: magnet.Br = 9" in text


def test_nothing_but_refused_cases_ends_with_1(tmp_path):
    result = sweep("magnet.Br=5,6", code=1)
    assert "2 cases, 2 refused" in result.stdout and "all 2 cases were refused" in result.stderr
    assert json.loads(sweep("magnet.Br=5,6", "--json", code=1).stdout)["failed"]
    sweep("magnet.Br=5,6", "--out", tmp_path / "s.npz", code=1)
    assert len(pp.load_table(tmp_path / "s.npz").failed) == 2


def test_a_saved_sweep_goes_on(tmp_path):
    path = tmp_path / "s.npz"
    whole = sweep("magnet.Br=1:1.4:9", "--out", path).stdout
    assert f"9 cases, 0 refused; {path}" in whole and "nothing was saved" not in whole
    table = pp.load_table(path)
    bits = table.block.tobytes()
    table.block[3:5, 1:-1], table.block[3:5, -1] = np.nan, table.about["cancelled"]
    table.save(path)
    sweep("magnet.Br=1:1.4:9", "--out", path, "--resume")
    assert pp.load_table(path).block.tobytes() == bits
    error = sweep("magnet.Br=1:1.4:8", "--out", path, "--resume", code=2).stderr
    assert "holds another sweep" in error
    sweep("magnet.Br=1,1.1", "--out", tmp_path / "s.csv")


@pytest.mark.parametrize(
    "args, text",
    [
        (("magnet.Br=1:1.4:99999999999",), "99,999,999,999 cases need"),
        (("magnet.Br=1:1.4:9999999999999999",), "9,999,999,999,999,999 points, expected 1 or more"),
        (("magnet.Br=1:1.4:0",), "0 points, expected 1 or more"),
        (("magnet.Br=1:1.4:-3",), "-3 points, expected 1 or more"),
        (("magnet.Br=1:1.4:1e3",), "expected GROUP.FIELD=a,b,c or GROUP.FIELD=first:last:count"),
        (("magnet.Br=",), "expected GROUP.FIELD=a,b,c"),
        (("magnet.Br=1,,2",), "magnet.Br=: expected a number"),
        (("magnet.Br=1,x",), "magnet.Br=x: "),
        (("rotor.gap=1 kg",), "rotor.gap=1 kg: unit kg does not convert to m"),
        (("magnet.Brr=1",), "magnet.Brr: no such parameter"),
        (("magnet.magnetization=radial:parallel:2",), "expected GROUP.FIELD=a,b,c"),
        (("magnet.magnetization=round",), "magnet.magnetization=round: expected one of"),
        ((), "no axes"),
        (("magnet.Br=1,2", "--sobol", "4"), "expected GROUP.FIELD=low:high"),
        (("magnet.Br=1.4:1", "--sobol", "4"), "expected a low and a high value"),
        (("magnet.Br=1:1.4", "--sobol", "0"), "count = 0"),
        (("magnet.Br=1:1.4", "--random", "99999999999"), "cases need"),
        (("magnet.Br=1:1.4", "--random", "4", "--sobol", "4"), "expected one of --sobol"),
        (("magnet.Br=1,1.4", "--seed", "4"), "--seed: expected --sobol or --random"),
        (("magnet.Br=1,1.4", "--cases", "c.csv"), "expected the cases of the table alone"),
        (("--cases", "none.csv"), "none.csv: no such file"),
        (("magnet.Br=1", "--sort", "iq.rms"), "--sort iq.rms: no such column"),
        (("magnet.Br=1", "--resume"), "--resume: expected --out"),
        (("magnet.Br=1", "--resume", "--out", "s.csv"), "s.csv: unknown kind of file, expected .parquet or .npz"),
        (("magnet.Br=1", "--out", "/nonexistent/s.csv"), "cannot write here"),
        (("magnet.Br=1", "--out", "s.npz", "--save-every", "0"), "expected at least 0.1 s"),
        (("magnet.Br=1", "--threads", "0"), "threads = 0: expected a whole number from 1 to 256"),
        (("magnet.Br=1", "--threads", "-2"), "threads = -2: expected a whole number from 1 to 256"),
        (("magnet.Br=1", "--threads", "100000"), "threads = 100000: expected a whole number from 1 to 256"),
        (("magnet.Br=1", "--time", "-1"), "t_end = -1.0 s: expected more than 0"),
        (("magnet.Br=1", "--time", "1e-9"), "at least a control period"),
    ],
)
def test_mistakes_are_one_line_before_the_start(args, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    args = args if "--time" in args else (*args, "--time", "0.01")
    result = call("sweep", MOTOR, *args, code=2)
    assert result.stderr.startswith("polepair: ") and result.stderr.count("\n") == 1 and text in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "args, text",
    [
        (("--time", "-1"), "t_end = -1.0 s: expected more than 0"),
        (("--time", "1e-9"), "t_end = 1e-09 s: expected more than 0, at least a control period (5e-05 s)"),
        (("--time", "nan"), "t_end = nan s"),
        (("--every", "1000000000000"), "every = 1000000000000: expected at most the 10,000 control periods"),
        (("--every", "0"), "every = 0: expected a whole number from 1 up"),
        (("--out", "r.txt"), "expected .parquet, .npz or .csv"),
    ],
)
def test_runs_of_nothing_are_refused_before_the_start(args, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = call("run", MOTOR, *args, code=2)
    assert result.stderr.startswith("polepair: ") and result.stderr.count("\n") == 1 and text in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_says_how_far_it_came(monkeypatch):
    from polepair.run import twin

    monkeypatch.setattr(twin, "CHUNK_PERIODS", 100)
    seen = []

    def stop(self, done, total):
        seen.append(done)
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("polepair.cli.common.Progress.__call__", stop)
    said = call("run", MOTOR, "--time", "0.1", code=130).stderr
    assert said == "polepair: run: interrupted: 300 of 2,001 samples; nothing was saved\n"


def test_an_interrupted_sweep_without_a_file_says_that_nothing_is_kept(monkeypatch):
    def stop(self, done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr("polepair.cli.common.Progress.__call__", stop)
    result = CliRunner().invoke(main, ["sweep", MOTOR, "magnet.Br=1:1.4:20000", "--time", "1"])
    assert result.exit_code == 130 and result.stderr.endswith(" of 20,000; nothing was saved\n")


@pytest.mark.parametrize("values", ["1000,2000,4000 rpm", "100:4000 rpm:5", "1000 rpm:400:5", "1000 rpm,400"])
def test_a_unit_stands_at_every_value_or_at_none(values):
    """1000,2000 rpm would be 1000 rad/s and 2000 rpm: a sweep that looks like the one that was meant."""
    assert "expected a unit on every value, or on none" in sweep(f"control.speed_ref={values}", code=2).stderr
    if values.count(":") == 2:
        low_high = values.rpartition(":")[0]
        refused = sweep(f"control.speed_ref={low_high}", "--sobol", 4, code=2)
        assert "expected a unit on every value, or on none" in refused.stderr


def test_spaces_around_the_sign_are_no_part_of_a_name():
    assert "2 cases, 0 refused" in sweep(" magnet.Br = 1.1, 1.2").stdout


@pytest.mark.parametrize("text", ["", "\n", "magnet.Br\n", "magnet.Br\n\n\n"])
def test_a_table_without_cases_is_one_line(text, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    line = sweep("--cases", tmp_path / "t.csv", code=2).stderr
    assert line.count("\n") == 1 and "t.csv: no cases, expected a header of parameters and a row a case" in line


def test_a_table_of_a_spreadsheet_is_read(tmp_path):
    """A byte order mark, carriage returns, an empty line at the end."""
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfmagnet.Br [mT],winding.turns\r\n1100,16\r\n1200,15\r\n\r\n")
    assert "2 cases, 0 refused" in sweep("--cases", tmp_path / "t.csv").stdout


def test_spaces_between_outputs():
    said = sweep("magnet.Br=1.1", "--record", "omega_m.final, i_s.rms").stdout
    assert "omega_m.final [rad/s]" in said and "i_s.rms [A]" in said


def test_no_plan_over_choices():
    assert (
        "expected GROUP.FIELD=low:high of a number" in sweep("magnet.shape=arc:flat_base", "--sobol", 4, code=2).stderr
    )


@pytest.mark.parametrize("name", ["run.parquet", "run.npz", "store.ppdb"])
def test_a_result_is_no_motor(name, tmp_path):
    (tmp_path / name).write_bytes(b"PAR1\xff")
    line = call("run", tmp_path / name, code=2).stderr
    assert f"{name}: a result or recording, expected a motor file, or a name of the catalogue" in line


def test_one_channel_is_plotted_by_its_name():
    figure = pp.Twin(pp.load(MOTOR)).run(0.01).plot("omega_m")
    assert len(figure.axes) == 1


def test_one_derived_value_is_named_by_itself():
    assert pp.derive_sweep(pp.load(MOTOR), {"magnet.Br": [1.1]}, "Kt").names[:2] == ("magnet.Br", "Kt")
