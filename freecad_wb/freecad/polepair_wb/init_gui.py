"""Registers the workbench; FreeCAD imports this with a GUI."""

from importlib import resources

import FreeCAD
import FreeCADGui

ICON = str(resources.files(__package__).joinpath("resources", "polepair.svg"))


class AddMotor:
    """Command: a new motor from the catalogue's printable outrunner."""

    def GetResources(self):
        """Menu text and icon."""
        return {"MenuText": "New motor", "ToolTip": "Adds a motor whose dimensions are properties", "Pixmap": ICON}

    def IsActive(self):
        """Always available."""
        return True

    def Activated(self):
        """Adds the motor to the active or a new document."""
        from .motor_feature import make_motor

        doc = FreeCAD.ActiveDocument or FreeCAD.newDocument("Motor")
        make_motor(doc, "Motor", "outrunner-12s14p")
        doc.recompute()
        FreeCADGui.SendMsgToActiveView("ViewFit")


class PolepairWorkbench(FreeCADGui.Workbench):
    """polepair: motors as solids."""

    MenuText = "polepair"
    ToolTip = "Virtual twins of electric motors"
    Icon = ICON

    def Initialize(self):
        """Adds the commands; says in one line what is missing when polepair cannot be imported."""
        from . import compat

        try:
            compat.import_polepair()
        except ImportError as e:
            FreeCAD.Console.PrintError(f"{e}\n")
            return
        FreeCADGui.addCommand("Polepair_AddMotor", AddMotor())
        self.appendToolbar("polepair", ["Polepair_AddMotor"])
        self.appendMenu("polepair", ["Polepair_AddMotor"])

    def GetClassName(self):
        """Python workbench."""
        return "Gui::PythonWorkbench"


FreeCADGui.addWorkbench(PolepairWorkbench())
