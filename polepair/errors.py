"""Exceptions of polepair and the hints in them; every message is one line: what, where, expected."""


class FileError(ValueError):
    """A file that cannot be read, understood or written."""


class DiskError(FileError):
    """A file that the system did not let be read or written: rights, a full disk, a device that failed."""


class Interrupted(Exception):
    """Ctrl-C or SIGTERM left something undone; the message is the line that says what is kept and how to go on."""


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


class ClearTextWarning(UserWarning):
    """A password or token goes over the network where everybody on the way can read it."""


class UnknownNameError(KeyError):
    """A channel or column that a result does not have; the message names the nearest that it has."""

    def __str__(self) -> str:
        return str(self.args[0])


class StoreError(ValueError):
    """A store that cannot be opened, read or written."""


def plain(text, most: int = 400) -> str:
    """Text from a wire or a file as a terminal may have it: no control characters, no surrogates, not endless."""
    text = str(text)
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:most])
    return shown if len(text) <= most else f"{shown}..."


def nearest(name: str, known) -> str:
    """A hint with the closest known name, or an empty string."""
    from difflib import get_close_matches

    match = get_close_matches(str(name), list(known), 1, 0.5)
    return (
        f", did you mean {match[0]}?" if match else f", expected one of {', '.join(known)}" if len(known) < 30 else ""
    )


def taken(options, given: dict, where: str):
    """The NamedTuple class `options` filled with the keyword arguments given; TypeError names one that it lacks."""
    for name in given:
        if name not in options._fields:
            raise TypeError(f"{where}: {name}: no such argument{nearest(name, options._fields)}")
    return options(**given)
