# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts and keys into a scene: plain functions over arrays, used by the operator and by render.py."""

import json

import bpy
import numpy as np

from .compat import ensure_fcurve, shade_by_angle


def set_keys(owner, path: str, index: int, keys) -> None:
    """Replaces the keys of a property by float32 (n, 2) of frame and value, linear in between."""
    curve = ensure_fcurve(owner, path, index)
    points = curve.keyframe_points
    points.clear()
    points.add(len(keys))
    points.foreach_set("co", np.ascontiguousarray(keys, dtype=np.float32).ravel())
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
    points.foreach_set("interpolation", np.full(len(keys), linear, dtype=np.uint8))
    curve.update()


def add_mesh(name: str, vertices, faces):
    """A mesh object from vertices (n, 3) and triangles (m, 3)."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).ravel())
    mesh.loops.add(3 * len(faces))
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(faces, dtype=np.int32).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * len(faces), 3, dtype=np.int32))
    if bpy.app.version < (4, 1, 0):
        mesh.polygons.foreach_set("loop_total", np.full(len(faces), 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    shade_by_angle(mesh)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def add_parts(data, colours, scale: float) -> dict:
    """Objects of every part by name, parented to one empty per rigid body; lengths times `scale`."""
    bodies, objects = {}, {}
    for name, body, *_ in json.loads(str(data["about"])):
        if body not in bodies:
            bodies[body] = bpy.data.objects.new(body, None)
            bodies[body].rotation_mode = "XYZ"
            bpy.context.scene.collection.objects.link(bodies[body])
        obj = add_mesh(name, data[f"{name}.vertices"] * scale, data[f"{name}.faces"])
        obj.parent = bodies[body]
        obj.color = (*(int(colours[name][i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0)
        objects[name] = obj
    return {**objects, **bodies}


def bake_run(objects, data) -> int:
    """Rotor angle and coil colours onto the parts; returns the number of keys."""
    count = len(data["rotor.keys"])
    set_keys(objects["rotor"], "rotation_euler", 2, data["rotor.keys"])
    frames = np.arange(1, count + 1, dtype=np.float32)
    total = count
    for name in [k.removesuffix(".colours") for k in data if k.endswith(".colours")]:
        for channel in range(3):
            set_keys(objects[name], "color", channel, np.column_stack([frames, data[f"{name}.colours"][:, channel]]))
            total += count
    return total
