# SPDX-License-Identifier: GPL-3.0-or-later
"""polepair's Blender extension: puts a run of a motor onto its parts."""


def register():
    """Adds the operator and its panel."""
    from . import operators

    operators.register()


def unregister():
    """Takes them away again."""
    from . import operators

    operators.unregister()
