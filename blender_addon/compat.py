# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender versions, in one place."""


def ensure_fcurve(owner, path: str, index: int = 0):
    """The F-curve of a property, made if needed: slots and layers from 4.4 on, plain actions before."""
    import bpy

    animation = owner.animation_data or owner.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{owner.name}_action")
    action = animation.action
    if hasattr(action, "fcurve_ensure_for_datablock"):
        return action.fcurve_ensure_for_datablock(owner, path, index=index)
    return action.fcurves.find(path, index=index) or action.fcurves.new(path, index=index)


def shade_by_angle(mesh, angle: float = 0.6) -> None:
    """Smooth shading with creases sharper than `angle` [rad] kept (4.1 on); flat before."""
    smooth = hasattr(mesh, "set_sharp_from_angle")
    mesh.polygons.foreach_set("use_smooth", [smooth] * len(mesh.polygons))
    if smooth:
        mesh.set_sharp_from_angle(angle=angle)


def write_video(scene, path: str) -> None:
    """H.264 in an MP4 file."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format = "MPEG4"
    scene.render.ffmpeg.codec = "H264"
    scene.render.ffmpeg.constant_rate_factor = "HIGH"
    scene.render.filepath = path
    scene.render.use_file_extension = False
