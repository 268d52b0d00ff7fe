"""Blender: keyframe arithmetic, the manifest, the bake on real objects, a rendered clip (in bpy's environment)."""

import glob
import json
import os
import subprocess

import numpy as np
import pytest

import polepair as pp
from polepair.draw.keyframes import COLD, NEUTRAL, WARM, clip, current_colours, rotor_keys, words
from polepair.draw.pose import poses
from polepair.draw.section import PHASE_COLOURS, POLE_COLOURS


@pytest.fixture(scope="module")
def run():
    return pp.Twin(pp.load("outrunner-12s14p")).run(0.1)


def test_clip_never_lets_the_poles_run_backwards(run):
    shown = clip(run, 2.0, 0.0, 7)
    keys = rotor_keys(run, shown)
    assert keys.dtype == np.float32 and keys.flags.c_contiguous and keys.shape == (48, 2)
    assert np.abs(np.diff(keys[:, 1])).max() < np.pi / 7 / 2
    assert clip(run, 2.0, 1.0, 7).times[-1] <= run["time"][-1]


def test_keys_are_the_run(run):
    shown = clip(run, 3.0, 30.0, 7)
    exact = np.interp(shown.times, run["time"], run["theta_m"])
    turned = rotor_keys(run, shown)[:, 1].astype(float)
    assert np.abs(np.exp(1j * turned) - np.exp(1j * exact)).max() < 1e-5
    q = poses(run, shown.times)["rotor"]
    assert np.abs(np.cos(2 * np.arctan2(q[:, 6], q[:, 3])) - np.cos(exact)).max() < 1e-9
    assert np.allclose(np.linalg.norm(q[:, 3:], axis=1), 1)


def test_colours_follow_the_current(run):
    shown = clip(run, 2.0, 30.0, 7)
    current = np.interp(shown.times, run["time"], run["ia"])
    colours = current_colours(run, shown, "a")
    assert colours.shape == (len(shown.times), 4) and colours.min() >= 0 and colours.max() <= 1
    peak = max(np.abs(run[f"i{k}"][run["time"] <= shown.times[-1]]).max() for k in "abc")
    warm, cold = current > 0.4 * peak, current < -0.6 * peak
    assert warm.any() or cold.any()
    assert (colours[warm, 0] > colours[warm, 2]).all() and (colours[cold, 2] > colours[cold, 0]).all()


def test_bad_clip(run):
    with pytest.raises(ValueError, match="seconds = 0"):
        clip(run, 0, 0, 7)


def test_a_clip_says_time_speed_and_slow_motion(run):
    shown = clip(run, 2.0, 30.0, 7)
    said = words(pp.load("outrunner-12s14p"), run, shown)
    assert said["title"] == "outrunner-12s14p" and said["slow"] == "30 times slower than life"
    assert words(pp.load("outrunner-12s14p"), run, clip(run, 2.0, 1.0, 7))["slow"] == "at the speed of life"
    assert len(said["frames"]) == len(shown.times)
    speed = np.interp(shown.times[-1], run["time"], run["omega_m"]) * 30 / np.pi
    assert said["frames"][-1] == f"{shown.times[-1] * 1e3:.1f} ms   {speed:,.0f} rpm"
    peak = max(np.abs(run[f"i{k}"][run["time"] <= shown.times[-1]]).max() for k in "abc")
    assert said["scale"]["ends"] == [f"-{peak:.3g} A", f"+{peak:.3g} A"]
    assert np.allclose([said["scale"]["colours"][k] for k in (0, 4, -1)], [COLD, NEUTRAL, WARM])


def test_no_colour_means_two_things():
    """Poles, phases and the sign of a current are told apart by colour alone."""
    rgb = [
        tuple(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)) for c in (*PHASE_COLOURS.values(), *POLE_COLOURS.values())
    ]
    rgb += [tuple(COLD), tuple(WARM)]
    apart = [np.abs(np.subtract(a, b)).max() for i, a in enumerate(rgb) for b in rgb[:i]]
    assert min(apart) > 0.2


