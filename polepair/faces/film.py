"""A clip of a run: solids by FreeCAD, keys from the run, picture by Blender in processes of their own."""

import json
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..draw.keyframes import clip, current_colours, rotor_keys, words
from ..draw.section import part_colour
from ..errors import CadError
from ..files import replacing
from .cad import build_cad
from .programs import run_module

RENDERER = "polepair_blender.render"
DONE = "polepair: frame "  # begins the line that the renderer prints after each frame
ENGINES = ("BLENDER_WORKBENCH", "CYCLES")  # the first needs EGL and aborts without it, the second draws anywhere


def blender_python() -> str:
    """The Python that has bpy: POLEPAIR_BPY_PYTHON, or this one where bpy is installed beside polepair."""
    named = os.environ.get("POLEPAIR_BPY_PYTHON")
    if not named and find_spec("bpy") is None:
        raise CadError("the film needs Blender's bpy, expected: pip install bpy, or in POLEPAIR_BPY_PYTHON its Python")
    if named and not Path(named).exists():
        raise CadError(f"{named}: no such file, expected in POLEPAIR_BPY_PYTHON the Python that has Blender's bpy")
    return named or sys.executable


def _tracks(motor, result, shown, mesh) -> dict[str, np.ndarray]:
    """Everything Blender needs: triangles by part, rotor keys, coil colours by frame."""
    arrays = dict(np.load(mesh))
    arrays["rotor.keys"] = rotor_keys(result, shown)
    for name, _, material, *tags in json.loads(str(arrays["about"])):
        if material == "coil" and tags:
            arrays[f"{name}.colours"] = current_colours(result, shown, tags[0][0]).astype(np.float32)
    return arrays


def make_film(motor, result, out, seconds: float = 4.0, slow: float = 0.0, size=(800, 450), progress=None) -> dict:
    """Renders the start of `result` as an H.264 clip; CadError when FreeCAD or Blender is missing or fails.

    The picture tells time, speed and slow motion, and has keys to its colours. progress(done, total) counts frames.
    """
    python, shown = blender_python(), clip(result, seconds, slow, motor.rotor.pole_pairs)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mesh, data = folder / "mesh.npz", folder / "film.npz"
        build_cad(motor, mesh=mesh)
        arrays = _tracks(motor, result, shown, mesh)
        about = json.loads(str(arrays.pop("about")))
        colours = {a[0]: part_colour(a[2], a[3] if len(a) > 3 else "") for a in about}
        np.savez(data, about=np.array(json.dumps(about)), **arrays)
        clip_path = folder / f"clip{Path(out).suffix or '.mp4'}"
        request = {
            "data": str(data),
            "out": str(clip_path),
            "colours": colours,
            "fps": shown.fps,
            "frames": len(shown.times),
            "size": size,
            "words": words(motor, result, shown),
        }
        if progress:
            progress(0, request["frames"])
        engine = _render(python, folder, request, progress)
        with replacing(out) as beside:
            beside.write_bytes(clip_path.read_bytes())
    return {"frames": len(shown.times), "slow": shown.slow, "engine": engine, "out": str(out)}


def _render(python: str, folder: Path, request: dict, progress=None) -> str:
    """Tries each engine in a process of its own; the name of the one that drew the clip."""

    def told(line: str) -> None:
        if progress and line.startswith(DONE):
            progress(int(line.removeprefix(DONE)), request["frames"])

    last = ""
    for engine in ENGINES:
        ask = folder / "request.json"
        ask.write_text(json.dumps({**request, "engine": engine}))
        command, env = [RENDERER, ask], {"LIBGL_ALWAYS_SOFTWARE": "1"}
        done = run_module(python, folder, ["polepair_blender"], command, told=told, **env)
        if done.returncode == 0 and Path(request["out"]).exists():
            return engine
        last = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
    raise CadError(f"Blender could not render: {last}")
