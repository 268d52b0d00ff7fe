"""The fuzzers of what Python reads from strangers, a short run each; and that they find what is planted."""

import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = "2"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "packaging"))
import fuzz_python  # noqa: E402
import fuzz_surfaces as fuzz  # noqa: E402


@pytest.mark.parametrize("surface", fuzz.SURFACES)
def test_no_finding(root, surface):
    """In a process of its own, which a C library may end."""
    command = [sys.executable, "packaging/fuzz_python.py", surface, SECONDS]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("s, 0 findings\n"), done.stdout + done.stderr
    assert int(done.stdout.split()[2]) > 100


class Planted(fuzz.Surface):
    """Has one defect."""

    words = ("a", "boom", "=")

    def __init__(self, defect):
        self.defect = defect

    def judge(self, data):
        if b"boom" in data:
            self.defect()
        if len(data) % 2:
            raise ValueError("odd")
        return "even"


def wrong_kind():
    raise KeyError("boom")


def subclass():
    "\udc80".encode()


def slow():
    end = fuzz.time.thread_time() + 1.2 * fuzz.SLOW
    while fuzz.time.thread_time() < end:
        pass


def warned():
    fuzz.warnings.warn("boom", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize("defect", [wrong_kind, subclass, warned, slow])
def test_a_planted_defect_is_found_and_shrunk(defect, tmp_path, monkeypatch, capsys):
    if defect is slow:
        monkeypatch.setattr(fuzz, "SLOW", 0.02)
    hunt = fuzz_python.Hunt(Planted(defect), [b"a seed of some length", b"another"], tmp_path, seed=1)
    assert not hunt.run(60)
    kept = [p for p in tmp_path.iterdir() if p.name.startswith("finding-")]
    assert [p.read_bytes() for p in kept] == [b"boom"]
    assert "boom" in capsys.readouterr().out


def test_a_secret_in_a_message_is_a_finding():
    surface = Planted(lambda: None)
    surface.secret = True

    def repeats(data):
        raise ValueError(f"wrong: {data.decode()}")

    surface.judge = repeats
    assert surface.tried(b"harmless")
    with pytest.raises(fuzz.FindingError, match="a secret"):
        surface.tried(fuzz.SECRET.encode())


def test_damage_read_as_other_data_is_a_finding(tmp_path):
    import numpy as np

    import polepair as pp

    surface = fuzz.Result()
    pp.Result(("time",), np.ones((2, 1))).save(tmp_path / "other.npz")
    with pytest.raises(fuzz.FindingError, match="read as other data"):
        surface.tried((tmp_path / "other.npz").read_bytes())
    surface.close()
