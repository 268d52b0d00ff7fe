"""Keyframe arithmetic on plain arrays: which times a clip shows, and the keys of every animated channel."""

from dataclasses import dataclass

import numpy as np

from .pose import rotor_angle
from .quantities import RPM
from .quantities import shown as shown_unit
from .section import POLE_COLOURS

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


# neither a phase's colours nor a pole's: what changes is the current
COLD, WARM, NEUTRAL = np.array([0.00, 0.68, 0.72]), np.array([0.88, 0.10, 0.50]), np.array([0.80, 0.74, 0.66])


def current_peak(result, shown: Clip) -> float:
    """Largest phase current until the clip's end [A]: the ends of the colour scale."""
    rows = result["time"] <= shown.times[-1]
    return max(float(max(np.abs(result[f"i{k}"][rows]).max() for k in "abc")), 1e-12)


def scale_colour(share):
    """Colours (n, 3) of currents as shares of the peak, -1 to 1."""
    share = np.clip(np.asarray(share, float), -1, 1)[:, None]
    return np.where(share > 0, NEUTRAL + share * (WARM - NEUTRAL), NEUTRAL - share * (COLD - NEUTRAL))


def current_colours(result, shown: Clip, phase: str) -> np.ndarray:
    """Colour of a phase's coils per frame, float (n, 4): cyan for negative, magenta for positive current."""
    current = np.interp(shown.times, result["time"], result[f"i{phase}"])
    rgb = scale_colour(current / current_peak(result, shown))
    return np.column_stack([rgb, np.ones(len(rgb))])


def words(motor, result, shown: Clip) -> dict:
    """What a clip says: a title, how slow it is, time and speed of each frame, and the keys of its colours."""
    speeds = np.interp(shown.times, result["time"], result["omega_m"]) * RPM
    clock, unit = shown_unit("s", shown.times), shown_unit("A", [current_peak(result, shown)])
    peak = f"{current_peak(result, shown) / unit.size:.3g} {unit.text}"
    slow = "at the speed of life" if shown.slow <= 1.005 else f"{shown.slow:.3g} times slower than life"
    return {
        "title": motor.name,
        "slow": slow,
        "frames": [f"{t:.1f} {clock.text}   {n:,.0f} rpm" for t, n in zip(clock.of(shown.times), speeds, strict=True)],
        "scale": {"colours": scale_colour(np.linspace(-1, 1, 9)).tolist(), "ends": [f"-{peak}", f"+{peak}"]},
        "poles": dict(POLE_COLOURS),
    }
