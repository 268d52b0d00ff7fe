"""Exceptions of polepair; every message is one line: what, where, expected."""


class FileError(ValueError):
    """A file that cannot be read, understood or written."""


class DivergedError(ArithmeticError):
    """A run left the finite numbers."""


class CadError(RuntimeError):
    """FreeCAD is missing, or its worker process failed."""


class LinkError(ConnectionError):
    """A broker that does not answer, or a link that cannot be made."""


class AuthenticationError(LinkError):
    """The broker does not know this user, or not with this password."""


class AccessError(LinkError):
    """The broker's access list denies the topic."""


class CertificateError(LinkError):
    """TLS failed: unknown authority, expired certificate, another host name."""


class StoreError(ValueError):
    """A store that cannot be opened, read or written."""
