"""polepair live in a terminal: a page that is drawn again at each look, or a line a look for logs and pipes."""

import contextlib
import math
import os
import sys
import time

from ..errors import plain
from ..live.refusals import refusals, refused
from .common import RPM
from .layout import BARS, Looks, Page, page, rows_of, verdict

OPEN, SHUT = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # a screen of its own, without a cursor
HOME, CLEAR, REST = "\x1b[H", "\x1b[2K", "\x1b[J"
QUIT = b"qQ"


def line(live) -> str:
    """One line for logs and pipes."""
    shown = []
    for s in rows_of(live)[:6]:
        said = s.estimate if s.estimate == s.estimate else s.measured
        spread = f" +- {s.sigma:.2g}" if s.sigma == s.sigma else ""
        turned = f" ({said * RPM:.5g} rpm)" if s.unit == "rad/s" else ""
        shown.append(f"{plain(s.name)} {said:.4g}{spread} {s.unit}".rstrip() + turned)
    return f"{verdict(live)}{_counted(live)}" + (f": {', '.join(shown)}" if shown else "")


def _counted(live) -> str:
    """Age and what was counted; what is not 0 but for the lost, which are always said."""
    n = live.stats
    age = f", age {live.age:.2f} s" if live.age < math.inf else ""
    counts = {"twice": n["duplicates"], "late": n["out_of_order"], "restarts": n["restarts"], "missed": n["missed"]}
    more = "".join(f", {word} {count}" for word, count in counts.items() if count)
    newest = refusals(live.stream)
    hint = f", refused {refused(n)}, {plain(newest[0], 300)}" if newest else ""
    return f"{age}, lost {n['lost']}{more}{hint}"


class Keys:
    """The keys that are pressed, where a person sits at a terminal; it is as it was before, at the end."""

    def __init__(self):
        self.at: int | None = None
        self._before = None

    def __enter__(self):
        with contextlib.suppress(OSError, ValueError):  # no terminal, or a closed one
            import tty

            at = sys.stdin.fileno()
            if os.tcgetpgrp(at) == os.getpgrp():  # in the background a terminal would stop us
                import termios

                self._before, self.at = termios.tcgetattr(at), at
                tty.setcbreak(at)
        return self

    def quit(self) -> bool:
        """Whether q was pressed since the last time."""
        import select

        if self.at is None or not select.select([self.at], [], [], 0)[0]:
            return False
        pressed = os.read(self.at, 64)
        if not pressed:  # the terminal is gone
            self.at = None
        return any(key in pressed for key in QUIT)

    def __exit__(self, *_):
        if self._before is not None:
            import termios

            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.at or sys.stdin.fileno(), termios.TCSADRAIN, self._before)


class Screen:
    """A terminal's page, drawn in place."""

    def __init__(self, stream, keys: Keys):
        from rich.console import Console

        self.console, self.stream, self.keys = Console(file=stream), stream, keys
        self.last: list[str] = []
        try:
            BARS.encode(stream.encoding or "ascii")
            self.signs = True
        except UnicodeEncodeError:
            self.signs = False

    def __enter__(self):
        self.stream.write(OPEN)
        return self

    def draw(self, looks: Looks) -> None:
        """Draws the page anew, as large as the terminal is now."""
        width, height = self.console.size
        self.last = [self._coloured(t) for t in page(looks, Page(width, height, self.signs, self.keys.at is not None))]
        self.stream.write(HOME + "\r\n".join(CLEAR + t for t in self.last[:height]) + REST)
        self.stream.flush()

    def _coloured(self, text) -> str:
        with self.console.capture() as captured:
            self.console.print(text, end="", no_wrap=True, crop=False, overflow="ignore", highlight=False)
        return captured.get()

    def __exit__(self, *_):
        self.stream.write(SHUT + "".join(f"{t}\n" for t in self.last[:-1]))
        self.stream.flush()


def show(live, seconds: float = math.inf, every: float = 0.25, stream=None) -> None:
    """Follows a Live until its source ends, `seconds` are over, q or Ctrl-C."""
    stream = stream or sys.stdout
    end, looks = time.monotonic() + seconds, Looks(live, every)

    def step() -> bool:
        tick = time.monotonic() + every
        live.update(every)
        while (more := live.source.running) and (left := tick - time.monotonic()) > 0:
            live.update(left)
        looks.take()
        live.publish()
        return more and time.monotonic() < end

    more = True
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        while more:
            more = step()
            print(line(live), file=stream, flush=True)
        return
    with Keys() as keys, Screen(stream, keys) as screen:
        while more and not keys.quit():
            more = step()
            screen.draw(looks)
