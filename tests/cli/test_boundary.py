"""How every command ends: one line, and 2 for the user's mistake, 1 for the world's, 130 interrupted, 70 a defect."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner
from support.brokers import free_port

from polepair.cli import common, main, motors
from polepair.errors import AuthenticationError, CadError, DiskError, FileError, Interrupted, LinkError, StoreError

M = "outrunner-12s14p"
COMMAND = [sys.executable, "-m", "polepair"]


def ended(*args, **kw):
    return CliRunner().invoke(main.main, [str(a) for a in args], **kw)


def line_of(done, code):
    assert done.exit_code == code and isinstance(done.exception, SystemExit), done.output
    assert done.stderr.startswith("polepair: ") and done.stderr.count("\n") == 1 and not done.stdout, done.output
    return done.stderr.removeprefix("polepair: ").strip()


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["lits"], "no such command 'lits'"),
        (["--jsno"], "no such option '--jsno'"),
        (["run"], "run: missing argument 'MOTOR': see polepair run --help"),
        (["run", M, "--tiem", "1"], "run: no such option '--tiem'"),
        (
            ["run", M, "--time", "x"],
            "run: invalid value for '--time': 'x' is not a valid float: see polepair run --help",
        ),
        (["run", M, "--time"], "option '--time' requires an argument: see polepair"),
        (["run", M, "extra"], "run: got unexpected extra argument (extra): see polepair run --help"),
        (["sweep", M, "a=1", "--mode", "slow"], "sweep: invalid value for '--mode'"),
        (["design", M, "--out", __file__], "is a file: see polepair design --help"),
    ],
)
def test_a_slip_in_the_command_line(args, text):
    line = line_of(ended(*args), 2).replace('"', "'")
    assert text.lower() in line.lower() and line.split(": see ")[-1].startswith("polepair")


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("magnet.Br=", "--set magnet.Br=: expected a number with a unit of T"),
        ("magnet.Br=nan", "--set magnet.Br=nan: expected a number with a unit of T"),
        ("magnet.Br=inf", "--set magnet.Br=inf: expected a number with a unit of T"),
        ("magnet.Br=1e999", "--set magnet.Br=1e999: expected a finite number"),
        ("magnet.Br=1.2 V", "--set magnet.Br=1.2 V: unit V does not convert to T"),
        ("stator.length=1,5 mm", "--set stator.length=1,5 mm: expected a decimal point and no other separator"),
        ("stator.length=1_000 mm", "expected a decimal point and no other separator"),
        ("stator.length=15mm;", "--set stator.length=15mm;: unknown unit mm;, did you mean mm?"),
        ("stator.length=15 Mmm", "--set stator.length=15 Mmm: unknown unit Mmm, did you mean"),
        ("load.J=3 Kg cm2", "unknown unit Kg cm2, did you mean kg cm2?"),
        ("Br=1.2", "--set Br=1.2: Br: no such parameter, did you mean magnet.Br?"),
        ("nothing=1.2", "nothing: no such parameter, expected GROUP.FIELD such as magnet.Br"),
        ("magnet.Br=9", "magnet.Br = 9.0 T: expected 0.05 to 1.6 T"),
        ("drive.kind=foo", "--set drive.kind=foo: expected one of foc, six_step"),
        ("winding.turns=3.5", "winding.turns = 3.5: expected a whole number from 1 to 10000"),
        (
            "control.speed_ref=-100000",
            "-100000.0 rad/s: turns the rotor through over a quarter of an electrical turn",
        ),
        ("drive.period=0.01", "drive.period = 0.01 s: too long for this machine"),
        ("winding.turns=40", "0.000596 m would do; or winding.turns = 35"),
        ("winding.turns=40", "the copper does not fit: expected less than 85 % of the slot area; it fills 95 %"),
        ("magnet.width=10 mm", "less than the pole pitch at their base; 0.00912 m would do"),
    ],
)
def test_a_slip_in_a_setting(setting, text):
    assert text in line_of(ended("run", M, "--time", "0.01", "--set", setting), 2)


def test_what_would_do_does():
    for setting in (
        "winding.wire_diameter=0.000596",
        "control.speed_ref=-4480",
        "magnet.width=0.00912",
        " magnet.Br = 1.2 T ",
    ):
        turns = ["--set", "winding.turns=40"] if "wire" in setting else []
        assert ended("run", M, "--time", "0.001", *turns, "--set", setting).exit_code == 0, setting


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["m1", "--port", "0"], "port = 0: expected 1 to 65535"),
        (["m1", "--port", "99999"], "port = 99999: expected 1 to 65535"),
        (["m1", "m1"], "all different"),
    ],
)
def test_a_broker_that_cannot_be(args, text, tmp_path):
    assert text in line_of(ended("broker-config", *args, "--no-tls", "-o", tmp_path / "b"), 2)
    assert not (tmp_path / "b").exists()


def test_folders_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("/proc/foo", tmp_path / "file" / "x", f"{tmp_path}/{'x' * 300}"):
        line = line_of(ended("design", M, "--no-cad", "--out", place), 2)
        assert str(place)[:100] in line and "cannot make this folder" in line
        line_of(ended("broker-config", "a", "--no-tls", "-o", place), 2)
        line_of(ended("run", M, "--time", "0.01", "--out", f"{place}/r.npz"), 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming nobody needs root")
def test_folders_of_somebody_else(tmp_path):
    """As nobody: the rights are the system's word, so 1."""
    (tmp_path / "closed").mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if os.stat(folder).st_uid == 0 and not os.stat(folder).st_mode & 0o001:
            folder.chmod(0o711)
    code = (
        "import os, sys\nfrom click.testing import CliRunner\nfrom polepair.cli.main import main\n"
        "for room in ('motors', 'running', 'live'): __import__(f'polepair.cli.{room}')\nimport polepair.live.broker\n"
        "from polepair.faces import cad\nos.setuid(65534)\nout = sys.argv[1]\n"
        f"for args in (['design', '{M}', '--no-cad', '--out', out + '/d'],\n"
        f"             ['run', '{M}', '--time', '0.01', '--out', out + '/r.npz']):\n"
        "    done = CliRunner().invoke(main, args)\n"
        "    assert done.exit_code == 1 and 'Permission denied' in done.stderr, done.output\n"
        "    assert done.stderr.count('\\n') == 1 and done.stderr.startswith('polepair: ' + out), done.output\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "closed")], check=True)


class Ending(Exception):
    """No exception of polepair."""


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ValueError("a: b: expected c"), 2, "a: b: expected c"),
        (FileError("f: no such file"), 2, "f: no such file"),
        (StoreError("s: damaged"), 2, "s: damaged"),
        (DiskError("f: cannot write (No space left on device)"), 1, "No space left"),
        (OSError(28, "No space left on device", "f"), 1, "f: No space left on device"),
        (PermissionError(13, "Permission denied", "f"), 1, "f: Permission denied"),
        (LinkError("no broker"), 1, "no broker"),
        (AuthenticationError("wrong password"), 1, "wrong password"),
        (CadError("no FreeCAD"), 1, "no FreeCAD"),
        (ImportError("x", name="matplotlib"), 1, "matplotlib is missing, expected: pip install"),
        (MemoryError(), 1, "memory: too little is free"),
        (Interrupted("interrupted: 5 of 9"), 130, "interrupted: 5 of 9"),
        (KeyboardInterrupt(), 130, "list: interrupted before it ended"),
        (KeyError("x"), 70, "a defect of polepair: KeyError: 'x'"),
        (Ending("two\nlines"), 70, "a defect of polepair: Ending: two"),
        (AssertionError(), 70, "a defect of polepair: AssertionError"),
    ],
)
def test_what_ends_a_command(error, code, text, monkeypatch):
    def fails(*_):
        raise error

    monkeypatch.setattr(motors, "catalogue", fails)
    assert text in line_of(ended("list"), code)
    done = ended("list", "--json")
    assert done.exit_code == code and text in json.loads(done.stderr)["error"] and not done.stdout
    shown = ended("list", env={"POLEPAIR_DEBUG": "1"})
    assert shown.exit_code == code and "in fails" in shown.stderr and text in shown.stderr.splitlines()[-1]


