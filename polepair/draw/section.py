"""Cross-section of a motor as plain polygons: for the report's drawing and for anything else that draws."""

from dataclasses import dataclass

import numpy as np

PHASES = "abc"
PHASE_COLOURS = {"a": "#d64545", "b": "#2f9e6e", "c": "#2f6fd6"}
POLE_COLOURS = {"north": "#b07d2b", "south": "#6b5b95"}  # none of a phase, none of a current
MATERIAL_COLOURS = {
    "stator": "#7c8794",
    "former": "#e6dfc8",
    "rotor": "#aab4bf",
    "shaft": "#d5dae0",
    "bearing": "#c3cad2",
    "housing": "#3e4c59",
    "magnet": "#c8553d",
    "coil": "#d98b3a",
}


def part_colour(material: str, tag: str = "") -> str:
    """Colour of a part; coils by phase, magnets by pole."""
    if material == "coil" and tag[:1] in PHASE_COLOURS:
        return PHASE_COLOURS[tag[0]]
    if material == "magnet" and tag in POLE_COLOURS:
        return POLE_COLOURS[tag]
    return MATERIAL_COLOURS.get(material, "#999999")


@dataclass(frozen=True)
class Shape:
    """A filled polygon [m]: kind is stator, rotor, magnet, shaft, coil, housing or former."""

    kind: str
    points: np.ndarray
    holes: tuple = ()
    phase: str = ""
    sign: int = 0


def rotate(points: np.ndarray, angle: float) -> np.ndarray:
    """Points (n, 2) turned about the axis."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def flatten(outline: np.ndarray, chord: float = 0.03, closed: bool = True) -> np.ndarray:
    """Arcs of an outline (x, y, arc flag) about the axis broken into chords of at most `chord` radians."""
    out = []
    pairs = list(zip(outline, np.roll(outline, -1, axis=0), strict=True))
    for a, b in pairs if closed else pairs[:-1]:
        out.append(a[:2])
        if a[2]:
            r, start = np.hypot(a[0], a[1]), np.arctan2(a[1], a[0])
            turn = (np.arctan2(b[1], b[0]) - start + np.pi) % (2 * np.pi) - np.pi
            n = max(2, int(np.ceil(abs(turn) / chord)))
            angles = start + turn * np.arange(1, n) / n
            out.extend(r * np.column_stack([np.cos(angles), np.sin(angles)]))
    if not closed:
        out.append(outline[-1, :2])
    return np.array(out)


def circle(radius: float, n: int = 180) -> np.ndarray:
    """A full circle as a polygon."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return radius * np.column_stack([np.cos(t), np.sin(t)])


def ring(kind: str, r_in: float, r_out: float) -> Shape:
    """A ring, or a disc where r_in is 0."""
    return Shape(kind, circle(r_out), (circle(r_in),) if r_in > 0 else ())


def stator_contour(motor) -> np.ndarray:
    """The gap-side contour of a slotted stator, all the way round."""
    tooth = flatten(motor.outline("tooth"), closed=False)[:-1]
    pitch = 2 * motor.dims()["half_pitch"]
    return np.concatenate([rotate(tooth, k * pitch) for k in range(motor.stator.slots)])


def core_outline(motor) -> np.ndarray:
    """Magnet side of the rotor core: a circle, with flats where the magnets are flat."""
    d, poles = motor.dims(), 2 * motor.rotor.pole_pairs
    if motor.magnet.shape == "arc":
        return circle(d["r_base"])
    half = motor.magnet.width / 2
    edge = flatten(
        np.array(
            [
                [d["r_base"], -half, 0],
                [d["r_base"], half, 1],
                [*rotate(np.array([d["r_base"], -half]), 2 * np.pi / poles), 0],
            ]
        ),
        closed=False,
    )
    return np.concatenate([rotate(edge[:-1], 2 * np.pi * k / poles) for k in range(poles)])


def coil_sides(motor) -> list[Shape]:
    """One shape per coil side, with its phase and sense."""
    d, (sides, _, span) = motor.dims(), motor.winding_layout()
    pitch = 2 * d["half_pitch"]
    tooth_wound = span == 1 and motor.winding.layers == 2 and motor.stator.slots > 0
    coils = tooth_coils(motor) if tooth_wound else None
    shapes = []
    for slot in range(sides.shape[1]):
        for half, phase, sign in _slot_content(sides, slot, coils):
            shapes.append(Shape("coil", _coil_polygon(motor, d, slot, half, pitch), (), PHASES[phase], sign))
    return shapes


