"""CAD worker, in a process of its own so that a crash stays here.

python3 -m freecad.polepair_wb.worker REQUEST.json ANSWER.json

REQUEST: {"motor": TOML text, "step": path or null, "mesh": path or null}. ANSWER: {"masses": ..., "valid": ...,
"solids": n, "build_ms": CPU ms} or {"error": one line}.
"""

import json
import sys
import time
from pathlib import Path

from . import compat


def work(request: dict) -> dict:
    """Builds the motor and writes what was asked for."""
    compat.import_freecad()
    compat.import_polepair()
    from polepair.design.motor import loads
    from polepair.draw.parts import motor_parts

    from . import document, solids

    motor = loads(request["motor"], "request", "motor")
    parts = motor_parts(motor)
    start = time.process_time()
    shapes = solids.build(parts)
    elapsed = time.process_time() - start
    answer = {
        "solids": len(shapes),
        "valid": all(s.isValid() for s in shapes.values()),
        "build_ms": 1e3 * elapsed,
        "masses": solids.mass_report(motor, parts, shapes),
    }
    if request.get("step"):
        document.export_step(parts, shapes, request["step"])
    if request.get("mesh"):
        write_mesh(request["mesh"], parts, solids.meshes(parts, shapes))
    return answer


def write_mesh(path: str, parts, meshes) -> None:
    """Vertices and faces of every part in one .npz, with its body, material and tag."""
    import numpy as np

    arrays = {"about": np.array(json.dumps([[p.name, p.body, p.material, *p.tags] for p in parts]))}
    for name, (vertices, faces) in meshes.items():
        arrays[f"{name}.vertices"] = np.array(vertices, dtype=np.float32)
        arrays[f"{name}.faces"] = np.array(faces, dtype=np.int32)
    np.savez_compressed(path, **arrays)


def main() -> int:
    """Answers one request."""
    request = json.loads(Path(sys.argv[1]).read_text())
    try:
        answer = work(request)
    except ImportError as e:
        answer = {"error": e.msg}
    except Exception as e:
        answer = {"error": f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else e!r}"}
    Path(sys.argv[2]).write_text(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
