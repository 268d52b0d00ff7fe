"""Sweeps as processes that are interrupted or killed: what is kept and said, and that they go on to the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.waiting import until

import polepair as pp
from polepair.cli.main import main
from polepair.run.provenance import channels_digest

MOTOR = "outrunner-12s14p"


def channels(table):
    return channels_digest(table.names, table.block)


def folder_of(path) -> Path:
    return path.with_name(path.name + ".parts")


def command(path, *more, count=6000):
    axes = f"magnet.Br=1:1.4:{count}"
    record = ("--record", "iq.final,i_s.rms", "--save-every", "1", "--threads", "2", "--time", "0.5")
    return [sys.executable, "-m", "polepair", "sweep", MOTOR, axes, *record, "--out", str(path), *more]


def start(path, *more, count=6000):
    return subprocess.Popen(
        command(path, *more, count=count), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def parts_of(path):
    return [p for p in folder_of(path).glob("*.npz") if p.name[0] != "."] if folder_of(path).exists() else []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_an_interrupted_command_keeps_says_and_ends_with_130(tmp_path, sign, suffix):
    path = tmp_path / f"s{suffix}"
    child = start(path, count=1_000_000)
    try:
        until(lambda: parts_of(path) or child.poll() is not None)
        child.send_signal(sign)
        out, err = child.communicate()
    finally:
        child.kill()
    table = pp.load_table(path)
    done = int((~table.unfinished).sum())
    assert child.returncode == 130 and 0 < done < 1_000_000 and table.about["complete"] is False
    assert err == f"polepair: interrupted: {done:,} of 1,000,000; continue with --resume\n"
    assert f"{1_000_000 - done} not run" in out and not folder_of(path).exists()


def killed(path, when, count, whole) -> float:
    """Kills a sweep with SIGKILL after `when` seconds and goes on with it; how old what was saved last was then."""
    child = start(path, count=count)
    began = time.time()
    while time.time() - began < when and child.poll() is None:
        time.sleep(0.01)
    child.kill()
    child.communicate()
    at, ended = time.time(), path.exists()
    newest = max((p.stat().st_mtime for p in parts_of(path)), default=None)
    kept = sum(len(pp.Result.load(p)) for p in parts_of(path))
    lost = 0.0 if ended or kept == count or newest is None else at - newest
    done = subprocess.run(command(path, "--resume", count=count), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert channels(pp.load_table(path)) == whole and not folder_of(path).exists()
    return lost


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_command_goes_on_to_the_same_bits(tmp_path, kills):
    count = 1000 if kills == 3 else 8000
    began = time.time()
    subprocess.run(command(tmp_path / "whole.npz", count=count), check=True, capture_output=True)
    lasted = time.time() - began
    whole = channels(pp.load_table(tmp_path / "whole.npz"))
    at = random.Random(kills)
    lost = [killed(tmp_path / f"s{k}.npz", at.uniform(0.2, lasted), count, whole) for k in range(kills)]
    print(f"{kills} kills of a sweep of {lasted:.1f} s: at most {max(lost):.2f} s lost")


def test_the_command_refuses_a_csv_to_go_on_with(tmp_path):
    done = CliRunner().invoke(main, command(tmp_path / "s.csv", "--resume")[3:])
    assert done.exit_code == 2 and "s.csv: unknown kind of file, expected .parquet or .npz" in done.stderr
    assert not os.listdir(tmp_path)
