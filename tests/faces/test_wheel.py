"""The wheel in an environment of its own: what it holds, and that it runs where nothing of the clone is."""

import os
import subprocess
import sys
import zipfile

import pytest

LINES = """
polepair list
polepair run outrunner-12s14p --time 0.1 --out run.parquet
polepair sweep outrunner-12s14p magnet.Br=1.0:1.4:3 --time 0.05 --out sweep.parquet
polepair report outrunner-12s14p --run run.parquet --out report.html
polepair live --time 1
"""
PYTHON = """
import polepair as pp
import polepair._mqtt
assert pp.__file__.startswith({folder!r}), pp.__file__
pp.sweep(pp.Twin(pp.load("spmloss-18s16p")), pp.plans.sobol({{"magnet.Br": (1.0, 1.4)}}, 4), t_end=0.02)
"""


@pytest.fixture(scope="module")
def wheel(root):
    subprocess.run([str(root / "packaging/wheel.sh")], check=True, capture_output=True)
    return next((root / "build/wheel").glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_carries_what_it_needs(wheel):
    assert "-cp311-abi3-manylinux_2_" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    for part in ("polepair.libs/libssl", "polepair.libs/libcrypto", "polepair/_mqtt", "polepair/motor.schema.json"):
        assert any(n.startswith(part) for n in names), part
    for licence in ("LICENSE", "paho.mqtt.c.txt", "openssl.txt", "blender_addon/LICENSE"):
        assert any(".dist-info/licenses/" in n and n.endswith(licence) for n in names), licence


@pytest.mark.slow
def test_the_wheel_runs_alone(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True)
    subprocess.run([tmp_path / "v/bin/pip", "install", "-q", f"{wheel}[all]"], check=True)
    env = {"PATH": f"{tmp_path}/v/bin:{os.environ['PATH']}", "HOME": str(tmp_path)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", LINES], cwd=tmp_path, env=env, check=True)
    code = PYTHON.format(folder=str(tmp_path / "v"))
    subprocess.run([tmp_path / "v/bin/python", "-c", code], cwd=tmp_path, env=env, check=True)


@pytest.mark.slow
def test_releases_have_equal_bytes(root):
    """packaging/wheel.sh builds twice, in other folders, and compares."""
    subprocess.run([str(root / "packaging/wheel.sh"), "release"], check=True, capture_output=True)
    subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=root / "build/release", check=True, capture_output=True)
