"""Exceptions of polepair; every message is one line: what, where, expected."""


class FileError(ValueError):
    """A file that cannot be read, understood or written."""


class DivergedError(ArithmeticError):
    """A run left the finite numbers."""


class CadError(RuntimeError):
    """FreeCAD is missing, or its worker process failed."""
