"""The polepair command, and the one place where its errors end: a line on stderr and an exit code.

2: the user's mistake. 1: the world's (rights, disk, broker, memory, what is not installed), or the command says that
something was lost. 130: Ctrl-C or SIGTERM left something undone. 70: a defect of polepair.
With --json the line is a JSON object. POLEPAIR_DEBUG=1 shows the traceback before it.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from importlib import import_module

import click

from .. import _core
from ..errors import CadError, DiskError, DivergedError, Interrupted, LinkError
from .common import in_json, tell, told_warnings

ROOMS = {  # the commands of each; a name that is not here is looked for in all
    "motors": ("list", "design"),
    "running": ("run", "sweep"),
    "results": ("show", "rerun"),
    "faces": ("report", "film"),
    "live": ("estimate", "live", "device", "replay", "broker-config"),
    "recording": ("record", "verify", "export"),
}
MISTAKE, WORLD, INTERRUPTED, DEFECT = 2, 1, 130, 70


def _commands(room: str) -> dict[str, click.Command]:
    return {command.name: command for command in import_module(f".{room}", __package__).COMMANDS}


class Commands(click.Group):
    """Commands by name, imported when one is asked for; every error ends here."""

    def get_command(self, ctx, name):
        """The command, or None."""
        near = [room for room, names in ROOMS.items() if name in names] or ROOMS
        return next((found for room in near if (found := _commands(room).get(name))), None)

    def list_commands(self, ctx):
        """Names of all commands."""
        return sorted(name for room in ROOMS for name in _commands(room))

    def invoke(self, ctx):
        """Runs the command; an interruption that it does not handle left it undone."""
        try:
            with told_warnings():
                return super().invoke(ctx)
        except click.UsageError as e:  # the parser's own come without a place
            e.ctx = e.ctx or click.Context(self, ctx, ctx.invoked_subcommand)
            raise
        except KeyboardInterrupt as e:
            raise Interrupted(f"{ctx.invoked_subcommand}: interrupted before it ended") from e

    def main(self, args=None, prog_name=None, complete_var=None, standalone_mode=True, **extra):
        """Runs the command line and ends the process; with standalone_mode off, errors are raised as they are."""
        args = sys.argv[1:] if args is None else list(args)
        prog_name = prog_name or "polepair"
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        _open_streams()
        with in_json("--json" in args), _signals():
            try:
                code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
                sys.stdout.flush()
            except BaseException as e:
                code = _ended(e)
            sys.exit(code if isinstance(code, int) else 0)


def _open_streams() -> None:
    """A stream that came closed is the null device: else the next file would have its number, and be written into."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(fd, True)
            setattr(sys, name, open(fd, mode, encoding="utf-8"))  # noqa: SIM115


@contextlib.contextmanager
def _signals():
    """Inside, SIGTERM is a Ctrl-C, and a thread that fails is a line; behind it all is as it was."""
    hook = threading.excepthook
    threading.excepthook = lambda failed: _defect(failed.exc_value)
    mine = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in mine}
    if before.get(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        threading.excepthook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


def _ended(e: BaseException) -> int:
    """Says what ended the command; its exit code."""
    if isinstance(e, SystemExit):
        return e.code
    if os.environ.get("POLEPAIR_DEBUG"):
        traceback.print_exception(e)
    if isinstance(e, click.ClickException):
        return _usage(e)
    if isinstance(e, OSError) and not isinstance(e, LinkError):
        return _refused(e)
    if isinstance(e, ImportError) and not str(e.name).startswith("polepair"):
        return _line(f"{e.name} is missing, expected: pip install 'polepair[report]'", WORLD)
    if isinstance(e, UnicodeError):
        return _line("the command line: bytes that are no text, expected UTF-8", MISTAKE)
    for kinds, code in KINDS:
        if isinstance(e, kinds):
            return _line(e, code)
    if isinstance(e, (KeyboardInterrupt, click.Abort)):
        return _line("interrupted before it began", INTERRUPTED)
    if isinstance(e, MemoryError):
        return _line(f"memory: {str(e) or 'too little is free'}, expected fewer rows, cases or channels", WORLD)
    return _defect(e)


KINDS = (  # the first that fits
    (Interrupted, INTERRUPTED),
    ((DiskError, LinkError, CadError), WORLD),
    ((ValueError, DivergedError), MISTAKE),
)


def _line(text, code: int) -> int:
    tell(text)
    return code


def _usage(e: click.ClickException) -> int:
    """click's own errors: a mistake in the command line."""
    path = e.ctx.command_path if getattr(e, "ctx", None) else "polepair"
    said = e.format_message().rstrip(".")
    where = path.partition(" ")[2]
    text = f"{said[:1].lower()}{said[1:]}"
    return _line(f"{f'{where}: ' if where else ''}{text}: see {path} --help", e.exit_code)


def _refused(e: OSError) -> int:
    """What the system refused. A reader of our output that has gone is no error to tell."""
    if e.filename is None:  # what is left in the buffer cannot go there either, and would be told again at the end
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if e.errno != errno.EPIPE:
        tell(f"{e.filename or 'output'}: {e.strerror or e}, expected a place that can be used")
    return WORLD


def _defect(e: BaseException) -> int:
    last = traceback.extract_tb(e.__traceback__)[-1:]
    where = f" at {os.path.basename(last[0].filename)}:{last[0].lineno}" if last else ""
    text = f"a defect of polepair: {type(e).__name__}: {e}{where}"
    return _line(f"{text}: expected none, please report it with what POLEPAIR_DEBUG=1 shows", DEFECT)


@click.group("polepair", cls=Commands, invoke_without_command=True)
@click.version_option(_core.version)
@click.pass_context
def main(ctx):
    """Virtual twins of electric motors."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
