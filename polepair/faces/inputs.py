"""What the faces are given by others: runs, answers of build_cad and meshes, whole and of the shape that they draw."""

import json

import numpy as np

from ..errors import FileError
from ..run import saved
from ..run.result import Result

SPIN_UP = ("time", "omega_m", "torque", "torque_load", "ia", "ib", "ic")  # what the report draws of a run
TURNING = ("time", "omega_m", "theta_m", "ia", "ib", "ic")  # what the film shows of one
MESH = "the motor.mesh.npz that polepair design writes"
CAD = "what polepair design writes into motor.json"
BODIES = {"rotor": "rotor", "stator": "stator_core"}  # of Params.masses(), and in the answer of build_cad


def checked_run(result: Result, channels, where: str = "run") -> Result:
    """The run if it has these channels and rows; ValueError says what it lacks, and what it seems to be."""
    missing = next((name for name in channels if name not in result), None)
    if "status" in result:
        raise ValueError(f"{where}: a sweep, expected a run as polepair run writes it (a sweep goes to --sweep)")
    if missing:
        raise ValueError(f"{where}: no channel {missing}, expected a run with {' '.join(channels)}")
    if len(result) < 2:
        raise ValueError(f"{where}: {len(result)} rows, expected at least 2")
    time = result["time"]
    if not (np.isfinite(time).all() and (np.diff(time) > 0).all()):
        raise ValueError(f"{where}: time: expected finite and rising seconds")
    return result


def read_run(path, channels) -> Result:
    """The run in a file; FileError for another kind of file or one that lacks these channels."""
    result = Result.load(path)
    try:
        return checked_run(result, channels, str(path))
    except ValueError as e:
        raise FileError(str(e)) from None


def checked_cad(answer, where: str = "cad") -> dict:
    """The answer of build_cad if it has what the report compares; ValueError for another."""
    try:
        sizes = [answer["solids"]]
        for body in BODIES.values():
            solid = answer["masses"][body]
            sizes += [solid["volume"], solid["mass"], *(solid["inertia"][k][k] for k in range(3))]
        whole = isinstance(answer["valid"], bool) and _are_numbers([answer["build_ms"], *sizes]) and min(sizes) > 0
    except (KeyError, TypeError, IndexError):
        whole = False
    if not whole:
        raise ValueError(f"{where}: expected {CAD}: solids, valid, build_ms, and masses of the bodies")
    return answer


def _are_numbers(values) -> bool:
    return all(isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) < 1e300 for x in values)


def read_mesh(path) -> list[tuple[list, np.ndarray, np.ndarray]]:
    """(name, body, material, ... ), vertices and faces of each part; FileError for a damaged or another file."""
    return saved.guarded(path, MESH, _parts)


def _parts(path):
    arrays = saved.npz_arrays(path)
    listed = json.loads(str(arrays["about"]))
    parts = []
    for about in listed:
        name, *tags = about
        vertices, faces = arrays[f"{name}.vertices"], arrays[f"{name}.faces"]
        shapes = vertices.ndim == faces.ndim == 2 and vertices.shape[1] == faces.shape[1] == 3 and len(tags) >= 2
        whole = faces.dtype.kind in "iu" and faces.size and faces.min() >= 0 and faces.max() < len(vertices)
        if not (shapes and whole and all(isinstance(tag, str) for tag in about) and np.isfinite(vertices).all()):
            raise FileError(f"{path}: not {MESH} (expected triangles of the part {name})")
        parts.append((about, vertices, faces))
    if not any(tags[2] != "housing" for tags, *_ in parts) or not all(np.abs(v).max() > 0 for _, v, _ in parts):
        raise FileError(f"{path}: not {MESH} (expected parts)")
    return parts
