"""Tests inside FreeCAD: freecadcmd -t TestPolepair."""

import os
import tempfile
import unittest

import FreeCAD
from freecad.polepair_wb import compat

pp = compat.import_polepair()


class MotorObject(unittest.TestCase):
    """The Motor object: properties from the table, recompute, save and reopen."""

    def setUp(self):
        from freecad.polepair_wb.motor_feature import make_motor

        self.doc = FreeCAD.newDocument("test")
        self.motor = make_motor(self.doc, "Motor", "outrunner-12s14p")
        self.doc.recompute()

    def tearDown(self):
        for name in list(FreeCAD.listDocuments()):
            FreeCAD.closeDocument(name)

    def test_every_row_is_a_property(self):
        for row in pp.parameters().values():
            self.assertIn(f"{row.group}_{row.field}", self.motor.PropertiesList)
            self.assertTrue(self.motor.getDocumentationOfProperty(f"{row.group}_{row.field}").startswith(row.doc))

    def test_round_trip_of_every_row(self):
        from freecad.polepair_wb.motor_feature import read_motor

        self.assertEqual(read_motor(self.motor).changed().keys(), pp.load("outrunner-12s14p").changed().keys())
        for name, value in pp.load("outrunner-12s14p").changed().items():
            read = read_motor(self.motor).get(name)
            if isinstance(value, str):
                self.assertEqual(read, value)
            else:
                self.assertAlmostEqual(read, value, delta=1e-12 * abs(value))

    def test_solids_and_constants(self):
        self.assertEqual(len(self.motor.Shape.Solids), len(solid_names()))
        self.assertAlmostEqual(self.motor.psi_pm, pp.load("outrunner-12s14p").derive().psi_pm, places=12)

    def test_change_recomputes(self):
        before, volume = self.motor.psi_pm, self.motor.Shape.Volume
        self.motor.stator_length = "20 mm"
        self.doc.recompute()
        self.assertAlmostEqual(self.motor.psi_pm / before, 2.0, places=9)
        self.assertGreater(self.motor.Shape.Volume, 1.3 * volume)

    def test_bad_value_leaves_an_error(self):
        self.motor.stator_slots = 10
        self.doc.recompute()
        self.assertIn("Invalid", self.motor.State)
        self.motor.stator_slots = 12
        self.doc.recompute()
        self.assertNotIn("Invalid", self.motor.State)

    def test_save_and_reopen(self):
        path = os.path.join(tempfile.mkdtemp(), "motor.FCStd")
        self.motor.magnet_Br = 1.11
        self.doc.recompute()
        expected = self.motor.psi_pm
        self.doc.saveAs(path)
        FreeCAD.closeDocument(self.doc.Name)
        reopened = FreeCAD.openDocument(path).getObject("Motor")
        self.assertEqual(reopened.magnet_Br, 1.11)
        self.assertEqual(reopened.Proxy.version, 1)
        reopened.touch()
        reopened.Document.recompute()
        self.assertEqual(reopened.psi_pm, expected)


def solid_names():
    """Names of the solids of the test motor."""
    from polepair.draw.parts import motor_parts

    return [p.name for p in motor_parts(pp.load("outrunner-12s14p"))]
