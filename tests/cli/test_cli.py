"""The command: results, --json, and one line with exit code 2 for every mistake."""

import json
import os
import re

import pytest
from click.testing import CliRunner

import polepair as pp
from polepair.cli.main import main


def call(*args, code=0):
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, result.output
    return result


def test_list():
    names = json.loads(call("list", "--json").stdout)
    assert list(names) == list(pp.catalogue()) and "outrunner-12s14p" in call("list").stdout


def test_design(tmp_path):
    out = tmp_path / "d"
    data = json.loads(call("design", "outrunner-12s14p", "--no-cad", "--json", "--out", out).stdout)
    assert data["derived"]["psi_pm"] == pp.load("outrunner-12s14p").derive().psi_pm
    assert sorted(p.name for p in out.iterdir()) == ["motor.json", "motor.toml"]
    changed = json.loads(
        call("design", out / "motor.toml", "--set", "stator.length=20 mm", "--no-cad", "--json").stdout
    )
    assert changed["derived"]["psi_pm"] == pytest.approx(2 * data["derived"]["psi_pm"])


def test_design_without_freecad_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("POLEPAIR_FREECAD_PYTHON", "/nonexistent")
    out = call("design", "outrunner-12s14p", "--out", tmp_path / "d").stdout
    assert "no CAD: /nonexistent: No such file or directory" in out and (tmp_path / "d/motor.json").exists()


def test_run_sweep_report(tmp_path):
    run, table, page = tmp_path / "r.parquet", tmp_path / "s.parquet", tmp_path / "p.html"
    data = json.loads(call("run", "outrunner-12s14p", "--time", "0.1", "--out", run, "--json").stdout)
    assert data["rows"] == 2001 and abs(data["energy_residual"]) < 1e-6
    data = json.loads(
        call(
            "sweep",
            "outrunner-12s14p",
            "magnet.Br=1.0:1.4:3",
            "winding.turns=14,16",
            "--time",
            "0.05",
            "--out",
            table,
            "--json",
        ).stdout
    )
    assert data["cases"] == 6 and not data["failed"]
    call("report", "outrunner-12s14p", "--run", run, "--sweep", table, "--out", page)
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    loads = re.findall(r'(?:src|href)="(?!data:|#)([^"]+)|url\((?!#|data:)([^)]+)\)', text)
    assert not loads, loads  # nothing is fetched from anywhere
    for title in ("Cross-section", "Torque, speed and efficiency", "Spin-up", "Sweep", "Checks", "Constants"):
        assert f"<h2>{title}</h2>" in text


@pytest.mark.parametrize("name", list(pp.catalogue()))
def test_report_of_every_motor(name, tmp_path):
    call("report", name, "--out", tmp_path / "p.html")
    assert (tmp_path / "p.html").stat().st_size > 30_000


def test_sweep_names_failed_cases():
    out = call("sweep", "outrunner-12s14p", "stator.slots=12,10", "--time", "0.01").stdout
    assert "2 cases, 1 refused" in out and "case 1: stator.slots: no balanced" in out


@pytest.mark.parametrize(
    "args, text",
    [
        (("run", "nothing"), "nothing: no such file, and no motor of that name"),
        (("run", "outrunner-12s14p", "--set", "magnet.Br=9"), "magnet.Br = 9.0 T: expected 0.05 to 1.6 T"),
        (
            ("run", "outrunner-12s14p", "--set", "magnet.Brr=1"),
            "magnet.Brr: no such parameter, did you mean magnet.Br?",
        ),
        (("run", "outrunner-12s14p", "--set", "magnet.Br"), "expected GROUP.FIELD=VALUE"),
        (("run", "outrunner-12s14p", "--set", "stator.length=3 kg"), "unit kg does not convert to m"),
        (("run", "outrunner-12s14p", "--time", "-1"), "t_end = -1.0 s: expected"),
        (("run", "outrunner-12s14p", "--out", "/nonexistent/r.parquet"), "cannot write here"),
        (("run", "outrunner-12s14p", "--time", "0.001", "--out", "r.xyz"), "expected .parquet, .npz or .csv"),
        (("sweep", "outrunner-12s14p", "magnet.Br"), "expected GROUP.FIELD=a,b,c"),
        (("sweep", "outrunner-12s14p", "magnet.Br=1:2"), "expected GROUP.FIELD=a,b,c"),
        (("sweep", "outrunner-12s14p", "magnet.Br=1", "magnet.Br=2"), "named twice"),
        (("sweep", "outrunner-12s14p", "magnet.Br=1", "--record", "x.final"), "x.final: no such channel"),
        (("report", "outrunner-12s14p", "--run", "/nonexistent.parquet"), "no such file"),
        (("film", "outrunner-12s14p", "--seconds", "0"), "seconds = 0"),
    ],
)
def test_mistakes_are_one_line(args, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLEPAIR_BPY_PYTHON", "/bin/true")
    result = call(*args, code=2)
    assert result.stderr.startswith("polepair: ") and result.stderr.count("\n") == 1 and text in result.stderr
    assert not os.listdir(tmp_path)
