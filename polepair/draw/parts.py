"""Parts of a motor as plain dictionaries: outlines, lengths and heights in metres.

Whoever builds solids or meshes (the FreeCAD workbench, Blender) reads these and adds nothing to them.
"""

from dataclasses import dataclass, field

import numpy as np

from .section import rotate, tooth_coils, tooth_half_angle


@dataclass(frozen=True)
class Part:
    """A prism: closed outline (n, 3: x, y, arc flag about the axis) with holes, extruded from z0 to z1.

    `copies` are angles about the axis; `body` is the rigid body it belongs to; `frame`, where given, is a 3x4 matrix
    that takes the prism from its own frame into the motor's (radial extrusions). An outline of one vertex is a circle.
    """

    name: str
    body: str
    outline: np.ndarray
    z0: float
    z1: float
    material: str
    holes: tuple = ()
    copies: tuple = (0.0,)
    frame: np.ndarray | None = field(default=None, compare=False)
    tags: tuple = ()


def circle(radius: float) -> np.ndarray:
    """A full circle as an outline of one vertex: its radius on the x axis, flagged as an arc onto itself."""
    return np.array([[radius, 0.0, 1.0]])


def _ring(name, body, r_in, r_out, z0, z1, material) -> list[Part]:
    if r_out <= r_in * (1 + 1e-12) or z1 <= z0:
        return []
    return [Part(name, body, circle(r_out), z0, z1, material, (circle(r_in),) if r_in > 0 else ())]


def _turned(outline, angle) -> np.ndarray:
    return np.column_stack([rotate(outline[:, :2], angle), outline[:, 2]])


def _repeat(outline, copies: int) -> np.ndarray:
    """One pitch of a contour repeated all the way round. The ends, inside the slots' bottom arcs, are left out."""
    return np.concatenate([_turned(outline[1:-1], 2 * np.pi * k / copies) for k in range(copies)])


def stator_parts(motor, d) -> list[Part]:
    """The stator core."""
    half = motor.stator.length / 2
    material = "stator" if motor.stator.core == "iron" else "former"
    contour = _repeat(motor.outline("tooth"), motor.stator.slots) if motor.stator.slots else circle(d["r_gap"])
    yoke = circle(d["r_yoke"])
    outline, hole = (yoke, contour) if d["sign"] > 0 else (contour, yoke)
    return [Part("stator_core", "stator", outline, -half, half, material, (hole,))]


def rotor_parts(motor, d) -> list[Part]:
    """Magnets, core, bell or web, shaft."""
    L, e, t = motor.stator.length, d["overhang"], motor.rotor.web_thickness
    inner, poles, parts = d["sign"] > 0, 2 * motor.rotor.pole_pairs, []
    for k in range(poles):
        tag = "north" if k % 2 == 0 else "south"
        half = d["magnet_length"] / 2
        parts.append(
            Part(
                f"magnet_{k + 1:02d}",
                "rotor",
                motor.outline("magnet"),
                -half,
                half,
                "magnet",
                (),
                (2 * np.pi * k / poles,),
                None,
                (tag,),
            )
        )
    core = circle(d["r_base"])
    if motor.magnet.shape == "flat_base":
        h = motor.magnet.width / 2
        flat = np.array([[d["r_base"], -h, 0.0], [d["r_base"], h, 1.0]])
        core = np.concatenate([_turned(flat, 2 * np.pi * k / poles) for k in range(poles)])
    if inner:
        if d["r_base"] - d["r_core"] > 1e-9:
            parts.append(
                Part(
                    "rotor_core",
                    "rotor",
                    core,
                    -L / 2,
                    L / 2,
                    "rotor",
                    (circle(d["r_core"]),) if d["r_core"] > 0 else (),
                )
            )
        parts += _ring("web", "rotor", d["r_shaft"], d["r_core"], -min(t, L) / 2, min(t, L) / 2, "rotor")
    else:
        if d["r_core"] - d["r_corner"] > 1e-9:
            parts.append(Part("rotor_core", "rotor", circle(d["r_core"]), -L / 2, L / 2, "rotor", (core,)))
            parts += _ring("bell", "rotor", d["r_corner"], d["r_core"], -L / 2 - e, -L / 2, "rotor")
        parts += _ring("web", "rotor", d["r_shaft"], d["r_core"], -L / 2 - e - t, -L / 2 - e, "rotor")
    shaft = motor.rotor.shaft_length / 2
    return parts + (_ring("shaft", "rotor", 0.0, d["r_shaft"], -shaft, shaft, "shaft") if d["r_shaft"] > 0 else [])


