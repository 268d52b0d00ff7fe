"""Where every body is at a time: the one function that FreeCAD, Blender and the drawings share."""

import numpy as np

BODIES = ("stator", "rotor")  # rigid bodies; every part belongs to one of them


def rotor_angle(result, times) -> np.ndarray:
    """Rotor angle [rad], unwrapped, at the given times [s], interpolated in a run that recorded theta_m."""
    return np.interp(np.asarray(times, dtype=float), result["time"], result["theta_m"])


def poses(result, times) -> dict[str, np.ndarray]:
    """Pose of each body at each time: float64 (n, 7) of x, y, z [m] and the quaternion w, x, y, z.

    The shaft is the z axis and the middle of the stack the origin; the stator stands still.
    """
    half = 0.5 * rotor_angle(result, times)
    still = np.zeros((len(half), 7))
    still[:, 3] = 1.0
    turned = np.zeros_like(still)
    turned[:, 3], turned[:, 6] = np.cos(half), np.sin(half)
    return {"stator": still, "rotor": turned}
