"""The shell and Python blocks of README and docs, and a fresh clone to run them in as they are printed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.M | re.S)
RUN = {"sh", "python"}
SHOWN = {"c", "ini", "json", "text", "toml", "cpp"}  # to read, not to run
LEFT_OUT = {  # lines of shell that a test cannot run where it runs, and why
    "make test": "these tests are what it runs",
    "make build": "the clone uses what is built here",
    ".venv/bin/python -m pytest": "these tests are among them",
    "make house check": "the clone has no linters",
}
LOOPBACK = """
import fcntl, os, socket, struct, sys
s = socket.socket()
fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Block(NamedTuple):
    """One fenced block: its language, its text, the line of the page it begins at."""

    language: str
    text: str
    line: int


def pages(root: Path) -> list[Path]:
    """Every page that prints blocks."""
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=root, capture_output=True, text=True, check=True)
    return [root / n for n in tracked.stdout.split() if "```" in (root / n).read_text(encoding="utf-8")]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order, without the indent of a list."""
    text = page.read_text(encoding="utf-8")
    out = []
    for found in BLOCK.finditer(text):
        indent, language, body = found.groups()
        body = "".join(line.removeprefix(indent) for line in body.splitlines(True))
        out.append(Block(language, body, text.count("\n", 0, found.start()) + 1))
    return out


def runs(page: Path) -> bool:
    """Whether a page has blocks to run."""
    return any(b.language in RUN and runnable(b.text).strip() for b in blocks(page))


def runnable(text: str) -> str:
    """A shell block without the lines left out."""
    return "".join(line for line in text.splitlines(True) if not line.startswith(tuple(LEFT_OUT)))


def clone(root: Path, where: Path) -> Path:
    """A fresh clone as its user sees it: tracked files, the extensions, and a .venv that runs this interpreter."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (root / name).is_file():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, where / name)
    for built in (root / "polepair").glob("*.so"):
        shutil.copy2(built, where / "polepair")
    programs = where / ".venv/bin"
    programs.mkdir(parents=True)
    for name, words in (("python", ""), ("python3", ""), ("polepair", " -m polepair")):
        started = f'PYTHONPATH={where} PYTHONSAFEPATH=1 exec {sys.executable}{words} "$@"'
        (programs / name).write_text(f"#!/bin/sh\n{started}\n")
        (programs / name).chmod(0o755)
    (programs / "activate").write_text(f"PATH={programs}:$PATH\n")
    for stamp in (".packages", ".tools", ".ready"):
        (where / ".venv" / stamp).touch()
    return where


def alone() -> list[str]:
    """What a command is started by to have its machine's ports for itself; nothing where that needs rights."""
    wall = ["unshare", "--net", sys.executable, "-c", LOOPBACK]
    return (
        wall if shutil.which("unshare") and not subprocess.run([*wall, "true"], capture_output=True).returncode else []
    )
