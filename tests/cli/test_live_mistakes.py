"""What a hand may slip to in polepair live, record, replay, device and estimate: one line each, exit code 2."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import polepair as pp
from polepair.cli.main import main

MOTOR = "outrunner-12s14p"


def refused(*args):
    """The one line of a command that is refused."""
    done = CliRunner().invoke(main, [str(a) for a in args])
    assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit), done.output
    assert done.stderr.startswith("polepair: ") and done.stderr.count("\n") == 1 and not done.stdout, done.output
    return done.stderr


@pytest.mark.parametrize("value", ["-1", "nan", "-inf"])
@pytest.mark.parametrize(
    "command",
    [
        "live --time",
        "live --pace",
        "live --replay x.csv --pace",
        "device --mqtt mqtt://h/m --time",
        "replay x.ppdb --mqtt mqtt://h/m --pace",
        "record mqtt://h/m -o x.ppdb --time",
        f"estimate x.npz --motor {MOTOR} --noise",
    ],
)
def test_a_time_or_pace_below_0(command, value):
    assert f"{command.split()[-1]} {value}: expected 0 or more" in refused(*command.split(), value)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (f"{MOTOR} --channels ia", "--channels: no use with a simulated motor, expected with --mqtt or --serial"),
        ("--topic x", "--topic: no use with a simulated motor, expected with --mqtt"),
        ("--publish", "--publish: no use with a simulated motor"),
        ("--ca x.pem", "--ca: no use with a simulated motor"),
        ("--serial /dev/null --format json", "--format: no use with --serial"),
        ("--replay x.npz --channels ia", "--channels: no use with --replay"),
        ("--mqtt mqtt://h/m --pace 2", "--pace: no use with --mqtt, expected with --replay or a simulated motor"),
        ("--mqtt mqtt://h/m --format json", "--format json: expected with --channels"),
        ("--mqtt mqtt://h/m --channels ia,ia", "--channels: expected different names"),
        ("--mqtt mqtt://h/m --channels ia,,ib", "--channels: '': expected printable text"),
        ("--mqtt mqtt://h/m --channels time,ia", "--channels: time: expected a name other than"),
        ("--mqtt mqtt://h/m --replay x.npz", "--mqtt and --replay, expected one of"),
        ("--mqtt mqtt://localhost", "address: no asset, expected mqtt://host/asset"),
        ("--mqtt mqtts://localhost:8883/", "address: no asset"),
        ("--mqtt=", "expected mqtt://host/asset"),
    ],
)
def test_options_that_would_be_passed_over(given, text):
    assert text in refused("live", *given.split())


def test_a_run_of_a_twin_is_shown_and_is_no_record(tmp_path):
    pp.Twin(pp.load(MOTOR)).run(0.02).save(tmp_path / "good.npz")
    shown = CliRunner().invoke(main, ["live", "--replay", str(tmp_path / "good.npz"), "--pace", "0"])
    assert shown.exit_code == 0 and "omega_m" in shown.stdout and not shown.stderr
    text = refused("estimate", tmp_path / "good.npz", "--motor", MOTOR)
    assert "good.npz: no column u_alpha, expected time u_alpha" in text and "got time, id, iq" in text
    assert "it is a run of a twin, which polepair live --replay shows" in text


def test_a_file_that_asks_for_pickle(tmp_path):
    np.savez(tmp_path / "bin.npz", time=np.array([{}], dtype=object))
    for command in (("live", "--replay"), ("estimate", "--motor", MOTOR)):
        text = refused(*command, tmp_path / "bin.npz")
        assert "bin.npz: time.npy: object: expected numbers or text" in text and "pickle" not in text


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    """Ports of a plain broker and of one that speaks TLS."""
    pytest.importorskip("polepair._mqtt")
    if not shutil.which("mosquitto"):
        pytest.skip("no mosquitto")
    from support.brokers import Broker, shipped

    plain = Broker(tmp_path_factory.mktemp("plain"))
    tls, _ = shipped(tmp_path_factory.mktemp("tls"), ["m1"])
    yield plain.port, tls.port
    plain.close()
    tls.close()


def test_tls_on_a_plain_port_and_the_other_way_round(brokers):
    plain, tls = brokers
    text = refused("live", "--mqtt", f"mqtts://localhost:{plain}/m1")
    assert "no TLS handshake: is this a plain port?" in text and "or mqtt://" in text
    text = refused("live", "--mqtt", f"mqtt://localhost:{tls}/m1")
    assert "the port speaks TLS, expected mqtts://" in text


def test_no_birth_is_told_in_the_words_of_the_command(brokers, tmp_path):
    url = f"mqtt://localhost:{brokers[0]}/nobody"
    for command in (("live", "--mqtt", url), ("record", url, "-o", tmp_path / "x.ppdb")):
        text = refused(*command)
        assert "no birth of this device, expected one, topics that the ACL allows, or --channels and --format" in text
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize("kb", [300, 100, 8])
def test_a_disk_without_room_is_left_as_it_was(brokers, tmp_path, kb):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kb}k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no tmpfs")
    try:
        given = [f"mqtt://localhost:{brokers[0]}/m1", "-o", str(disk / "x.ppdb"), "--channels", "ia", "--time", "1"]
        done = subprocess.run([sys.executable, "-m", "polepair", "record", *given], capture_output=True, text=True)
        assert done.returncode in (1, 2) and "No space left on device" in done.stderr and done.stderr.count("\n") == 1
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
