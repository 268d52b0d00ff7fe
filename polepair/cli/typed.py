"""Commands whose results say how they were asked for."""

import os
import shlex

import click

from ..run.provenance import COMMAND
from .common import blotted

LONGEST = 4000  # characters of a command line in a result


class Typed(click.Command):
    """A command that knows what was typed: results made inside carry it."""

    def make_context(self, info_name, args, parent=None, **extra):
        """Keeps the words before they are parsed."""
        words = ["polepair", info_name or self.name, *args]
        context = super().make_context(info_name, args, parent, **extra)
        typed = os.fsencode(shlex.join(words)).decode("utf-8", "backslashreplace")  # a page and JSON are UTF-8
        context.meta["polepair.typed"] = blotted(typed)[:LONGEST]
        return context

    def invoke(self, ctx):
        """Runs the command."""
        before = COMMAND.set(ctx.meta["polepair.typed"])
        try:
            return super().invoke(ctx)
        finally:
            COMMAND.reset(before)
