"""Options and helpers of the commands."""

import contextlib
import json
import re
import warnings
from pathlib import Path

import click
import numpy as np

from ..design.motor import load
from ..errors import ClearTextWarning, plain

RPM = 30 / np.pi
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="GROUP.FIELD=VALUE",
    help="Change a parameter; units allowed, as in a motor file.",
)
FILE = click.Path(dir_okay=False, path_type=Path)


def say(as_json: bool, data: dict, lines) -> None:
    """Prints data as JSON, or the lines."""
    if as_json:
        click.echo(json.dumps(data))
    else:
        for line in lines:
            click.echo(plain(line, 4000))


ADDRESS = re.compile(r"\b(?:mqtts?|https?):/+(?=\S*[:@])\S+|[^\s:]+:[^\s@]+@\S+", re.I)


def blotted(text) -> str:
    """Text without addresses that may hold a password: one may stand where a file or a name was expected."""
    return ADDRESS.sub("(an address)", str(text))


def tell(text) -> None:
    """One line on stderr, whatever a file, a wire or a slip of the hand put into it."""
    click.echo(f"polepair: {plain(blotted(text), 4000)}", err=True)


@contextlib.contextmanager
def told_warnings():
    """Warnings inside are lines of the command: once each, without a place in the source."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: tell(f"warning: {message}")
        warnings.simplefilter("once", ClearTextWarning)
        yield


def chosen_motor(name: str, settings=()):
    """The motor with the --set options laid over it."""
    from ..design.motor import _value
    from ..table import parameter

    motor = load(name)
    for item in settings:
        key, sign, text = item.partition("=")
        if not sign:
            raise ValueError(f"--set {plain(item, 100)}: expected GROUP.FIELD=VALUE")
        row = parameter(key)
        try:
            value = _value(row, text)
        except ValueError as e:
            raise ValueError(f"--set {key}={plain(text, 100)}: {e}") from None
        motor.set(key, value)
    return motor
