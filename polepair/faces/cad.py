"""CAD by a worker process: FreeCAD runs in an interpreter of its own, so a crash in it never takes the caller down."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import CadError
from ..files import replacing
from .programs import run_module

WORKER, PACKAGES = "freecad.polepair_wb.worker", ("freecad.polepair_wb", "polepair")
TIMEOUT = 600  # s


def interpreter() -> str:
    """The Python that FreeCAD was built for: POLEPAIR_FREECAD_PYTHON, or the system's."""
    named = os.environ.get("POLEPAIR_FREECAD_PYTHON")
    return named or ("/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable)


def build_cad(motor, step=None, mesh=None) -> dict:
    """Builds the solids of a motor; writes a STEP file and an .npz of triangles where asked.

    Returns mass properties by part ("masses"), "valid", "solids" and "build_ms" (CPU). CadError when FreeCAD is missing
    or fails; nothing is written then.
    """
    if not motor.has_geometry:
        raise CadError(f"{motor.name}: described by a datasheet, expected a motor with geometry")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        request = {"motor": motor.dumps()}
        outputs = {"step": step, "mesh": mesh}
        for kind, path in outputs.items():
            request[kind] = str(folder / f"out{Path(path).suffix}") if path else None
        answer = _ask(folder, request)
        for kind, path in outputs.items():
            if path:
                with replacing(path) as beside:
                    beside.write_bytes(Path(request[kind]).read_bytes())
    return answer


def _ask(folder: Path, request: dict) -> dict:
    question, reply = folder / "request.json", folder / "answer.json"
    question.write_text(json.dumps(request))
    try:
        done = run_module(interpreter(), folder, PACKAGES, [WORKER, question, reply], TIMEOUT)
    except subprocess.TimeoutExpired:
        raise CadError(f"FreeCAD did not finish within {TIMEOUT} s") from None
    if not reply.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CadError(f"FreeCAD's process ended with code {done.returncode}: {last}")
    answer = json.loads(reply.read_text())
    if "error" in answer:
        raise CadError(answer["error"])
    return answer


def compare(motor, answer: dict) -> dict[str, float]:
    """Largest relative difference of volume, mass, axial and transverse inertia between closed form and solids."""
    closed = motor.masses()
    named = {"rotor": answer["masses"]["rotor"], "stator": answer["masses"]["stator_core"]}
    worst = {"volume": 0.0, "mass": 0.0, "J_axial": 0.0, "J_transverse": 0.0}
    for body, solid in named.items():
        t = solid["inertia"]
        other = {
            "volume": solid["volume"],
            "mass": solid["mass"],
            "J_axial": t[2][2],
            "J_transverse": (t[0][0] + t[1][1]) / 2,
        }
        for key in worst:
            worst[key] = max(worst[key], abs(closed[body][key] / other[key] - 1))
    return worst
