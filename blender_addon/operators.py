# SPDX-License-Identifier: GPL-3.0-or-later
"""The import operator and its menu entry."""

import json

import bpy
import numpy as np
from bpy.props import FloatProperty, StringProperty
from bpy_extras.io_utils import ImportHelper


class POLEPAIR_OT_import_film(bpy.types.Operator, ImportHelper):
    """Imports the parts and keys of a run (film.npz of polepair)."""

    bl_idname = "polepair.import_film"
    bl_label = "Import polepair run"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012
    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    scale: FloatProperty(name="Scale", default=100.0, min=0.001, description="Blender units per metre")

    def execute(self, context):
        """Reads the file and adds the objects."""
        from .bake import add_parts, bake_run

        try:
            with np.load(self.filepath, allow_pickle=False) as z:
                data = dict(z)
            names = [row[0] for row in json.loads(str(data["about"]))]
            objects = add_parts(data, dict.fromkeys(names, "#999999"), self.scale)
            bake_run(objects, data)
        except (OSError, KeyError, ValueError) as e:
            self.report({"ERROR"}, f"{self.filepath}: not a polepair run ({e})")
            return {"CANCELLED"}
        context.scene.frame_end = len(data["rotor.keys"])
        return {"FINISHED"}


def _menu(self, _context):
    self.layout.operator(POLEPAIR_OT_import_film.bl_idname, text="polepair run (.npz)")


def register():
    """Registers the operator."""
    bpy.utils.register_class(POLEPAIR_OT_import_film)
    bpy.types.TOPBAR_MT_file_import.append(_menu)


def unregister():
    """Unregisters it."""
    bpy.types.TOPBAR_MT_file_import.remove(_menu)
    bpy.utils.unregister_class(POLEPAIR_OT_import_film)
