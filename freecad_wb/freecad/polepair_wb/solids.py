"""Solids from parts, without booleans. FreeCAD works in millimetres; polepair's parts are in metres."""

import math

import FreeCAD
import Part

MM = 1000.0
INERTIA = 1e-15  # FreeCAD's mm^5 times density in kg/m^3 -> kg m^2
PLANE = Part.Plane()


def _vector(vertex):
    return FreeCAD.Vector(vertex[0] * MM, vertex[1] * MM, 0)


def _arc(a, b):
    """Edge from a to b along the circle about the axis, the shorter way."""
    r, start = math.hypot(a[0], a[1]), math.atan2(a[1], a[0])
    turn = math.remainder(math.atan2(b[1], b[0]) - start, 2 * math.pi)
    middle = (r * math.cos(start + turn / 2), r * math.sin(start + turn / 2))
    return Part.Arc(_vector(a), _vector(middle), _vector(b)).toShape()


def wire(outline):
    """A closed wire from an outline (x, y, arc flag); one vertex is a full circle."""
    points = outline.tolist()
    if len(points) == 1:
        return Part.Wire([Part.makeCircle(points[0][0] * MM)])
    edges = []
    for a, b in zip(points, points[1:] + points[:1]):  # noqa: B905
        edges.append(_arc(a, b) if a[2] else Part.LineSegment(_vector(a), _vector(b)).toShape())
    return Part.Wire(edges)


def _counter_clockwise(outline) -> bool:
    p = outline.tolist()
    return len(p) == 1 or sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(p, p[1:] + p[:1])) > 0  # noqa: B905


def face(outline, holes):
    """A face in the plane z = 0. Inner wires have to run against the outer one: FreeCAD adds them up otherwise.

    The plane is given, because finding it from the edges takes longer than all the rest (5 of 9 ms for a motor).
    """
    outer = wire(outline) if _counter_clockwise(outline) else wire(outline).reversed()
    inner = [wire(h).reversed() if _counter_clockwise(h) else wire(h) for h in holes]
    return Part.Face(PLANE, [outer, *inner])


def _matrix(frame):
    if frame is None:
        return FreeCAD.Matrix()
    rows = [[*row[:3], row[3] * MM] for row in frame.tolist()]
    return FreeCAD.Matrix(*[v for row in rows for v in row], 0, 0, 0, 1)


def _key(part):
    return (
        part.outline.tobytes(),
        tuple(h.tobytes() for h in part.holes),
        part.z0,
        part.z1,
        None if part.frame is None else part.frame.tobytes(),
    )


def build(parts) -> dict:
    """Solid of every part by name, in place; equal parts share one shape."""
    shapes, solids = {}, {}
    for part in parts:
        key = _key(part)
        if key not in shapes:
            solid = face(part.outline, part.holes).extrude(FreeCAD.Vector(0, 0, (part.z1 - part.z0) * MM))
            place = FreeCAD.Matrix()
            place.move(FreeCAD.Vector(0, 0, part.z0 * MM))
            shapes[key] = solid, _matrix(part.frame) * place
        solid, rest = shapes[key]
        for k, angle in enumerate(part.copies):
            turn = FreeCAD.Matrix()
            turn.rotateZ(angle)
            name = part.name if len(part.copies) == 1 else f"{part.name}_{k + 1:02d}"
            solids[name] = solid.transformed(turn * rest, False)
    return solids


def properties(solid, density: float) -> dict:
    """Mass [kg], centre [m] and inertia tensor about the centre [kg m^2] of a solid."""
    c, m = solid.CenterOfMass, solid.MatrixOfInertia
    s = density * INERTIA
    tensor = [[m.A11 * s, m.A12 * s, m.A13 * s], [m.A21 * s, m.A22 * s, m.A23 * s], [m.A31 * s, m.A32 * s, m.A33 * s]]
    return {
        "volume": solid.Volume / MM**3,
        "mass": density * solid.Volume / MM**3,
        "centre": [c.x / MM, c.y / MM, c.z / MM],
        "inertia": tensor,
    }


def combine(bodies) -> dict:
    """Several bodies as one: parallel-axis theorem about the common centre."""
    mass = sum(b["mass"] for b in bodies)
    centre = [sum(b["mass"] * b["centre"][i] for b in bodies) / mass for i in range(3)]
    tensor = [[0.0] * 3 for _ in range(3)]
    for b in bodies:
        d = [b["centre"][i] - centre[i] for i in range(3)]
        square = sum(x * x for x in d)
        for i in range(3):
            for j in range(3):
                tensor[i][j] += b["inertia"][i][j] + b["mass"] * ((square if i == j else 0.0) - d[i] * d[j])
    return {"volume": sum(b["volume"] for b in bodies), "mass": mass, "centre": centre, "inertia": tensor}


def density_of(motor, material: str) -> float:
    """Density [kg/m^3] of a part's material."""
    m = motor.material
    stator = m.density_stator * (motor.stator.stacking_factor if motor.stator.core == "iron" else 1.0)
    named = {
        "stator": stator,
        "former": stator,
        "magnet": m.density_magnet,
        "coil": m.density_conductor,
        "housing": m.density_housing,
    }
    return named.get(material, m.density_rotor)


def mass_report(motor, parts, solids) -> dict:
    """Mass properties of every part, and of the rotor as one body."""
    report = {p.name: properties(solids[p.name], density_of(motor, p.material)) for p in parts}
    report["rotor"] = combine([report[p.name] for p in parts if p.body == "rotor"])
    return report


def meshes(parts, solids, deflection: float = 0.08) -> dict:
    """Triangles of every part: vertices float [m] and faces, in place."""
    out = {}
    for p in parts:
        vertices, faces = solids[p.name].tessellate(deflection)
        out[p.name] = [(v.x / MM, v.y / MM, v.z / MM) for v in vertices], faces
    return out
