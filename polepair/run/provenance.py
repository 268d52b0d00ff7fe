"""What a result is of: the motor with every value that differs from its default, how it was run, by what and when.

A description is a plain dict (JSON) in `Result.about`: kind, motor, digest, settings, what the run was asked for,
version, date, duration and command. The last three are in no digest of channels.
"""

import hashlib
import json
import time
from contextvars import ContextVar
from functools import partial

import numpy as np

from .. import _core
from ..design.motor import Motor
from ..errors import FileError, plain
from ..table import parameters

COMMAND: ContextVar[str | None] = ContextVar("command", default=None)  # the command line, where there is one
NOT_THE_MOTOR = ("drive", "control", "load")  # groups that no drawing and no solid depends on


def describe(motor: Motor, began: float | None = None, **asked) -> dict:
    """The description of a result of `motor` as it is now; `asked` are the options of the run, by name.

    began: time.time() of its start; with it the duration [s] is told as well.
    """
    return later(motor, began, **asked)()


def later(motor: Motor, began: float | None = None, **asked):
    """A function that gives the description of now: short runs do not wait for what is asked for seldom."""
    now = time.time()
    return partial(_described, motor.name, motor.values(), began or now, now, COMMAND.get(), asked)


def _described(name: str, values: np.ndarray, began: float, ended: float, command: str | None, asked: dict) -> dict:
    about = {"motor": name, "digest": parameters_digest(values), "settings": _settings(values), **asked}
    about["version"] = _core.version
    about["date"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))
    about["duration"] = round(ended - began, 6)
    if command:
        about["command"] = command
    return about


def parameters_digest(values) -> str:
    """Of all parameters with their names; the same on every platform, another after any change."""
    made = hashlib.blake2b(json.dumps(list(parameters())).encode(), digest_size=16)
    made.update((np.asarray(values, dtype="<f8") + 0.0).tobytes())  # -0 is 0
    return made.hexdigest()


def channels_digest(names, block: np.ndarray) -> str:
    """Of names and numbers alone: equal for two runs of the same."""
    from .saved import digest

    return digest(names, block, "")


def _settings(values) -> dict[str, float | int | str]:
    """What differs from its default, by full name."""
    found = {}
    for row, number in zip(parameters().values(), values.tolist(), strict=True):
        value = number
        if row.choices:
            value = row.choices[int(number)]
        elif row.kind == "int":
            value = int(number)
        if value != row.default:
            found[row.name] = value
    return found


def known_settings(about: dict) -> dict | None:
    """The settings that a description holds; None where it holds none (files of older versions)."""
    held = about.get("settings")
    return held if isinstance(held, dict) and isinstance(about.get("digest"), str) else None


def kind(about: dict, names) -> str:
    """run, sweep, derive, estimate; by the columns where the file does not say."""
    said = about.get("kind")
    if isinstance(said, str):
        return plain(said, 40)
    if "status" in names:
        return "sweep"
    return "estimate" if "method" in about else "run"


def first_difference(about: dict, motor: Motor, where="the result", without=()) -> str | None:
    """The first thing in which the motor of a description is not this one, as a line; None where nothing differs.

    Where an old file holds no values, names are compared. `without`: groups or names that do not matter.
    """
    settings = known_settings(about)
    name = about.get("motor")
    if settings is None:
        other = isinstance(name, str) and name != motor.name
        return f"{where} is of {plain(name, 100)}, expected one of {plain(motor.name, 100)}" if other else None
    if about["digest"] == parameters_digest(motor.values()):
        return None
    own = motor.changed()
    for row in parameters().values():
        there, here = (values.get(row.name, row.default) for values in (settings, own))
        if there != here and row.group not in without and row.name not in without:
            of = f" of {plain(name, 100)}" if name != motor.name else ""
            return f"{_shown(row, there)} in {where}{of}, {_shown(row, here, False)} in the motor"
    return None


def _shown(row, value, named: bool = True) -> str:
    unit = "" if row.unit == "1" or row.choices else row.unit
    text = f"{value:.12g}" if isinstance(value, (int, float)) else plain(value, 100)
    return f"{row.name} = {text} {unit}".rstrip() if named else f"{text} {unit}".rstrip()


def motor_of(about: dict, where) -> Motor:
    """The motor of a description; FileError where it holds too little, or this version makes another one of it."""
    settings = known_settings(about)
    if settings is None:
        raise FileError(f"{where}: does not say which values its motor had (an older file), expected one that does")
    motor = Motor(plain(about.get("motor", "unnamed"), 1000))
    try:
        for name, value in settings.items():
            motor.set(name, value)
    except (ValueError, TypeError, AttributeError) as e:
        raise FileError(f"{where}: {plain(e, 200)}, expected values of this version's parameters") from None
    if about["digest"] != parameters_digest(motor.values()):
        version = plain(about.get("version"), 40)
        raise FileError(f"{where}: its motor is another one here, expected polepair {version}, not {_core.version}")
    return motor
