"""A motor as a FreeCAD document: one group per rigid body, one feature per part; STEP export."""

import FreeCAD
import Part

COLOURS = {
    "stator": (0.45, 0.48, 0.53),
    "former": (0.85, 0.82, 0.72),
    "rotor": (0.62, 0.64, 0.68),
    "shaft": (0.8, 0.8, 0.82),
    "bearing": (0.7, 0.72, 0.75),
    "housing": (0.25, 0.27, 0.3),
    "magnet": (0.75, 0.38, 0.42),
    "coil": (0.83, 0.52, 0.25),
}


def group(document, label: str):
    """The App::Part of a rigid body, made on first use."""
    found = document.getObjectsByLabel(label)
    if found:
        return found[0]
    made = document.addObject("App::Part", label)
    made.Label = label
    return made


def fill(document, parts, solids):
    """Adds every part to its body's group; returns the groups."""
    bodies = {p.body: group(document, p.body) for p in parts}
    for p in parts:
        feature = document.addObject("Part::Feature", p.name)
        feature.Label = p.name
        feature.Shape = solids[p.name]
        bodies[p.body].addObject(feature)
        if feature.ViewObject:
            feature.ViewObject.ShapeColor = COLOURS.get(p.material, (0.6, 0.6, 0.6))
    document.recompute()
    return bodies


def export_step(parts, solids, path: str) -> None:
    """Writes a STEP file of the parts, grouped by body."""
    import Import

    document = FreeCAD.newDocument("polepair_step")
    try:
        Import.export(list(fill(document, parts, solids).values()), path)
    finally:
        FreeCAD.closeDocument(document.Name)


def compound(solids):
    """All solids as one shape."""
    return Part.Compound(list(solids.values()))
