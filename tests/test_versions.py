"""One version for the product, and numbers of their own for what others store and send."""

import re
import tomllib

import pytest

import polepair as pp


@pytest.fixture(scope="module")
def version(root):
    return re.search(r'PP_VERSION "(.+)"', (root / "csrc/include/polepair/base.h").read_text())[1]


def test_every_file_says_the_same_version(root, version):
    said = {
        "CITATION.cff": re.search(r"^version: (.+)$", (root / "CITATION.cff").read_text(), re.M)[1],
        "package.xml": re.search(r"<version>(.+)</version>", (root / "freecad_wb/package.xml").read_text())[1],
        "manifest": tomllib.loads((root / "blender_addon/blender_manifest.toml").read_text())["version"],
        "CHANGELOG.md": re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.M)[1],
        "polepair": pp.__version__,
    }
    assert said == dict.fromkeys(said, version)
    assert "version" in tomllib.loads((root / "pyproject.toml").read_text())["project"]["dynamic"]


def test_numbers_of_formats_are_those_of_the_table(root):
    table = (root / "docs/architecture.md").read_text().split("## Versions")[1].split("\n## ")[0]
    told = {where: int(number) for number, where in re.findall(r"^\|[^|]+\| (\d+) \| (.+) \|$", table, re.M)}
    assert len(told) == 8
    for where, number in told.items():
        name, file = re.fullmatch(r"`(\w+)`(?: of `(\w+\.py)`)?", where).groups()
        files = [*(root / "polepair").rglob(file or "*.py"), *(root / "csrc/include").rglob("*.h")]
        pattern = re.compile(rf"^\s*(?:#define {name} |(?:enum {{ )?{name} = )(\d+)", re.M)
        found = {int(n) for f in files if file is None or f.name == file for n in pattern.findall(f.read_text())}
        assert found == {number}, where