@pytest.fixture(scope="module")
def bpy_python(request):
    root = request.config.rootpath
    path = os.environ.get("POLEPAIR_BPY_PYTHON", str(root / ".venv-bpy/bin/python"))
    if not os.path.exists(path):
        pytest.skip("no bpy environment (packaging/bpy.sh)")
    return path


def test_manifest_is_accepted(bpy_python, root):
    site = os.path.dirname(os.path.dirname(bpy_python))
    found = glob.glob(f"{site}/lib/python3*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    assert found
    done = subprocess.run(
        [bpy_python, found[0], "validate", str(root / "blender_addon")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_zip_installs_and_imports(bpy_python, root, tmp_path, run):
    """Builds the extension, installs and enables it in a scratch profile, and imports a run with its operator."""
    site = os.path.dirname(os.path.dirname(bpy_python))
    tool = glob.glob(f"{site}/lib/python3*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")[0]
    zipped = tmp_path / "polepair.zip"
    build = [bpy_python, tool, "build", "--source-dir", str(root / "blender_addon"), "--output-filepath", str(zipped)]
    subprocess.run(build, check=True, capture_output=True)
    film = tmp_path / "film.npz"
    shown = clip(run, 1.0, 0.0, 7)
    about = [["magnet_01", "rotor", "magnet", "north"], ["coil_01", "stator", "coil", "a+"]]
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=np.float32)
    arrays = {
        f"{a[0]}.{k}": v
        for a in about
        for k, v in (("vertices", triangle), ("faces", np.array([[0, 1, 2]], dtype=np.int32)))
    }
    arrays["coil_01.colours"] = current_colours(run, shown, "a").astype(np.float32)
    np.savez(film, about=np.array(json.dumps(about)), **{"rotor.keys": rotor_keys(run, shown)}, **arrays)
    code = f"""
import bpy
bpy.ops.extensions.package_install_files(filepath={str(zipped)!r}, repo="user_default", enable_on_install=True)
assert bpy.ops.polepair.import_film(filepath={str(film)!r}) == {{"FINISHED"}}
rotor = bpy.data.objects["rotor"]
seen = []
for frame in (1, 10, 24):
    bpy.context.scene.frame_set(frame)
    seen.append(rotor.rotation_euler[2])
assert bpy.data.objects["magnet_01"].parent is rotor
print("ANGLES", *seen)
"""
    env = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "profile"), "PYTHONPATH": ""}
    done = subprocess.run([bpy_python, "-c", code], capture_output=True, text=True, env=env)
    line = next((x for x in done.stdout.splitlines() if x.startswith("ANGLES")), None)
    assert line, done.stdout[-1500:] + done.stderr[-1500:]
    keys = rotor_keys(run, shown)
    assert np.allclose([float(x) for x in line.split()[1:]], keys[[0, 9, 23], 1], atol=1e-5)


def test_film(bpy_python, tmp_path, run, monkeypatch):
    if not os.path.isdir("/usr/lib/freecad-python3"):
        pytest.skip("FreeCAD is not installed")
    from polepair.faces.film import make_film

    monkeypatch.setenv("POLEPAIR_BPY_PYTHON", bpy_python)
    told = []
    asked = {"seconds": 0.25, "size": (160, 90), "progress": lambda done, total: told.append((done, total))}
    data = make_film(pp.load("outrunner-12s14p"), run, tmp_path / "clip.mp4", **asked)
    assert data["frames"] == 6 and told == [(k, 6) for k in range(7)]
    head = (tmp_path / "clip.mp4").read_bytes()
    assert head[4:8] == b"ftyp" and b"avc1" in head and len(head) > 2000


def test_film_without_blender(tmp_path, run, monkeypatch):
    from polepair.faces.film import make_film

    monkeypatch.setenv("POLEPAIR_BPY_PYTHON", "/nonexistent")
    with pytest.raises(pp.CadError, match="/nonexistent: no such file, expected in POLEPAIR_BPY_PYTHON the Python"):
        make_film(pp.load("outrunner-12s14p"), run, tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())