def test_a_thread_that_fails_is_a_line(monkeypatch):
    def fails():
        raise KeyError("x")

    def starts():
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
        return {}

    monkeypatch.setattr(motors, "catalogue", lambda: starts() or {"m": None})
    monkeypatch.setattr(motors, "load", lambda name: type("M", (), {"description": "d"}))
    done = ended("list")
    assert done.exit_code == 0 and done.stderr.startswith("polepair: a defect of polepair: KeyError: 'x' at ")


def test_errors_and_warnings_as_json():
    for args, word in ((["run", "nothing"], "nothing: no such file"), (["run", "--tiem"], "no such option")):
        done = ended(*args, "--json")
        assert done.exit_code == 2 and not done.stdout and done.stderr.count("\n") == 1
        assert word in json.loads(done.stderr)["error"].lower()
    with common.in_json(True):
        runner = CliRunner()
        with runner.isolation() as (_, err, _):
            common.tell("it is doubtful", "warning")
        assert json.loads(err.getvalue()) == {"warning": "it is doubtful"}


def test_no_command_is_the_help():
    done = ended()
    assert done.exit_code == 0 and "Usage: polepair" in done.stdout
    for name in ("list", "run", "record", "broker-config"):
        assert f"\n  {name} " in done.stdout


def test_every_command_is_found_in_its_room():
    for room, names in main.ROOMS.items():
        assert set(names) <= set(main._commands(room))
    for name in main.main.list_commands(None):
        assert main.main.get_command(None, name).name == name


