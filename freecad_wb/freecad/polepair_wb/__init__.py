"""polepair's FreeCAD workbench: motors as solids."""
