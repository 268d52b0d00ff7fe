"""polepair: virtual twins of electric motors.

    import polepair as pp
    motor = pp.load("spmloss-18s16p")
    run = pp.Twin(motor, control=pp.Foc(speed=400.0)).run(0.2)

Names are imported on first use, so that `import polepair` stays quick.
"""

from importlib import import_module

from ._core import version as __version__

_HOME = {
    "design.motor": ("Motor", "load", "loads", "catalogue"),
    "run.twin": ("Twin", "Foc", "SixStep", "Load", "Propeller"),
    "run.result": ("Result",),
    "run.warnings": ("strict",),
    "run.sweeps": ("sweep", "derive_sweep", "SweepTable", "load_table"),
    "design.maps": ("efficiency_map", "OperatingMap"),
    "table": ("parameters", "channels", "derived", "groups"),
    "errors": ("FileError", "DivergedError", "CadError", "LinkError"),
    "live.estimation": ("estimate",),
    "live.session": ("connect", "simulate", "replay", "Live"),
    "live.streams": ("Stream", "Format", "Layout", "frame"),
    "faces.report": ("write_report",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
__all__ = ["__version__", "plans", *_MODULE_OF]


def __getattr__(name: str):
    if name == "plans":
        return import_module(".run.plans", __name__)
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'polepair' has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
