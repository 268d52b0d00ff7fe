"""Programs in interpreters of their own, which see the packages named here and nothing else of this interpreter's.

Their Python may be another than ours, and so may be its NumPy: the packages are linked into a scratch folder, and that
is their path.
"""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

from ..errors import CadError


def folder_of(package: str) -> Path:
    """Where a package is installed; CadError when it is not."""
    try:
        spec = find_spec(package)
    except ImportError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise CadError(f"{package}: no such package here, expected polepair as pip or make build installs it")
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def run_module(python: str, scratch: Path, packages, command, timeout=None, **env) -> subprocess.CompletedProcess:
    """Runs `python -m command...` with only these packages of ours on its path; CadError when it cannot be started."""
    path = scratch / "path"
    for package in packages:
        link = path.joinpath(*package.split("."))
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(folder_of(package), target_is_directory=True)
    env = {**os.environ, "PYTHONPATH": str(path), "PYTHONSAFEPATH": "1", **env}
    try:
        return subprocess.run(
            [python, "-m", *map(str, command)], capture_output=True, text=True, timeout=timeout, env=env
        )
    except OSError as e:
        raise CadError(f"{python}: {e.strerror}") from None
