"""Files that commands make: never over the one that they read, and named as what they are."""

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import polepair as pp
from polepair.cli.main import main

M = "outrunner-12s14p"
READ = "is the file that is read, expected another name for what is written"


def call(*args, code=0):
    done = CliRunner().invoke(main, [str(a) for a in args])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def record():
    """Columns of a record: a motor as its currents and voltages show it."""
    run = pp.Twin(pp.load(M)).run(0.02)
    turn = np.exp(7j * run["theta_m"])
    u, i = ((run[d] + 1j * run[q]) * turn for d, q in (("ud", "uq"), ("id", "iq")))
    return {"time": run["time"], "u_alpha": u.real, "u_beta": u.imag, "i_alpha": i.real, "i_beta": i.imag}


def write(path, record):
    """A record in the form of its suffix, as another program would write it."""
    if path.suffix == ".npz":
        np.savez(path, **record)
    elif path.suffix == ".parquet":
        pq.write_table(pa.table(record), path)
    else:
        np.savetxt(path, np.column_stack(list(record.values())), "%.17g", ",", header=",".join(record), comments="")
    return path


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
def test_an_estimate_is_not_written_over_its_record(record, suffix, tmp_path):
    path = write(tmp_path / f"record{suffix}", record)
    link = tmp_path / f"link{suffix}"
    link.symlink_to(path)
    before = path.read_bytes()
    for out in (path, link, tmp_path / "." / path.name):
        assert READ in call("estimate", path, "--motor", M, "-o", out, code=2).stderr
    assert path.read_bytes() == before


def test_a_page_is_not_written_over_what_it_is_of(tmp_path):
    motor = tmp_path / "motor.html"
    pp.load(M).save(tmp_path / "motor.toml")
    os.rename(tmp_path / "motor.toml", motor)
    before = motor.read_bytes()
    assert READ in call("report", motor, "--out", motor, code=2).stderr
    assert motor.read_bytes() == before


def test_a_run_made_again_leaves_the_one_it_is_compared_with(tmp_path):
    path = tmp_path / "run.npz"
    pp.Twin(pp.load(M)).run(0.01).save(path)
    before = path.read_bytes()
    assert READ in call("rerun", path, "--out", path, code=2).stderr
    assert path.read_bytes() == before


def test_a_sweep_is_not_written_over_its_table(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("magnet.Br\n1.1\n1.2\n")
    assert READ in call("sweep", M, "--cases", path, "--time", "0.01", "--out", path, code=2).stderr
    assert path.read_text() == "magnet.Br\n1.1\n1.2\n"


def test_design_leaves_a_motor_file_as_its_owner_wrote_it(tmp_path):
    path = tmp_path / "motor.toml"
    pp.load(M).save(path)
    path.write_text(path.read_text() + "# of the second batch\n")
    before = path.read_text()
    call("design", path, "--no-cad", "--out", tmp_path)
    assert path.read_text() == before and (tmp_path / "motor.json").exists()
    assert READ in call("design", path, "--no-cad", "--set", "winding.turns=15", "--out", tmp_path, code=2).stderr
    assert path.read_text() == before


@pytest.mark.parametrize("name", ["page.pdf", "page.parquet", "page"])
def test_a_page_is_named_as_one(name, tmp_path):
    out = tmp_path / name
    assert "expected .html or .htm" in call("report", M, "--out", out, code=2).stderr
    with pytest.raises(pp.FileError, match="expected .html or .htm"):
        pp.write_report(out, pp.load(M))
    assert not out.exists()


def test_solids_that_a_design_does_not_hold_are_told(tmp_path):
    (tmp_path / "other.json").write_text('{"name": "x"}')
    other = call("report", M, "--cad", tmp_path / "other.json", "--out", tmp_path / "r.html", code=2)
    assert "other.json: expected the motor.json of polepair design" in other.stderr
    call("design", M, "--no-cad", "--out", tmp_path)
    told = call("report", M, "--cad", tmp_path / "motor.json", "--out", tmp_path / "r.html")
    assert told.stderr.startswith("polepair: warning: ") and "holds no solids, so the page has none" in told.stderr


def test_a_parquet_record_of_any_program_is_read(record, tmp_path):
    estimates = []
    for suffix in (".npz", ".parquet"):
        out = tmp_path / f"estimate{suffix}"
        call("estimate", write(tmp_path / f"record{suffix}", record), "--motor", M, "-o", out)
        shown = json.loads(call("show", out, "--json").stdout)
        estimates.append((shown["columns"], shown["channels"]))
    assert estimates[0] == estimates[1]
    whole = pq.read_table(write(tmp_path / "record.parquet", record))
    for about in ({"polepaiq": "{}", "digest": "0"}, {"polepair": "{}"}, {"digest": "0"}):  # one of ours, damaged
        pq.write_table(whole.replace_schema_metadata(about), tmp_path / "bad.parquet")
        call("estimate", tmp_path / "bad.parquet", "--motor", M, code=2)


def test_an_estimate_to_doubt_is_told(record, tmp_path):
    """Two columns exchanged: numbers with small deviations come all the same."""
    path = write(tmp_path / "record.npz", {**record, "i_alpha": record["i_beta"], "i_beta": record["i_alpha"]})
    done = call("estimate", path, "--motor", M)
    assert done.stderr.startswith("polepair: warning: ") and "0 % of the rows are good" in done.stderr
    long = pp.Twin(pp.load(M)).run(0.2)
    turn = np.exp(7j * long["theta_m"])
    u, i = ((long[d] + 1j * long[q]) * turn for d, q in (("ud", "uq"), ("id", "iq")))
    sound = {"time": long["time"], "u_alpha": u.real, "u_beta": u.imag, "i_alpha": i.real, "i_beta": i.imag}
    assert not call("estimate", write(tmp_path / "sound.npz", sound), "--motor", M).stderr


def test_an_estimate_moved_with_its_record_is_made_again(record, tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    write(tmp_path / "first" / "record.npz", record)
    call("estimate", "record.npz", "--motor", M, "-o", "estimate.npz")
    os.rename(tmp_path / "first", tmp_path / "second")
    monkeypatch.chdir(tmp_path)
    assert "equal, bit by bit" in call("rerun", "second/estimate.npz").stdout
    os.rename(tmp_path / "second" / "record.npz", tmp_path / "elsewhere.npz")
    assert "record.npz: no such file" in call("rerun", "second/estimate.npz", code=2).stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "motor.toml",
            "not a result: expected .parquet, .npz or .csv, or a store made by polepair record; a motor file",
        ),
        ("page.html", "not a result: expected .parquet, .npz or .csv, or a store made by polepair record"),
        ("empty.ppdb", "a database of something else, or empty: expected a store"),
        ("none", "none: no such file"),
        ("pipe", "not a plain file, expected a result or a store"),
    ],
)
def test_show_says_what_it_shows(name, text, tmp_path):
    if name == "pipe":
        os.mkfifo(tmp_path / name)
    elif name != "none":
        (tmp_path / name).write_text("" if name == "empty.ppdb" else "[stator]\n")
    done = call("show", tmp_path / name, code=2)
    assert text in done.stderr and done.stderr.count("\n") == 1 and "database" not in done.stderr.replace(text, "")


