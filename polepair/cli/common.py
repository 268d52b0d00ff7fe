"""Options and helpers of the commands."""

import contextlib
import json
import re
import sys
import warnings
from contextvars import ContextVar
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
FILE = click.Path(dir_okay=False, readable=False, path_type=Path)  # who may not read it is told by the reader, with 1


class Progress:
    """A progress bar on a terminal, silence elsewhere."""

    def __init__(self, label: str, quiet: bool):
        self.label, self.show, self.bar = label, not quiet and sys.stderr.isatty(), None

    def __enter__(self):
        if self.show:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn(self.label), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn()
            )
            self.bar.start()
            self.task = self.bar.add_task(self.label)
        return self

    def __call__(self, done: int, total: int) -> None:
        """Moves the bar."""
        if self.bar:
            self.bar.update(self.task, completed=done, total=total)

    def __exit__(self, *_):
        if self.bar:
            self.bar.stop()


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


_as_json: ContextVar[bool] = ContextVar("as_json", default=False)


@contextlib.contextmanager
def in_json(wanted: bool):
    """Inside, every line on stderr is a JSON object where wanted."""
    before = _as_json.set(wanted)
    try:
        yield
    finally:
        _as_json.reset(before)


def tell(text, kind: str = "error") -> None:
    """One line on stderr, whatever a file, a wire or a slip of the hand put into it; {kind: text} with --json."""
    said = plain(blotted(text), 4000)
    line = json.dumps({kind: said}) if _as_json.get() else f"polepair: {'' if kind == 'error' else f'{kind}: '}{said}"
    with contextlib.suppress(OSError):  # there is nobody left to tell
        click.echo(line, err=True)


@contextlib.contextmanager
def told_warnings():
    """Warnings inside are lines of the command: once each, without a place in the source."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: tell(message, "warning")
        warnings.simplefilter("once", ClearTextWarning)
        yield


def chosen_motor(name: str, settings=()):
    """The motor with the --set options laid over it."""
    from ..design.motor import _value
    from ..table import parameter

    motor = load(name)
    for item in settings:
        key, sign, text = (part.strip() for part in item.partition("="))
        if not sign:
            raise ValueError(f"--set {plain(item, 100)}: expected GROUP.FIELD=VALUE")
        try:
            motor.set(key, _value(parameter(key), text))
        except ValueError as e:
            said = str(e) if str(e).startswith(f"{key} = ") else f"--set {plain(item, 100)}: {e}"
            raise ValueError(said) from None
    return motor
