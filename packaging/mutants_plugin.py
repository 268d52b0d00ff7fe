"""A pytest plugin for one mutant: it refuses stale libraries, and runs the tests fastest first."""

import hashlib
import importlib
import json
import os
from pathlib import Path

import pytest

LIMIT = float(os.environ.get("MUTANT_SLOWEST", "2"))  # seconds: tests beyond are left out


def _times() -> dict:
    path = os.environ.get("MUTANT_TIMES", "")
    return json.loads(Path(path).read_text()) if path and Path(path).exists() else {}


def pytest_configure(config):
    """The libraries that this process has mapped have to be the mutant's."""
    tree = Path(os.environ["MUTANT_TREE"]).resolve()
    for said in os.environ["MUTANT_HASH"].split():
        name, _, wanted = said.partition("=")
        mapped = Path(importlib.import_module(f"polepair.{name.partition('.')[0]}").__file__).resolve()
        maps = Path("/proc/self/maps").read_text().splitlines()
        names = {line.split(maxsplit=5)[-1].strip() for line in maps if name in line}
        if hashlib.sha256(mapped.read_bytes()).hexdigest() != wanted or names != {str(mapped)}:
            pytest.exit(f"stale library {mapped}", returncode=97)
        if tree not in mapped.parents:
            pytest.exit(f"library of another tree {mapped}", returncode=97)


def pytest_collection_modifyitems(config, items):
    """Fastest first; what failed or took long on the unchanged tree is left out."""
    times = _times()
    kept = [i for i in items if 0 <= times.get(i.nodeid, 0) <= LIMIT]
    config.hook.pytest_deselected(items=[i for i in items if i not in kept])
    items[:] = sorted(kept, key=lambda i: times.get(i.nodeid, 0))


class Clock:
    """Keeps how long each test took, -1 where it failed."""

    def __init__(self, path: str):
        self.path, self.times = Path(path), {}

    def pytest_runtest_logreport(self, report):
        """Adds a phase."""
        so_far = self.times.get(report.nodeid, 0.0)
        self.times[report.nodeid] = -1.0 if report.failed or so_far < 0 else so_far + report.duration

    def pytest_sessionfinish(self):
        """Writes the times."""
        self.path.write_text(json.dumps(self.times))


if os.environ.get("MUTANT_CLOCK"):
    clock = Clock(os.environ["MUTANT_CLOCK"])
    pytest_runtest_logreport = clock.pytest_runtest_logreport
    pytest_sessionfinish = lambda session: clock.pytest_sessionfinish()  # noqa: E731