@pytest.mark.parametrize("args", [["list"], ["--help"], ["run", M], ["list", "--json"]])
def test_a_full_disk_under_the_output(args):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, *args], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "No space left on device" in done.stderr


@pytest.mark.parametrize("closed", [1, 2, 0])
@pytest.mark.parametrize("args", [["run", M, "--time", "0.01"], ["list"], ["live", "--time", "0.1", "--pace", "0"]])
def test_a_stream_that_is_closed_is_no_defect(args, closed):
    """As a daemon may start a command: its work is done, and nobody is told."""
    done = subprocess.run(["sh", "-c", f'"$@" {closed}>&-', "sh", *COMMAND, *args], capture_output=True, text=True)
    assert done.returncode == 0 and "defect" not in done.stderr, done.stderr


def test_a_reader_that_goes_is_no_error():
    done = subprocess.Popen([*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done.stdout.close()
    assert done.stderr.read() == b"" and done.wait() == 1


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_midst_of_a_run(sent, tmp_path):
    out = tmp_path / "r.npz"
    code = (
        "import sys, threading\nfrom polepair.cli import running\nfrom polepair.cli.main import main\n"
        "old = running.Twin.run\n"
        "def run(self, *a):\n    print('begun', file=sys.stderr, flush=True)\n    return old(self, *a)\n"
        f"running.Twin.run = run\nmain(['run', '{M}', '--time', '20000', '--every', '100000', '--out', r'{out}'])\n"
    )
    done = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert done.stderr.readline() == "begun\n"
    time.sleep(0.1)
    done.send_signal(sent)
    said = done.stderr.read()
    assert done.wait() == 130 and said.startswith("polepair: ") and "interrupted" in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_sigterm_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    assert ended("list").exit_code == 0 and signal.getsignal(signal.SIGTERM) is before


def test_design_is_ten_lines_in_units_that_people_use():
    lines = ended("design", M, "--no-cad").stdout.splitlines()
    assert len(lines) <= 10
    text = "\n".join(lines)
    for figure in ("184.8 rpm/V", "113.9 uH", "127.9 mohm", "345 g cm^2", "162.7 g", "4.262 mWb", "38 %"):
        assert figure in text
    assert "Ld, Lq     36 mH, 51 mH" in ended("design", "ipmsm-2k2").stdout


def test_signals_are_as_they_were_behind_a_command(tmp_path):
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    url = f"mqtt://127.0.0.1:{free_port()}/m1"
    ended("record", url, "-o", tmp_path / "x.ppdb", "--channels", "a", "--format", "json")
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