def _slot_content(sides, slot: int, coils):
    """(half, phase, sign) of a slot: half -1/+1 beside the lower/upper tooth, 0 for the whole slot."""
    if coils is None:
        inside = [(k, int(sides[k, slot])) for k in range(3) if sides[k, slot]]
        return [(0, k, int(np.sign(n))) for k, n in inside[:1]]
    low, high = coils[slot], coils[(slot + 1) % len(coils)]
    return [(-1, abs(low) - 1, -int(np.sign(low))), (1, abs(high) - 1, int(np.sign(high)))]


def tooth_coils(motor) -> np.ndarray:
    """Phase (+-1, 2, 3) of the coil on each tooth of a tooth-coil winding.

    Tooth k stands at the angle k pitch, slot k half a pitch on; the coil that starts in slot k goes round tooth k+1.
    """
    return np.roll(motor.winding_layout()[1], 1).astype(int)


def tooth_half_angle(motor, r):
    """Half angle of the tooth body seen from the axis at radius r (a number or an array)."""
    if motor.stator.slot_shape == "radial_slot":
        return 0 * r + motor.stator.tooth_width / (2 * motor.stator.gap_radius)
    return np.arcsin(motor.stator.tooth_width / 2 / r)


def _coil_polygon(motor, d, slot: int, half: int, pitch: float) -> np.ndarray:
    """The copper of a slot (or half of it) between two teeth, with a little clearance."""
    middle = (slot + 0.5) * pitch
    if not motor.stator.slots:
        a, b = sorted([d["r_gap"], d["r_winding"]])
        t = middle + np.linspace(-0.47, 0.47, 16) * pitch
    else:
        top = d["r_top"]
        a, b = sorted([top + 0.02 * (d["r_bottom"] - top), d["r_bottom"] - 0.03 * (d["r_bottom"] - top)])
        return _between_teeth(motor, d, middle, half, a, b)
    return np.concatenate(
        [b * np.column_stack([np.cos(t), np.sin(t)]), a * np.column_stack([np.cos(t[::-1]), np.sin(t[::-1])])]
    )


def _between_teeth(motor, d, middle: float, half: int, a: float, b: float) -> np.ndarray:
    r = np.linspace(a, b, 8)
    tooth = tooth_half_angle(motor, r)
    side = d["half_pitch"] - tooth - 0.0003 * d["r_gap"] / r / 0.02  # a slot liner's worth of clearance
    low = middle - side if half <= 0 else np.full_like(r, middle) + 0.06 * side
    high = middle + side if half >= 0 else np.full_like(r, middle) - 0.06 * side
    edge = lambda angle, radius: np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])  # noqa: E731
    return np.concatenate([edge(low, r), edge(high[::-1], r[::-1])])


def cross_section(motor, rotor_angle: float = 0.0) -> list[Shape]:
    """Every shape of the cross-section, the rotor turned by `rotor_angle` [rad], in drawing order."""
    d = motor.dims()
    inner = d["sign"] > 0
    shapes = []
    if motor.material.housing_thickness > 0 and inner:
        shapes.append(ring("housing", d["r_yoke"], d["r_housing"]))
    kind = "stator" if motor.stator.core == "iron" else "former"
    contour = stator_contour(motor) if motor.stator.slots else circle(d["r_gap"])
    yoke = circle(d["r_yoke"])
    shapes.append(Shape(kind, yoke if inner else contour, (contour if inner else yoke,)))
    shapes += coil_sides(motor)
    core, far = rotate(core_outline(motor), rotor_angle), d["r_core"]
    inside = (circle(far),) if far > 0 else ()
    shapes.append(Shape("rotor", core if inner else circle(far), inside if inner else (core,)))
    magnet = flatten(motor.outline("magnet"))
    for k in range(2 * motor.rotor.pole_pairs):
        angle = rotor_angle + np.pi * k / motor.rotor.pole_pairs
        shapes.append(Shape("magnet", rotate(magnet, angle), (), "", 1 if k % 2 == 0 else -1))
    if d["r_shaft"] > 0:
        shapes.append(ring("shaft", 0, d["r_shaft"]))
    return shapes
