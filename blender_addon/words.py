# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and colour keys before the camera: what a clip shows, when, and how much slower than life."""

import bpy

INK = (0.07, 0.10, 0.14, 1.0)
HALF = 0.3  # half the picture's width over the distance of the words, for a lens of 60 on a sensor of 36


def _colour(text: str):
    """Red, green, blue, alpha of "#rrggbb"."""
    return (*(int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0)


class Sheet:
    """A pane before the camera; places are shares of the picture's width from its middle."""

    def __init__(self, scene, camera):
        self.scene, self.camera = scene, camera
        self.high = scene.render.resolution_y / scene.render.resolution_x

    def hang(self, name: str, data, x: float, y: float, colour):
        """An object at a place of the pane, in one colour."""
        obj = bpy.data.objects.new(name, data)
        obj.parent, obj.color = self.camera, colour
        obj.location = (2 * HALF * x, 2 * HALF * y, -1.0)
        self.scene.collection.objects.link(obj)
        return obj

    def text(self, name: str, body: str, x: float, y: float, align: str = "LEFT", size: float = 0.026):
        """A line of text, `size` of the picture's width high."""
        curve = bpy.data.curves.new(name, "FONT")
        curve.body, curve.align_x, curve.size = body, align, 2 * HALF * size
        return self.hang(name, curve, x, y, INK)

    def box(self, name: str, x: float, y: float, wide: float, high: float, colour):
        """A filled rectangle, (x, y) its lower left corner."""
        mesh = bpy.data.meshes.new(name)
        corners = [(0, 0, 0), (wide, 0, 0), (wide, high, 0), (0, high, 0)]
        mesh.from_pydata([tuple(2 * HALF * c for c in corner) for corner in corners], [], [(0, 1, 2, 3)])
        return self.hang(name, mesh, x, y, colour)


def write_on(scene, camera, said: dict) -> None:
    """Title, slow motion and keys once; time and speed anew in every frame."""
    sheet = Sheet(scene, camera)
    top, foot = sheet.high / 2 - 0.045, 0.03 - sheet.high / 2
    sheet.text("title", said["title"], -0.48, top)
    sheet.text("slow", said["slow"], 0.48, top, "RIGHT")
    clock = sheet.text("clock", said["frames"][0], -0.48, foot)
    step, start = 0.018, 0.24
    for k, colour in enumerate(said["scale"]["colours"]):
        sheet.box(f"scale_{k}", start + k * step, foot, step, 0.018, (*colour, 1.0))
    low, high = said["scale"]["ends"]
    sheet.text("scale_low", low, start - 0.01, foot, "RIGHT", 0.02)
    sheet.text("scale_high", high, start + len(said["scale"]["colours"]) * step + 0.01, foot, "LEFT", 0.02)
    sheet.text("scale_name", "coil current", start, foot + 0.028, "LEFT", 0.02)
    for k, (name, colour) in enumerate(said["poles"].items()):
        y = foot + 0.09 - 0.03 * k
        sheet.box(f"pole_{name}", start, y, step, 0.018, _colour(colour))
        sheet.text(f"pole_{name}_name", f"{name} pole", start + 1.6 * step, y, "LEFT", 0.02)

    def tell(scene, *_):
        clock.data.body = said["frames"][min(scene.frame_current, len(said["frames"])) - 1]

    bpy.app.handlers.frame_change_pre.append(tell)
