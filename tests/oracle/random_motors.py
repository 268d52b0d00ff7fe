"""Random surface-magnet motors for the finite-element oracle: python tests/oracle/random_motors.py COUNT

Writes tests/oracle/random.json: the parameters and the finite-element flux linkage and inductance of each.
"""

import json
import sys
from pathlib import Path

import numpy as np
from fe2d import study_motor

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
    (15, 5),
]


def draw(rng) -> pp.Motor | None:
    """A motor with typical proportions, or None when the geometry does not work out."""
    m = pp.Motor("random")
    slots, pairs = COMBINATIONS[rng.integers(len(COMBINATIONS))]
    outer = rng.random() < 0.5
    R = 10 ** rng.uniform(-2, -1.1)
    pitch, pole = 2 * np.pi * R / slots, np.pi * R / pairs
    depth = rng.uniform(0.9, 1.8) * min(pitch, 0.4 * R)
    yoke = rng.uniform(0.15, 0.35) * pole + 0.03 * R
    values = {
        "stator.slots": slots,
        "rotor.pole_pairs": pairs,
        "rotor.topology": "outer" if outer else "inner",
        "stator.gap_radius": R,
        "stator.slot_depth": depth,
        "stator.yoke_radius": R - depth - yoke if outer else R + depth + yoke,
        "stator.length": R * rng.uniform(0.3, 2),
        "stator.tooth_width": pitch * rng.uniform(0.35, 0.6) * (0.8 if outer else 1.0),
        "stator.slot_opening": 0 if rng.random() < 0.3 else pitch * rng.uniform(0.08, 0.35),
        "stator.tip_height": depth * rng.uniform(0.03, 0.12),
        "stator.tip_taper": depth * rng.uniform(0.03, 0.12),
        "rotor.gap": R * rng.uniform(0.012, 0.05),
        "magnet.thickness": R * rng.uniform(0.05, 0.16),
        "rotor.core_thickness": max(rng.uniform(0.15, 0.3) * pole, 0.02 * R),
        "magnet.arc": rng.uniform(0.6, 0.97),
        "magnet.magnetization": "parallel" if rng.random() < 0.5 else "radial",
        "magnet.mu_r": rng.uniform(1.02, 1.1),
        "winding.wire_diameter": 0.02 * pitch,
        "winding.end_length": 0.3 * pole,
        "rotor.shaft_radius": 0,
        "rotor.bearing_width": 0,
    }
    try:
        for name, value in values.items():
            m.set(name, float(f"{value:.5g}") if isinstance(value, float) else value)
        m.derive()
    except ValueError:
        return None
    return m


if __name__ == "__main__":
    rng, store, rows = np.random.default_rng(2026), Path(__file__).with_name("random.json"), []
    while len(rows) < int(sys.argv[1]):
        motor = draw(rng)
        if motor is None:
            continue
        r = study_motor(motor)
        d = motor.derive()
        rows.append({"params": motor.changed(), **{k: float(f"{v:.6g}") for k, v in r.items()}})
        L = d.L_gap + d.L_slot
        name = f"{motor.stator.slots}/{2 * motor.rotor.pole_pairs} {motor.rotor.topology}"
        print(f"{name} psi {d.psi_pm / r['psi_pm'] - 1:+.2%} L {L / r['L_2d'] - 1:+.2%}", flush=True)
        store.write_text(json.dumps(rows, indent=1) + "\n")
