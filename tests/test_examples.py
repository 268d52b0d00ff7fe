"""The examples and the README's Python run as they are printed."""

import os
import re
import subprocess
import sys

import pytest

EXAMPLES = sorted(f for f in os.listdir(os.path.join(os.path.dirname(__file__), "..", "examples")) if f.endswith(".py"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(root, tmp_path, name):
    done = subprocess.run([sys.executable, str(root / "examples" / name)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_readme_python(root, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.S)
    assert blocks
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_readme_names_real_things(root):
    text = (root / "README.md").read_text()
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (root / path).exists(), path
    makefile = (root / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)", text)):
        assert f"\n{target}:" in makefile, target
