"""Random valid motors for the tests: wide, both topologies, every slot and magnet shape."""

import numpy as np

import polepair as pp

COMBINATIONS = [
    (12, 4),
    (12, 5),
    (12, 7),
    (9, 3),
    (9, 4),
    (18, 8),
    (24, 10),
    (24, 4),
    (36, 6),
    (27, 9),
    (6, 2),
    (0, 2),
    (0, 4),
]


def draw(rng) -> pp.Motor | None:
    """A motor with random dimensions, or None when they do not fit together."""
    m = pp.Motor("random")
    slots, pairs = COMBINATIONS[rng.integers(len(COMBINATIONS))]
    outer = bool(rng.random() < 0.5)
    R = 10 ** rng.uniform(-2, -1)
    pitch, pole = 2 * np.pi * R / max(slots, 6 * pairs if slots == 0 else slots), np.pi * R / pairs
    depth = rng.uniform(0.5, 1.6) * min(pitch, 0.4 * R)
    yoke = rng.uniform(0.1, 0.35) * pole + 0.04 * R
    reach = (depth if slots else 0) + yoke
    shaft = rng.uniform(0.05, 0.15) * R
    values = {
        "stator.slots": slots,
        "rotor.pole_pairs": pairs,
        "rotor.topology": "outer" if outer else "inner",
        "stator.slot_shape": "radial_slot" if rng.random() < 0.3 else "parallel_tooth",
        "stator.gap_radius": R,
        "stator.slot_depth": depth,
        "stator.yoke_radius": R - reach if outer else R + reach,
        "stator.length": R * rng.uniform(0.2, 3),
        "stator.tooth_width": pitch * rng.uniform(0.25, 0.6) * (0.8 if outer else 1.0),
        "stator.slot_opening": 0 if rng.random() < 0.3 else pitch * rng.uniform(0.05, 0.35),
        "stator.tip_height": depth * rng.uniform(0.01, 0.15),
        "stator.tip_taper": depth * rng.uniform(0, 0.15),
        "stator.winding_thickness": 0 if slots else R * rng.uniform(0.03, 0.1),
        "rotor.gap": R * rng.uniform(0.01, 0.06),
        "rotor.core_thickness": max(rng.uniform(0.1, 0.3) * pole, 0.02 * R),
        "rotor.shaft_radius": shaft,
        "rotor.shaft_length": R * rng.uniform(1, 5),
        "rotor.web_thickness": R * rng.uniform(0, 0.3),
        "rotor.bearing_width": R * rng.uniform(0, 0.2),
        "rotor.bearing_radius": shaft * rng.uniform(1.2, 2.5),
        "magnet.thickness": R * rng.uniform(0.04, 0.2),
        "magnet.arc": rng.uniform(0.5, 1),
        "magnet.shape": "flat_base" if rng.random() < 0.4 else "arc",
        "magnet.width": pole * rng.uniform(0.4, 0.9),
        "magnet.magnetization": "parallel" if rng.random() < 0.5 else "radial",
        "magnet.length": 0 if rng.random() < 0.5 else R * rng.uniform(0.2, 3),
        "winding.wire_diameter": 0.02 * pitch,
        "winding.end_length": 0.3 * pole,
        "material.housing_thickness": R * rng.uniform(0, 0.1),
    }
    try:
        for name, value in values.items():
            m.set(name, value)
        m.derive()
    except ValueError:
        return None
    return m


def motors(count: int, seed: int = 7) -> list[pp.Motor]:
    """`count` valid motors, the same for the same seed."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        m = draw(rng)
        if m is not None:
            found.append(m)
    return found
