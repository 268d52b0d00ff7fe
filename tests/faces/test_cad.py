"""CAD: closed form against OpenCASCADE, the worker process, STEP, and the workbench inside FreeCAD."""

import json
import os
import subprocess

import pytest
from support.drawn import motors

import polepair as pp
from polepair.faces.cad import build_cad, compare

pytestmark = pytest.mark.skipif(not os.path.isdir("/usr/lib/freecad-python3"), reason="FreeCAD is not installed")
SYSTEM = "/usr/bin/python3"


def in_freecad(code: str, root, **env):
    """Runs code in FreeCAD's plain Python with the workbench on its path."""
    head = f"import sys; sys.path[:0] = [{str(root / 'freecad_wb')!r}, {str(root)!r}, {str(root / 'tests')!r}]\n"
    head += "from freecad.polepair_wb import compat; FreeCAD = compat.import_freecad()\n"
    done = subprocess.run(
        [SYSTEM, "-c", head + code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "", **env}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


ORACLE = """
import json
from support.drawn import motors
from freecad.polepair_wb import solids
from polepair.draw.parts import motor_parts

worst = {}
valid = True
closed_names = {"stator": ["stator_core"], "rotor_core": ["rotor_core", "bell"], "web": ["web"], "shaft": ["shaft"],
                "bearings": ["bearing_1", "bearing_2"], "housing": ["housing", "cap_1", "cap_2", "tube", "base"]}
for i, m in enumerate(motors(200)):
    parts = motor_parts(m)
    shapes = solids.build(parts)
    report = solids.mass_report(m, parts, shapes)
    closed = m.masses()
    names = dict(closed_names, magnets=[p.name for p in parts if p.name.startswith("magnet")],
                 rotor=[p.name for p in parts if p.body == "rotor"])
    for body, members in names.items():
        found = [report[n] for n in members if n in report]
        if not found:
            assert closed[body]["mass"] == 0, (i, body)
            continue
        s, c = solids.combine(found), closed[body]
        t = s["inertia"]
        pairs = {"volume": (c["volume"], s["volume"]), "mass": (c["mass"], s["mass"]), "J": (c["J_axial"], t[2][2]),
                 "Jx": (c["J_transverse"], (t[0][0] + t[1][1]) / 2)}
        for key, (a, b) in pairs.items():
            worst[body + "." + key] = max(worst.get(body + "." + key, 0), abs(a / b - 1))
        size = max(abs(s["centre"][2]), m.stator.length)
        worst[body + ".z"] = max(worst.get(body + ".z", 0), abs(c["z"] - s["centre"][2]) / size)
    if i % 10 == 0:
        valid = valid and all(s.isValid() for s in shapes.values())
print(json.dumps([worst, valid]))
"""


def test_closed_form_against_opencascade(root):
    """Volume, mass, centre and both inertias of every part of 200 random motors."""
    worst, valid = json.loads(in_freecad(ORACLE, root))
    assert valid
    assert len(worst) >= 35
    assert max(worst.values()) < 1e-9, worst


@pytest.mark.parametrize("name", ["outrunner-12s14p", "spmloss-18s16p", "pyleecan-spmsm-015", "coreless-printed"])
def test_catalogue_motors_build(name, tmp_path):
    m = pp.load(name)
    answer = build_cad(m, tmp_path / "m.step", tmp_path / "m.npz")
    assert answer["valid"] and max(compare(m, answer).values()) < 1e-9
    assert (tmp_path / "m.step").read_text()[:12] == "ISO-10303-21"
    assert answer["masses"]["rotor"]["mass"] == pytest.approx(m.derive().mass_rotor, rel=1e-9)


def test_step_keeps_volume_and_names(root, tmp_path):
    """Read back: every solid, the same volume, the parts' and bodies' names."""
    answer = build_cad(pp.load("outrunner-12s14p"), tmp_path / "m.step")
    code = "import json, Part; s = Part.Shape(); s.read(@); print(json.dumps([len(s.Solids), s.Volume]))"
    solids, volume = json.loads(in_freecad(code.replace("@", repr(str(tmp_path / "m.step"))), root))
    masses = {k: v for k, v in answer["masses"].items() if k != "rotor"}
    assert solids == len(masses)
    assert volume == pytest.approx(1e9 * sum(b["volume"] for b in masses.values()), rel=1e-9)
    text = (tmp_path / "m.step").read_text()
    assert all(f"'{name}'" in text for name in [*masses, "stator", "rotor"])


def test_parts_do_not_overlap(root):
    """No two parts of the outrunner share volume: copper stays out of the teeth, magnets off the core."""
    code = """
import json
from freecad.polepair_wb import solids
from polepair.draw.parts import motor_parts
import polepair as pp
worst = 0.0
for name in ("outrunner-12s14p", "spmloss-18s16p", "pyleecan-spmsm-015", "coreless-printed"):
    m = pp.load(name)
    shapes = solids.build(motor_parts(m))
    keys = [k for k in shapes if k[-2:] in ("01", "02") or not k[-1].isdigit()]
    for i, a in enumerate(keys):
        for b in keys[i + 1:]:
            if shapes[a].BoundBox.intersect(shapes[b].BoundBox):
                common = shapes[a].common(shapes[b]).Volume / min(shapes[a].Volume, shapes[b].Volume)
                if common > 1e-6:
                    print(name, a, b, common, file=sys.stderr)
                worst = max(worst, common)
print(worst)
"""
    assert float(in_freecad(code, root)) < 1e-6


def test_worker_errors_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(pp.CadError, match="described by a datasheet"):
        build_cad(pp.load("ipmsm-2k2"), tmp_path / "m.step")
    monkeypatch.setenv("POLEPAIR_FREECAD_PYTHON", "/bin/false")
    with pytest.raises(pp.CadError, match="ended with code 1"):
        build_cad(pp.load("outrunner-12s14p"), tmp_path / "m.step")
    monkeypatch.setenv("POLEPAIR_FREECAD_PYTHON", "/nonexistent")
    with pytest.raises(pp.CadError, match="No such file"):
        build_cad(pp.load("outrunner-12s14p"), tmp_path / "m.step")
    assert not list(tmp_path.iterdir())


def test_a_crash_stays_in_the_worker(tmp_path, monkeypatch):
    crash = tmp_path / "crash.sh"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setenv("POLEPAIR_FREECAD_PYTHON", str(crash))
    with pytest.raises(pp.CadError, match="ended with code -11"):
        build_cad(pp.load("outrunner-12s14p"), tmp_path / "m.step")


def freecadcmd(tmp_path, root, *args):
    home = tmp_path / "home"
    (home / "Mod").mkdir(parents=True)
    (home / "Mod" / "polepair").symlink_to(root / "freecad_wb")
    env = {**os.environ, "FREECAD_USER_HOME": str(home), "HOME": str(home), "PYTHONPATH": ""}
    return subprocess.run(
        ["freecadcmd", *args], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=300
    )


def test_workbench_inside_freecad(tmp_path, root):
    done = freecadcmd(tmp_path, root, "-t", "TestPolepair")
    assert done.returncode == 0 and "OK" in done.stdout + done.stderr, (done.stdout + done.stderr)[-2000:]


def test_script_in_freecadcmd(tmp_path, root):
    script = tmp_path / "s.py"
    script.write_text(
        "import sys\n"
        "try:\n"
        "    from freecad.polepair_wb.motor_feature import make_motor\n"
        "    import FreeCAD\n"
        "    d = FreeCAD.newDocument('m'); o = make_motor(d, 'M', 'coreless-printed'); d.recompute()\n"
        "    assert o.Shape.Volume > 0; sys.exit(7)\n"
        "except Exception as e:\n"
        "    print(e); sys.exit(1)\n"
    )
    assert freecadcmd(tmp_path, root, str(script)).returncode == 7


def test_random_motors_are_varied():
    drawn = motors(200)
    assert len({m.rotor.topology for m in drawn}) == 2 and len({m.magnet.shape for m in drawn}) == 2
    assert len({m.stator.slot_shape for m in drawn}) == 2 and {m.stator.slots for m in drawn} >= {0, 9, 12}
