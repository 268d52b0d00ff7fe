"""The table of parameters: what is generated is up to date, and a new row appears everywhere by itself."""

import json
import os
import re
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
    for number in (1, 1.0, True):
        with pytest.raises(ValueError, match=f"rotor.topology = {number}: expected one of inner|outer"):
            m.rotor.topology = number
    assert m.rotor.topology == "inner"


def test_copy_and_equality():
    a = pp.load("outrunner-12s14p")
    b = a.copy()
    assert a == b and a is not b
    b.magnet.Br = 1.0
    assert a != b and a.magnet.Br != 1.0


NEW_ROW = 'PP_PARAM(magnet, scratch, "x_s", REAL, "m", 0.25, 0.1, 0.9, "a scratch parameter of the test")\n'
TREE = ("csrc", "polepair", "setup.py", "pyproject.toml", "README.md", "LICENSE", "freecad_wb", "blender_addon")
PARTS = {  # what is written before a row of parts.def: the new row goes before the ones of its slot
    "#ifdef PP_PART_HEADERS\n": '#include "polepair/model/pulse.h"\n#include "polepair/model/volts.h"\n',
    "PP_CONTROL(foc,": 'PP_CONTROL(volts, p->control.alpha_c == 1234, "the same voltage all the time")\n',
    "PP_LOAD(step,": 'PP_LOAD(pulse, p->load.t_on == 0.0123, "torque in pulses")\n',
    "PP_CLASH(machine, pmsm,": "PP_CLASH(load, pulse, machine, sixstep, PULSE_SIXSTEP)\n",
}
CLASH = 'PP_STATUS(PULSE_SIXSTEP, "load.t_on", "pulses and six-step exclude each other: expected foc")\n'


def insert(path, before, text):
    """Puts a text before (after, for an #ifdef) the first place that begins so."""
    whole = path.read_text()
    assert before in whole, f"{path}: {before}"
    path.write_text(whole.replace(before, before + text if before.startswith("#") else text + before, 1))


@pytest.fixture(scope="module")
def planted(root, tmp_path_factory):
    """A scratch copy with a new parameter, a new load and a new controller, built."""
    folder = tmp_path_factory.mktemp("planted")
    for name in TREE:
        source = root / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    for built in (folder / "polepair").glob("*.so"):
        built.unlink()
    headers, plants = folder / "csrc/include/polepair", root / "tests/core/planted"
    insert(headers / "params.def", "PP_PARAM(magnet, Br,", NEW_ROW)
    insert(headers / "status.def", "PP_STATUS(ARGUMENT,", CLASH)
    for before, row in PARTS.items():
        insert(headers / "parts.def", before, row)
    for name in ("pulse.h", "volts.h"):
        shutil.copy(plants / name, headers / "model" / name)
    with open(folder / "csrc/core/drive/parts.c", "a") as parts:
        parts.write((plants / "setup.c").read_text())
    env = {**os.environ, "POLEPAIR_CFLAGS": "-O0", "PYTHONPATH": str(folder)}
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    done = subprocess.run(build, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def inside(folder, code):
    """The JSON that a program prints which imports the scratch copy."""
    env = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_new_part_runs_in_scalar_and_lanes(planted):
    """One header, one row and one set-up function make a load and a controller; the loops find them."""
    seen = inside(
        planted,
        """
import json
import numpy as np
import polepair as pp
from polepair import _core
assert _core.__file__.startswith(__import__("sys").argv[1]), _core.__file__
m = pp.load("outrunner-12s14p")
m.set("load.t_on", 0.0123)
m.set("load.torque", 0.02)
m.set("control.alpha_c", 1234)
m.set("load.quadratic", 0.0)
loads = np.linspace(0.0, 0.03, 7)
run = pp.Twin(m).run(0.05, ("time", "torque_load", "ud", "uq", "i_s", "omega_m"))
table = pp.sweep(pp.Twin(m), {"load.torque": loads}, 0.05, record=("i_s.rms", "omega_m.final"), trace=("torque_load",))
singles = []
for load in loads:
    m.set("load.torque", float(load))
    one = pp.Twin(m).run(0.05, ("i_s", "omega_m"))
    singles.append([float(np.sqrt(np.mean(one["i_s"] ** 2))), float(one["omega_m"][-1])])
m.set("drive.kind", "six_step")
try:
    pp.Twin(m).run(0.01)
    clash = "ran"
except ValueError as e:
    clash = str(e)
print(json.dumps({
    "friction": float(run["torque_load"].min()), "top": float(run["torque_load"].max()),
    "on": int((run["torque_load"] > 0.01).sum()), "rows": len(run), "period": m.drive.period, "udc": m.drive.u_dc,
    "u": float(np.hypot(run["ud"], run["uq"])[1:].max()), "moved": float(run["omega_m"][-1]),
    "lanes": [table["i_s.rms"].tolist(), table["omega_m.final"].tolist()], "singles": singles, "clash": clash,
}))
""",
    )
    assert seen["top"] == pytest.approx(0.02, rel=0.2) and seen["friction"] < 0.01
    assert seen["on"] == pytest.approx(0.2 * seen["rows"], abs=0.002 / seen["period"] + 1)
    assert seen["u"] == pytest.approx(0.25 * seen["udc"]) and seen["moved"] > 1
    for lane, (rms, final) in zip(zip(*seen["lanes"], strict=True), seen["singles"], strict=True):
        assert lane[1] == final and lane[0] == pytest.approx(rms, rel=1e-12)
    assert seen["clash"].endswith("pulses and six-step exclude each other: expected foc")
    assert "load.t_on" in seen["clash"] and "\n" not in seen["clash"]


def test_the_page_shows_what_is_planted(root):
    """Each block of C in docs/how-to/add-a-part.md stands in what the test plants."""
    plants = [path.read_text() for path in (root / "tests/core/planted").iterdir()]
    known = "\n".join([*plants, *PARTS.values()])
    blocks = re.findall(r"```c\n(.*?)\n```", (root / "docs/how-to/add-a-part.md").read_text(), re.S)
    assert len(blocks) == 5
    for block in blocks:
        assert block in known, block


def test_a_new_row_appears_everywhere(planted):
    """A row of the table is found in C, Python, stub, TOML, schema, reference and FreeCAD."""
    doc, error, unit = inside(
        planted,
        """
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
""",
    )
    assert doc == "a scratch parameter of the test [m], 0.1 to 0.9, default 0.25"
    assert error == "magnet.scratch = 2.0 m: expected 0.1 to 0.9 m" and unit == "m"
    assert "def scratch(self) -> float:" in (planted / "polepair/_core.pyi").read_text()
    assert "| `scratch` | `x_s` | m | 0.25 | 0.1 to 0.9 m |" in (planted / "docs/parameters.md").read_text()
    schema = json.loads((planted / "polepair/motor.schema.json").read_text())
    assert schema["properties"]["magnet"]["properties"]["scratch"]["default"] == 0.25
    workbench(planted)


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
