"""Same bits everywhere: one hash over compilers, optimisation levels and machine flags, held in tests/golden."""

import ast
import glob
import shutil
import subprocess
from pathlib import Path

import pytest


def same_bits():
    """The flags that setup.py gives every file for the sake of the bits."""
    lines = (Path(__file__).parent.parent / "setup.py").read_text().splitlines()
    return ast.literal_eval(next(x for x in lines if x.startswith("SAME_BITS")).split("=", 1)[1].strip())


BUILDS = [
    ("gcc", "-O0"),
    ("gcc", "-O2"),
    ("gcc", "-O3"),
    ("gcc", "-O3 -mavx2 -mfma"),
    ("gcc", "-Os"),
    ("clang", "-O0"),
    ("clang", "-O2"),
    ("clang", "-O3 -mavx2 -mfma"),
]


@pytest.mark.parametrize("compiler, flags", BUILDS)
def test_hash(root, tmp_path, compiler, flags):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    binary = tmp_path / "golden"
    sources = [str(root / "tests/c/golden.c"), *glob.glob(str(root / "csrc/core/*.c"))]
    fixed = ["-std=c11", *same_bits(), "-fno-math-errno", f"-I{root}/csrc/include"]
    subprocess.run([compiler, *fixed, *flags.split(), *sources, "-o", str(binary), "-lm"], check=True)
    got = subprocess.run([str(binary)], capture_output=True, text=True, check=True).stdout.strip()
    assert got == (root / "tests/golden/hash.txt").read_text().strip()


def test_contraction_would_be_noticed(root, tmp_path):
    """The hash has teeth: letting the compiler fuse multiply and add changes it."""
    binary = tmp_path / "golden"
    sources = [str(root / "tests/c/golden.c"), *glob.glob(str(root / "csrc/core/*.c"))]
    probe = subprocess.run(["grep", "-qw", "fma", "/proc/cpuinfo"])
    if probe.returncode:
        pytest.skip("no FMA on this machine")
    flags = ["-std=c11", "-O2", "-mfma", "-ffp-contract=fast", "-fno-math-errno", f"-I{root}/csrc/include"]
    subprocess.run(["gcc", *flags, *sources, "-o", str(binary), "-lm"], check=True)
    got = subprocess.run([str(binary)], capture_output=True, text=True, check=True).stdout.strip()
    assert got != (root / "tests/golden/hash.txt").read_text().strip()
