"""The polepair command. --json prints machine-readable results."""

import click

from .. import _core
from ..errors import CadError, DivergedError, FileError, LinkError, StoreError, plain
from . import faces, live, motors, recording, running
from .common import blotted, tell, told_warnings


class OneLine(click.Group):
    """Every error a user can cause ends as one line and exit code 2."""

    def invoke(self, ctx):
        """Runs the command."""
        try:
            with told_warnings():
                return super().invoke(ctx)
        except (FileError, DivergedError, CadError, LinkError, StoreError, ValueError) as e:
            tell(e)
            ctx.exit(2)
        except click.ClickException as e:
            e.message = plain(blotted(e.message), 4000)
            raise
        except ImportError as e:
            tell(f"{e.name} is missing, expected: pip install 'polepair[report]'")
            ctx.exit(2)


@click.group(cls=OneLine)
@click.version_option(_core.version)
def main():
    """Virtual twins of electric motors."""


for room in (motors, running, faces, live, recording):
    for command in room.COMMANDS:
        main.add_command(command)
