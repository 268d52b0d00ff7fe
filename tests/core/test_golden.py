"""Same bits everywhere: one hash over compilers, optimisation levels and machine flags, held in tests/golden."""

import ast
import glob
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest


def same_bits():
    """The flags that setup.py gives every file for the sake of the bits."""
    lines = (Path(__file__).parents[2] / "setup.py").read_text().splitlines()
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


def golden(root, folder, compiler, flags):
    """What golden.c prints when it is built like this: the hash, and the ends of its runs."""
    binary = folder / "golden"
    sources = [str(root / "tests/c/golden.c"), *glob.glob(str(root / "csrc/core/*/*.c"))]
    fixed = ["-std=c11", "-fno-math-errno", f"-I{root}/csrc/include"]
    subprocess.run([compiler, *fixed, *flags, *sources, "-o", str(binary), "-lm"], check=True)
    done = subprocess.run([str(binary)], capture_output=True, text=True, check=True)
    return done.stdout.strip(), np.array(done.stderr.split(), dtype=float)


@pytest.mark.parametrize("precision", ["double", "float"])
@pytest.mark.parametrize("compiler, flags", BUILDS)
def test_hash(root, tmp_path, compiler, flags, precision):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    flags = [*same_bits(), *flags.split(), *(["-DPP_FLOAT"] if precision == "float" else [])]
    assert golden(root, tmp_path, compiler, flags)[0] == (root / f"tests/golden/{precision}.txt").read_text().strip()


def test_float_core_is_true(root, tmp_path):
    """The core in float, as a microcontroller builds it: no double creeps in, and runs end where double ones do."""
    strict = ["-O2", *same_bits(), "-DPP_FLOAT", "-Werror=double-promotion", "-Werror=incompatible-pointer-types"]
    single, double = golden(root, tmp_path, "gcc", strict)[1], golden(root, tmp_path, "gcc", ["-O2", *same_bits()])[1]
    assert single == pytest.approx(double, rel=1e-3) and (single != double).any()


def test_contraction_would_be_noticed(root, tmp_path):
    """The hash has teeth: letting the compiler fuse multiply and add changes it."""
    if subprocess.run(["grep", "-qw", "fma", "/proc/cpuinfo"]).returncode:
        pytest.skip("no FMA on this machine")
    got = golden(root, tmp_path, "gcc", ["-O2", "-mfma", "-ffp-contract=fast"])[0]
    assert got != (root / "tests/golden/double.txt").read_text().strip()
