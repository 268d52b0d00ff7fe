"""What differs between FreeCAD versions and installations, in one place."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]  # of a checkout: the folder that holds freecad_wb and polepair
LIBRARY_FOLDERS = ("/usr/lib/freecad-python3/lib", "/usr/lib/freecad/lib", "/usr/local/lib/freecad/lib")


def import_freecad():
    """FreeCAD's Python module, also from a plain python3; ImportError says what to install."""
    try:
        import FreeCAD
    except ImportError:
        sys.path.extend(p for p in LIBRARY_FOLDERS if Path(p).is_dir())
        try:
            import FreeCAD
        except ImportError:
            raise ImportError(
                "FreeCAD is missing, expected: apt-get install freecad-python3, or POLEPAIR_FREECAD_PYTHON"
            ) from None
    return FreeCAD


def import_polepair():
    """The polepair package: installed, or beside the workbench in a checkout."""
    try:
        import polepair
    except ImportError:
        if str(ROOT) not in sys.path:
            sys.path.append(str(ROOT))
        try:
            import polepair
        except ImportError as e:
            raise ImportError(
                f"polepair is missing ({e}), expected: pip install polepair in FreeCAD's Python, or make build"
            ) from None
    return polepair


class JsonState:
    """Proxy state for every FreeCAD: 0.20 calls __getstate__, later ones dumps; both stay JSON-plain."""

    def dumps(self):
        """State to store with the document."""
        return {"version": self.version}

    def loads(self, state):
        """Takes a stored state back."""
        self.version = (state or {}).get("version", 1)

    __getstate__ = dumps
    __setstate__ = loads


def property_type(row) -> str:
    """FreeCAD's property type of a table row; units FreeCAD 0.20 has no property for become plain numbers in SI."""
    if row.choices:
        return "App::PropertyEnumeration"
    if row.kind == "int":
        return "App::PropertyInteger"
    return "App::PropertyLength" if row.unit == "m" else "App::PropertyFloat"


def property_to_si(row, value):
    """A property's value as the table takes it."""
    return value.Value / 1000.0 if row.unit == "m" else value


def si_to_property(row, value):
    """A table value as the property takes it: lengths in mm."""
    return value * 1000.0 if row.unit == "m" else value
