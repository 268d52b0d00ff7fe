"""FreeCAD runs this at start: announces the workbench's tests."""

import FreeCAD

FreeCAD.__unit_test__ += ["TestPolepair"]
