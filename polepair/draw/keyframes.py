"""Keyframe arithmetic on plain arrays: which times a clip shows, and the keys of every animated channel."""

from dataclasses import dataclass

import numpy as np

from .pose import rotor_angle

FPS = 24
POLE_SHARE = 0.4  # of a pole pitch per frame at most, or the rotor seems to turn backwards


@dataclass(frozen=True)
class Clip:
    """Frame times [s] of a clip and how much slower than life it runs."""

    times: np.ndarray
    slow: float
    fps: int = FPS


def clip(result, seconds: float, slow: float, pole_pairs: int, fps: int = FPS) -> Clip:
    """The start of a run as a clip of `seconds`; slow 0 chooses the least slow motion that keeps the eye right."""
    if not seconds > 0:
        raise ValueError(f"seconds = {seconds}: expected more than 0")
    frames = max(2, round(seconds * fps))
    if slow <= 0:
        fastest = float(np.abs(result["omega_m"]).max())
        slow = max(
            1.0, fastest * pole_pairs / (POLE_SHARE * np.pi * fps), frames / fps / float(result["time"][-1]) * 0.2
        )
    times = np.arange(frames) / (fps * slow)
    return Clip(times[times <= result["time"][-1] * (1 + 1e-9)], slow, fps)


def keys(frames: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interleaved float32 (n, 2) of frame and value, as Blender's foreach_set wants them."""
    return np.ascontiguousarray(np.column_stack([frames, values]), dtype=np.float32)


def rotor_keys(result, shown: Clip) -> np.ndarray:
    """Rotor angle per frame, unwrapped, from a zero near the clip's start so that float32 keeps its precision."""
    angle = rotor_angle(result, shown.times)
    start = 2 * np.pi * np.floor(angle[0] / (2 * np.pi))
    return keys(1 + np.arange(len(angle)), angle - start)


COLD, WARM, NEUTRAL = np.array([0.10, 0.30, 0.85]), np.array([0.90, 0.18, 0.08]), np.array([0.72, 0.62, 0.50])


def current_colours(result, shown: Clip, phase: str) -> np.ndarray:
    """Colour of a phase's coils per frame, float (n, 4): blue for negative, red for positive current."""
    current = np.interp(shown.times, result["time"], result[f"i{phase}"])
    rows = result["time"] <= shown.times[-1]
    peak = max(float(max(np.abs(result[f"i{k}"][rows]).max() for k in "abc")), 1e-12)
    share = np.clip(current / peak, -1, 1)[:, None]
    rgb = np.where(share > 0, NEUTRAL + share * (WARM - NEUTRAL), NEUTRAL - share * (COLD - NEUTRAL))
    return np.column_stack([rgb, np.ones(len(rgb))])
