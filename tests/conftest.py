"""Shared fixtures."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import hypothesis
import pytest

import polepair as pp

ROOT = Path(__file__).resolve().parent.parent
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background job: what tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
hypothesis.settings.register_profile("unhurried", deadline=None)  # a busy machine is no defect
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def outrunner() -> pp.Motor:
    return pp.load("outrunner-12s14p")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of peers and recordings beside a checkout; tests that need it skip without it."""
    folder = Path(os.environ.get("POLEPAIR_SHARED", ROOT.parent / "shared"))
    if not (folder / "bench").is_dir():
        pytest.skip("no shared folder beside the checkout")
    return folder


@contextlib.contextmanager
def in_memory(mount, size):
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)], capture_output=True)
    if made.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield mount
    subprocess.run(["umount", "-l", str(mount)])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    with in_memory(tmp_path / "small", "2m") as mount:
        yield mount


@pytest.fixture
def memory_disk(tmp_path):
    """A file system that no disk holds up."""
    with in_memory(tmp_path / "memory", "4g") as mount:
        yield mount