def test_choices_are_printed_by_name_and_warnings_are_a_column_to_sort_by():
    done = call("sweep", M, "magnet.shape=flat_base,arc", "--time", "0.01", "--sort", "warnings")
    cells = [line.split() for line in done.stdout.splitlines()]
    assert {row[1] for row in cells if row[0] in ("0", "1")} == {"flat_base", "arc"}
    assert "smallest warnings first" in done.stdout


def test_names_that_are_not_utf8(record, tmp_path):
    """A folder named in Latin-1, as old disks have them: every kind of file is written and read there."""
    folder = tmp_path / os.fsdecode(b"l\xe4ufe")
    folder.mkdir()
    write(tmp_path / "record.npz", record)
    for suffix in (".parquet", ".npz"):
        call("run", M, "--time", "0.01", "--out", folder / f"run{suffix}")
        call("sweep", M, "magnet.Br=1,1.1", "--time", "0.01", "--out", folder / f"sweep{suffix}")
        call("estimate", tmp_path / "record.npz", "--motor", M, "-o", folder / f"estimate{suffix}")
        for name in ("run", "sweep", "estimate"):
            assert "equal, bit by bit" in call("rerun", folder / f"{name}{suffix}").stdout
    call("report", M, "--run", folder / "run.parquet", "--out", folder / "page.html")


@pytest.mark.parametrize("args", [["show"], ["rerun"], ["report", M, "--run"], ["estimate", "--motor", M]])
@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
def test_a_pipe_is_not_waited_for(args, suffix, tmp_path):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    done = call(*args, tmp_path / f"pipe{suffix}", code=2)
    assert done.stderr.count("\n") == 1 and f"pipe{suffix}: " in done.stderr


def test_a_home_that_is_closed_is_no_word_of_the_page(tmp_path):
    (tmp_path / "file").write_text("")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "file"), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "polepair", "report", M, "--out", "page.html"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == "" and done.stdout.splitlines() == [f"{M}: page.html"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to nobody")
def test_what_may_not_be_read_is_the_systems_word(record, tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if os.stat(folder).st_uid == 0 and not os.stat(folder).st_mode & 0o001:
            folder.chmod(0o711)
    pp.Twin(pp.load(M)).run(0.01).save(tmp_path / "run.npz")
    pp.Twin(pp.load(M)).run(0.01).save(tmp_path / "run.parquet")
    write(tmp_path / "table.csv", record)
    (tmp_path / "notes.txt").write_text("x")
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    code = (
        "import os, sys, pyarrow.parquet\nfrom click.testing import CliRunner\nfrom polepair.cli.main import main\n"
        "for room in ('results', 'live', 'running'): __import__(f'polepair.cli.{room}')\n"
        "import polepair.live.mqtt, polepair.live.broker, polepair.live.store\n"
        "import polepair.live.estimation, polepair.run.sweeps\n"
        "os.setuid(65534)\nhere = sys.argv[1] + '/'\n"
        f"for args in (['show', here + 'run.npz'], ['show', here + 'run.parquet'], ['show', here + 'notes.txt'],\n"
        f"             ['estimate', here + 'table.csv', '--motor', '{M}'], ['broker-config', 'a', '-o', here + 'b'],\n"
        f"             ['sweep', '{M}', '--cases', here + 'table.csv'],\n"
        "             ['live', '--mqtt', 'mqtts://a@localhost/x', '--ca', here + 'notes.txt'],\n"
        "             ['live', '--mqtt', 'mqtts://a@localhost/x', '--password-file', here + 'notes.txt']):\n"
        "    done = CliRunner().invoke(main, args)\n"
        "    assert done.exit_code == 1 and 'Permission denied' in done.stderr, (args, done.output)\n"
        "    assert done.stderr.count('\\n') == 1 and done.stderr.startswith('polepair: ' + here), done.output\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
