"""The table of parameters: what is generated is up to date, and a new row appears everywhere by itself."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import polepair as pp
from polepair import _core
from polepair.design import generate
from polepair.table import parameters


def test_generated_files_are_up_to_date(root):
    for name, text in generate.files().items():
        assert (root / name).read_text() == text, f"{name}: run make table"


def test_defaults_are_valid_and_documented():
    for row in parameters().values():
        assert len(row.doc) > 5 and row.doc[0].isalpha()
        assert row.min <= (0 if row.choices else row.default) <= row.max
        pp.Motor().set(row.name, row.default)
    pp.Motor().derive()


def test_units_are_units():
    from polepair.units import to_si

    for row in parameters().values():
        if row.unit not in ("", "1"):
            assert to_si(f"2 {row.unit}", row.unit) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "text, unit, value",
    [
        ("7.62 mm", "m", 0.00762),
        ("1e-3 m", "m", 1e-3),
        (".5 mH", "H", 5e-4),
        ("236 rpm/V", "rad/s/V", 24.7138621885),
        ("3.8 V/krpm", "V*s", 0.03628732702),
        ("181 g*cm^2", "kg*m^2", 1.81e-5),
        ("25 degC", "degC", 25.0),
        ("77 degF", "degC", 25.0),
        ("85 %", "1", 0.85),
        ("0.5", "m", 0.5),
        ("12 mN·m/A", "N*m/A", 0.012),
    ],
)
def test_units_people_write(text, unit, value):
    from polepair.units import to_si

    assert to_si(text, unit) == pytest.approx(value, rel=1e-9)


def test_attributes_carry_their_row():
    for row in parameters().values():
        doc = getattr(type(getattr(pp.Motor(), row.group)), row.field).__doc__
        assert doc.startswith(row.doc) and (row.unit in doc or row.choices)
    for field in pp.derived().values():
        assert getattr(_core.Derived, field.name).__doc__ == f"{field.doc} [{field.unit}]"


def test_attribute_checks():
    m = pp.Motor()
    for value, text in (
        (3.1, r"magnet.Br = 3.1 T: expected 0.05 to 1.6 T"),
        (float("nan"), "magnet.Br = nan T"),
        ("x", "magnet.Br = 'x': expected a number"),
        (None, "magnet.Br = None: expected a number"),
    ):
        with pytest.raises(ValueError, match=text):
            m.magnet.Br = value
    assert m.magnet.Br == 1.2
    with pytest.raises(AttributeError):
        m.magnet.Brr = 1
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del m.magnet.Br
    with pytest.raises(ValueError, match="no such parameter"):
        m.get("magnet.nothing")
    m.rotor.topology = "inner"
    assert m.rotor.topology == "inner"
    m.rotor.topology = 1
    assert m.rotor.topology == "outer"


def test_copy_and_equality():
    a = pp.load("outrunner-12s14p")
    b = a.copy()
    assert a == b and a is not b
    b.magnet.Br = 1.0
    assert a != b and a.magnet.Br != 1.0


NEW_ROW = 'PP_PARAM(magnet, scratch, "x_s", REAL, "m", 0.25, 0.1, 0.9, "a scratch parameter of the test")\n'


def test_a_new_row_appears_everywhere(root, tmp_path):
    """Adds a row to a scratch copy, builds it, finds it in C, Python, stub, TOML, schema, reference and FreeCAD."""
    for name in (
        "csrc",
        "polepair",
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "freecad_wb",
        "blender_addon",
    ):
        source = root / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    for built in (tmp_path / "polepair").glob("*.so"):
        built.unlink()
    table = tmp_path / "csrc/include/polepair/params.def"
    text = table.read_text()
    table.write_text(text.replace("PP_PARAM(magnet, Br,", NEW_ROW + "PP_PARAM(magnet, Br,"))
    env = {**os.environ, "POLEPAIR_CFLAGS": "-O0", "PYTHONPATH": str(tmp_path)}
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
    )
    code = """
import json, sys
import polepair as pp
from polepair.design import generate
from polepair.table import parameters
m = pp.loads("schema = 1\\n[magnet]\\nscratch = '300 mm'\\n")
assert m.magnet.scratch == 0.3 and m.magnet.Br == 1.2, m.magnet.scratch
try:
    m.magnet.scratch = 2.0
except ValueError as e:
    error = str(e)
generate.main(__import__("pathlib").Path(sys.argv[1]))
print(json.dumps([type(m.magnet).scratch.__doc__, error, parameters()["magnet.scratch"].unit]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=tmp_path, env=env, check=True, capture_output=True, text=True
    )
    doc, error, unit = json.loads(done.stdout)
    assert doc == "a scratch parameter of the test [m], 0.1 to 0.9, default 0.25"
    assert error == "magnet.scratch = 2.0 m: expected 0.1 to 0.9 m" and unit == "m"
    assert "def scratch(self) -> float:" in (tmp_path / "polepair/_core.pyi").read_text()
    assert "| `scratch` | `x_s` | m | 0.25 | 0.1 to 0.9 m |" in (tmp_path / "docs/parameters.md").read_text()
    schema = json.loads((tmp_path / "polepair/motor.schema.json").read_text())
    assert schema["properties"]["magnet"]["properties"]["scratch"]["default"] == 0.25
    workbench(tmp_path)


def workbench(folder):
    """The new row as a FreeCAD property, where FreeCAD is installed."""
    code = """
import sys
sys.path[:0] = ["@/freecad_wb", "@"]
from freecad.polepair_wb import compat
FreeCAD = compat.import_freecad()
from freecad.polepair_wb.motor_feature import make_motor, read_motor
obj = make_motor(FreeCAD.newDocument("t"))
obj.magnet_scratch = "400 mm"
assert abs(read_motor(obj).magnet.scratch - 0.4) < 1e-12 and obj.getGroupOfProperty("magnet_scratch") == "magnet"
print("seen")
"""
    if not os.path.isdir("/usr/lib/freecad-python3"):
        return
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code.replace("@", str(folder))],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.stdout.strip().endswith("seen"), done.stderr