def fixed_parts(motor, d) -> list[Part]:
    """Bearings and housing, with the stator."""
    L, e, h, b = motor.stator.length, d["overhang"], motor.material.housing_thickness, motor.rotor.bearing_width
    inner, rb = d["sign"] > 0, motor.rotor.bearing_radius
    z = L / 2 + e + b / 2 if inner else max((L - b) / 2, 0.0)
    bearings = b > 0 and d["r_shaft"] > 0
    parts = []
    for k, side in enumerate((1, -1) if bearings else ()):
        parts += _ring(f"bearing_{k + 1}", "stator", d["r_shaft"], rb, side * z - b / 2, side * z + b / 2, "bearing")
    bore = rb if bearings else d["r_shaft"]
    if h <= 0:
        return parts
    if inner:
        parts += _ring("housing", "stator", d["r_yoke"], d["r_housing"], -L / 2 - e, L / 2 + e, "housing")
        parts += _ring("cap_1", "stator", bore, d["r_housing"], L / 2 + e, L / 2 + e + h, "housing")
        parts += _ring("cap_2", "stator", bore, d["r_housing"], -L / 2 - e - h, -L / 2 - e, "housing")
    else:
        parts += _ring("tube", "stator", bore, d["r_yoke"], -L / 2, L / 2, "housing")
        parts += _ring("base", "stator", bore, d["r_gap"], L / 2 + e, L / 2 + e + h, "housing")
    return parts


def coil_parts(motor, d) -> list[Part]:
    """Tooth coils as radial prisms with rounded corners; other windings as axial coil sides."""
    if not motor.stator.slots:
        half = motor.stator.length / 2 + 0.5 * motor.winding.end_length
        return _ring("winding", "stator", *sorted([d["r_gap"], d["r_winding"]]), -half, half, "coil")
    if motor.winding_layout()[2] == 1:
        return _tooth_coils(motor, d)
    return _coil_sides(motor, d)


def _copper_band(d) -> tuple[float, float]:
    """Radii between which the copper sits."""
    top = d["r_top"]
    clear = 0.03 * abs(d["r_bottom"] - top)
    return min(top, d["r_bottom"]) + clear, max(top, d["r_bottom"]) - clear


def _tooth_coils(motor, d) -> list[Part]:
    a, b = _copper_band(d)
    tooth = motor.stator.tooth_width
    if motor.stator.slot_shape == "radial_slot":
        tooth = 2 * b * np.sin(tooth / (2 * motor.stator.gap_radius))
    width = 0.45 * (2 * a * np.sin(d["half_pitch"]) - tooth)  # half the slot at its narrow end, a little less
    width = max(width, 0.05 * tooth)
    end, L = min(width, 0.5 * motor.winding.end_length), motor.stator.length
    inside = _rectangle(tooth / 2, L / 2)
    outside = _rounded(tooth / 2 + width, L / 2 + end, 0.6 * min(width, end))
    coils = tooth_coils(motor)
    # the prism's own frame: x along the tooth's width, y along the shaft, z outwards
    frame = np.array([[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    pitch = 2 * d["half_pitch"]
    phase = lambda c: "abc"[abs(c) - 1] + ("+" if c > 0 else "-")  # noqa: E731
    low, high = np.sqrt(a**2 - (tooth / 2) ** 2), np.sqrt(b**2 - (tooth / 2 + width) ** 2)  # between the arcs
    return [
        Part(
            f"coil_{k + 1:02d}",
            "stator",
            outside,
            low,
            high,
            "coil",
            (inside,),
            (k * pitch,),
            frame,
            (phase(c),),
        )
        for k, c in enumerate(coils)
        if c
    ]


def _rectangle(x: float, y: float) -> np.ndarray:
    """A rectangle of half sizes x, y (counter-clockwise)."""
    return np.array([[x, -y, 0], [x, y, 0], [-x, y, 0], [-x, -y, 0]], dtype=float)


def _rounded(x: float, y: float, r: float) -> np.ndarray:
    """A rectangle of half sizes x, y with straight-cut corners of size r (counter-clockwise)."""
    return np.array(
        [
            [x, -y + r, 0],
            [x, y - r, 0],
            [x - r, y, 0],
            [-x + r, y, 0],
            [-x, y - r, 0],
            [-x, -y + r, 0],
            [-x + r, -y, 0],
            [x - r, -y, 0],
        ],
        dtype=float,
    )


def _coil_sides(motor, d) -> list[Part]:
    a, b = _copper_band(d)
    half = motor.stator.length / 2 + 0.5 * motor.winding.end_length
    pitch, sides = 2 * d["half_pitch"], motor.winding_layout()[0]
    parts = []
    for s in range(sides.shape[1]):
        ta, tb = (float(tooth_half_angle(motor, r)) + 0.02 * pitch for r in (a, b))
        corner = lambda r, t, arc: [r * np.cos(t), r * np.sin(t), arc]  # noqa: E731
        outline = np.array([corner(a, ta, 0), corner(b, tb, 1), corner(b, pitch - tb, 0), corner(a, pitch - ta, 1)])
        k = int(np.argmax(np.abs(sides[:, s])))
        tag = "abc"[k] + ("+" if sides[k, s] > 0 else "-")
        parts.append(
            Part(f"coil_side_{s + 1:02d}", "stator", outline, -half, half, "coil", (), (s * pitch,), None, (tag,))
        )
    return parts


def motor_parts(motor) -> list[Part]:
    """Every part of a motor with geometry, stator body first."""
    d = motor.dims()
    return stator_parts(motor, d) + coil_parts(motor, d) + fixed_parts(motor, d) + rotor_parts(motor, d)
