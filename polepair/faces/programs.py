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


def run_module(
    python: str, scratch: Path, packages, command, timeout=None, told=None, **env
) -> subprocess.CompletedProcess:
    """Runs `python -m command...` with only these packages of ours on its path; CadError when it cannot be started.

    told(line) is called with every line of its output as it comes.
    """
    path = scratch / "path"
    for package in packages:
        link = path.joinpath(*package.split("."))
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(folder_of(package), target_is_directory=True)
    env = {**os.environ, "PYTHONPATH": str(path), "PYTHONSAFEPATH": "1", **env}
    words = [python, "-m", *map(str, command)]
    try:
        if told is None:
            return subprocess.run(words, capture_output=True, text=True, timeout=timeout, env=env)
        return _followed(words, scratch / "errors.txt", told, env)
    except OSError as e:
        raise CadError(f"{python}: {e.strerror}") from None


def _followed(words, errors: Path, told, env) -> subprocess.CompletedProcess:
    """The program with its lines told as they come; it ends with its caller."""
    with (
        open(errors, "w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, env=env, text=True, errors="replace") as program,
    ):
        try:
            for line in program.stdout:
                told(line.rstrip("\n"))
        except BaseException:
            program.kill()
            raise
        code = program.wait()
        said.seek(0)
        return subprocess.CompletedProcess(words, code, "", said.read())
