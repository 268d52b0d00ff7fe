"""The Motor object: properties from polepair's table, solids on recompute."""

from . import compat

pp = compat.import_polepair()

from polepair.draw.parts import motor_parts  # noqa: E402
from polepair.table import parameters  # noqa: E402

from . import document, solids  # noqa: E402

VERSION = 1


class MotorFeature(compat.JsonState):
    """Proxy of a Part::FeaturePython whose properties are the rows of the table."""

    def __init__(self, obj, motor=None):
        self.version = VERSION
        obj.Proxy = self
        self.add_properties(obj)
        if motor is not None:
            write_motor(obj, motor)

    def add_properties(self, obj):
        """Adds the properties that the object lacks: all of them at first, new rows of a later table on reopening."""
        for row in parameters().values():
            name = property_name(row)
            if hasattr(obj, name):
                continue
            unit = "" if row.unit in ("", "1") else f" [{'shown as a length' if row.unit == 'm' else row.unit}]"
            obj.addProperty(compat.property_type(row), name, row.group, f"{row.doc}{unit}")
            if row.choices:
                setattr(obj, name, list(row.choices))
            setattr(obj, name, compat.si_to_property(row, row.default))
        for name in ("psi_pm", "Kt", "Kv", "Rs", "Ld", "J", "mass"):
            if not hasattr(obj, name):
                field = pp.derived()[name]
                obj.addProperty("App::PropertyFloat", name, "derived", f"{field.doc} [{field.unit}]", 1)

    def onDocumentRestored(self, obj):
        """Adds what a newer table brought."""
        obj.Proxy = self
        self.add_properties(obj)

    def execute(self, obj):
        """Checks the parameters, derives the constants, builds the solids."""
        motor = read_motor(obj)
        derived = motor.derive()
        for name in ("psi_pm", "Kt", "Kv", "Rs", "Ld", "J", "mass"):
            setattr(obj, name, getattr(derived, name))
        if motor.has_geometry:
            placement = obj.Placement
            obj.Shape = document.compound(solids.build(motor_parts(motor)))
            obj.Placement = placement


def property_name(row) -> str:
    """Property of a row: the group keeps fields of the same name apart."""
    return f"{row.group}_{row.field}"


def read_motor(obj) -> "pp.Motor":
    """A polepair motor with the object's values; ValueError names what is out of range."""
    motor = pp.Motor(obj.Label)
    for row in parameters().values():
        motor.set(row.name, compat.property_to_si(row, getattr(obj, property_name(row))))
    return motor


def write_motor(obj, motor) -> None:
    """Sets the object's properties from a motor."""
    for row in parameters().values():
        setattr(obj, property_name(row), compat.si_to_property(row, motor.get(row.name)))


def make_motor(doc, name: str = "Motor", motor=None):
    """A new Motor object in a document; `motor` is a polepair Motor or a catalogue name."""
    if isinstance(motor, str):
        motor = pp.load(motor)
    obj = doc.addObject("Part::FeaturePython", name)
    MotorFeature(obj, motor)
    if obj.ViewObject:
        obj.ViewObject.Proxy = 0
    return obj
