"""The core's unit tests in C: the core's sources alone, as they are and with every check that a compiler can add."""

import glob
import shutil
import subprocess

import pytest

FLAGS = ["-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-fno-math-errno"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
BUILDS = {
    "plain": ["-O1"],
    "float": ["-O1", "-DPP_FLOAT"],
    "asserts": ["-O1", "-DPP_ASSERTS", *SANITIZED],
}


def build(root, folder, flags):
    """The binary of these flags."""
    binary = folder / "unit"
    sources = [*sorted(glob.glob(str(root / "tests/c/unit*.c"))), *sorted(glob.glob(str(root / "csrc/core/*/*.c")))]
    subprocess.run(["gcc", *FLAGS, *flags, f"-I{root}/csrc/include", *sources, "-o", str(binary), "-lm"], check=True)
    return binary


def passes(command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and ", 0 failed" in done.stdout, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("name", BUILDS)
def test_unit(root, tmp_path, name):
    passes([build(root, tmp_path, BUILDS[name])])


@pytest.mark.slow
def test_unit_under_valgrind(root, tmp_path):
    if not shutil.which("valgrind"):
        pytest.skip("no valgrind")
    passes(["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", build(root, tmp_path, ["-O1"])])


def test_the_tested_code_needs_no_heap_and_no_files(root, tmp_path):
    """Everything that the unit tests call is the core, so they run where there is nothing else."""
    binary = build(root, tmp_path, ["-O1"])
    listed = subprocess.run(["nm", "-u", str(binary)], capture_output=True, text=True, check=True).stdout
    assert not {"malloc", "calloc", "fopen", "free", "abort"} & {w.split("@")[0] for w in listed.split()}
