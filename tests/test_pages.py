"""Every shell and Python block of README and docs runs as it is printed, in a fresh clone and an empty home."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.brokers import let_in
from support.pages import LEFT_OUT, RUN, SHOWN, alone, blocks, clone, pages, runnable, runs

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(f.name for f in (ROOT / "examples").glob("*.py"))
LIMIT = 240  # s a page


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(root, tmp_path, name):
    done = subprocess.run([sys.executable, str(root / "examples" / name)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr


def as_one_script(page) -> str:
    """The blocks of a page in their order; what a page starts in the background ends with it."""
    script = [
        "set -euo pipefail",
        "" if page.name == "README.md" else ". .venv/bin/activate",
        "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT",
    ]
    for block in blocks(page):
        script.append(f"echo '== {page.name}:{block.line}'")
        if block.language == "sh":
            script.append(runnable(block.text))
        elif block.language == "python":
            script.append(f"python3 - <<'END_OF_BLOCK'\n{block.text}END_OF_BLOCK")
    return "\n".join(script)


@pytest.fixture
def place():
    """A folder that a broker's own user may enter: pytest's own are closed by every session that begins."""
    with tempfile.TemporaryDirectory(prefix="polepair-page-") as folder:
        let_in(Path(folder))
        yield Path(folder)


@pytest.mark.parametrize("name", [str(p.relative_to(ROOT)) for p in pages(ROOT) if runs(p)])
def test_a_page_runs_as_printed(place, name):
    page, where = ROOT / name, clone(ROOT, place)
    home = where / ".home"
    home.mkdir()
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb"}
    env |= {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")}
    command = [*alone(), "bash", "-c", as_one_script(page)]
    started = subprocess.Popen(
        command, cwd=where, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = started.communicate(timeout=LIMIT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    assert started.returncode == 0, f"{page}:\n{said[-3000:]}"


def test_every_block_says_what_it_is(root):
    for page in pages(root):
        for block in blocks(page):
            assert block.language in {*RUN, *SHOWN}, f"{page}:{block.line}: {block.language or 'no language'}"


def test_no_line_is_left_out_for_nothing(root):
    printed = "".join(b.text for p in pages(root) for b in blocks(p) if b.language == "sh")
    for start in LEFT_OUT:
        assert re.search(rf"^{re.escape(start)}", printed, re.M), start


def test_readme_names_real_things(root):
    text = (root / "README.md").read_text()
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (root / path).exists(), path
    makefile = (root / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)", text)):
        assert f"\n{target}:" in makefile, target
