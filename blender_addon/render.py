# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a clip without a display: python -m polepair_blender.render REQUEST.json.

In a process of its own, because Blender aborts without EGL.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np

import bpy  # isort: skip

from . import bake, compat, words


def light_and_camera(scene, reach: float) -> None:
    """A camera that sees the whole motor from above the shaft's end, and a sun."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = 60
    tilt, turn, distance = math.radians(38), math.radians(-60), 6.6 * reach
    camera.location = (
        distance * math.sin(tilt) * math.cos(turn),
        distance * math.sin(tilt) * math.sin(turn),
        distance * math.cos(tilt),
    )
    camera.rotation_euler = (tilt, 0, turn + math.pi / 2)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy = 3.0
    sun.rotation_euler = (0.6, 0.3, 0)
    for obj in (camera, sun):
        scene.collection.objects.link(obj)
    scene.camera = camera


def set_up(scene, request) -> None:
    """Engine, size, frames and file."""
    scene.render.engine = request["engine"]
    scene.render.resolution_x, scene.render.resolution_y = request["size"]
    scene.render.resolution_percentage = 100
    scene.render.fps = request["fps"]
    scene.frame_start, scene.frame_end = 1, request["frames"]
    if request["engine"] == "CYCLES":
        scene.cycles.samples = 4
        scene.cycles.device = "CPU"
        return
    shading = scene.display.shading
    shading.light, shading.color_type, shading.show_cavity = "STUDIO", "OBJECT", True
    scene.display.render_aa = "5"
    scene.view_settings.view_transform = "Standard"
    shading.background_type = "WORLD"


def tell_frame(scene, *_) -> None:
    """A line for the caller's progress bar."""
    print(f"polepair: frame {scene.frame_current}", flush=True)


def paint(scene) -> None:
    """Gives every mesh and text a material of its object's colour, which Workbench takes by itself."""
    material = bpy.data.materials.new("by object")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    told = nodes.new("ShaderNodeObjectInfo")
    links.new(told.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    for obj in scene.objects:
        if obj.type in ("MESH", "FONT"):
            obj.data.materials.append(material)


def main() -> int:
    """Builds the scene and renders it."""
    request = json.loads(Path(sys.argv[1]).read_text())
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    world = bpy.data.worlds.new("world")
    world.color = (0.93, 0.94, 0.96)
    scene.world = world
    with np.load(request["data"], allow_pickle=False) as z:
        data = dict(z)
    hidden = {row[0] for row in json.loads(str(data["about"])) if row[2] == "housing"}
    objects = bake.add_parts(data, request["colours"], 100.0)
    for name in hidden:
        objects[name].hide_render = True
    bake.bake_run(objects, data)
    reach = max(float(np.abs(data[k]).max()) for k in data if k.endswith(".vertices")) * 100.0
    light_and_camera(scene, reach)
    set_up(scene, request)
    words.write_on(scene, scene.camera, request["words"])
    if request["engine"] == "CYCLES":
        paint(scene)
    bpy.app.handlers.render_post.append(tell_frame)
    compat.write_video(scene, request["out"])
    bpy.ops.render.render(animation=True)
    return 0


if __name__ == "__main__":
    try:
        code = main()
    finally:  # functions that Blender still holds keep it from ending
        bpy.app.handlers.frame_change_pre.clear()
        bpy.app.handlers.render_post.clear()
    sys.exit(code)
