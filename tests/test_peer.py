"""The benchmark peer: another machine of the same case, and the rows it writes."""

import json
import subprocess
import sys

import numpy as np
import pytest


def peer(root, *args):
    done = subprocess.run(
        [sys.executable, str(root / "benchmarks/peer_polepair.py"), *map(str, args)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("case, shape", [("foc", (2001, 3)), ("bldc", (1001, 3))])
def test_another_machine(root, tmp_path, case, shape):
    given = {
        "foc": {"Rs": 1.0, "Ld": 0.012, "Lq": 0.01, "np": 4, "B": 1e-3, "t_end": 0.2},
        "bldc": {"Rp": 0.2, "TL": 0.05, "t_end": 0.02},
    }
    (tmp_path / "p.json").write_text(json.dumps(given))
    for step in (1e-5, 5e-6):
        rows = peer(root, case, "--params", tmp_path / "p.json", "--step", step, "--out", tmp_path / f"{step}.npy")
        assert rows[0]["case"] == case and "err_current" not in rows[0] and rows[0]["step_us"] == step * 1e6
    a, b = np.load(tmp_path / "1e-05.npy"), np.load(tmp_path / "5e-06.npy")
    assert a.shape == shape and 0 < np.abs(a - b).max() / np.abs(b).max() < 1e-6


def test_sweep_case(root, tmp_path):
    (tmp_path / "p.json").write_text(
        json.dumps({"sweep": {"n": 24, "t_end": 0.02, "vary": ["Rs", "J"], "lo": [0.7, 0.5], "hi": [1.3, 2.0]}})
    )
    rows = peer(root, "sweep", "--params", tmp_path / "p.json", "--step", 5e-5, "--out", tmp_path / "s.npy")
    assert rows[0]["variants_per_s_ideal"] > 0 and np.load(tmp_path / "s.npy").shape == (24, 4)
