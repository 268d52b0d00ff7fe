"""What a wheel holds: every room, the data files, and the faces as packages that start where they are installed."""

import os
import subprocess
import sys

import pytest

import polepair as pp


@pytest.fixture(scope="module")
def installed(root, tmp_path_factory):
    """The Python half as a wheel would install it; the extensions come from where this polepair is."""
    folder = tmp_path_factory.mktemp("installed")
    built = folder / "site"
    command = ["setup.py", "-q", "egg_info", "--egg-base", str(folder), "build_py", "--build-lib", str(built)]
    subprocess.run([sys.executable, *command], cwd=root, check=True, capture_output=True)
    home = os.path.dirname(pp.__file__)
    for extension in (n for n in os.listdir(home) if n.endswith(".so")):
        (built / "polepair" / extension).symlink_to(os.path.join(home, extension))
    return built


def from_there(installed, code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_is_shipped(root, installed):
    tracked = subprocess.run(
        ["git", "ls-files", "polepair", "freecad_wb/freecad", "blender_addon"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in (n for n in tracked if (root / n).exists()):
        shipped = name.removeprefix("freecad_wb/").replace("blender_addon", "polepair_blender")
        assert (installed / shipped).read_bytes() == (root / name).read_bytes(), f"{name} is not in the wheel"


def test_faces_are_found_where_they_are_installed(installed):
    code = """
from polepair.faces.programs import folder_of
print(folder_of("freecad.polepair_wb"), folder_of("polepair_blender"), folder_of("polepair"))
"""
    here = installed.resolve()
    assert from_there(installed, code).split() == [
        str(here / "freecad" / "polepair_wb"),
        str(here / "polepair_blender"),
        str(here / "polepair"),
    ]


@pytest.mark.skipif(not os.path.isdir("/usr/lib/freecad-python3"), reason="FreeCAD is not installed")
def test_cad_without_a_checkout(installed):
    code = """
import polepair as pp
from polepair.faces.cad import build_cad
print(build_cad(pp.load("outrunner-12s14p"))["valid"])
"""
    assert from_there(installed, code).strip() == "True"


def test_program_sees_only_the_packages_named(tmp_path):
    """Not what is on this interpreter's path, nor the current folder."""
    from polepair.faces.programs import run_module

    done = run_module(sys.executable, tmp_path, ["polepair"], ["site"])
    assert f"'{tmp_path}/path'" in done.stdout and repr(os.getcwd()) not in done.stdout, done.stdout
    assert sorted(os.listdir(tmp_path / "path")) == ["polepair"]


def test_missing_package_is_one_line(tmp_path):
    from polepair.faces.programs import run_module

    with pytest.raises(pp.CadError, match=r"polepair\.nothing: no such package here, expected polepair as pip"):
        run_module(sys.executable, tmp_path, ["polepair.nothing"], ["site"])
