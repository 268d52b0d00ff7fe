"""A terminal of a size, with a command in it: what a person would see, and whether anything did not fit."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Terminal:
    """Runs a command; `look()` reads what came. `faults`: lines that were wider or more than the terminal has."""

    def __init__(self, command, columns: int, lines: int, environment=None):
        self.columns, self.height = columns, lines
        self.faults: list[str] = []
        self.styles: set[str] = set()
        self.raw = ""
        self.own_screen = False
        self._clear()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        without = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
        about = {**without, "TERM": "xterm-256color", **(environment or {})}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=about, preexec_fn=_own_terminal
        )
        os.close(theirs)
        self.fd = ours

    def _clear(self):
        self.rows = [[" "] * self.columns for _ in range(self.height)]
        self.row = self.column = 0

    @property
    def text(self) -> list[str]:
        """The lines as they are now."""
        return ["".join(r).rstrip() for r in self.rows]

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self.fd, keys.encode())

    def until(self, seen, seconds: float = 60.0):
        """Reads until seen(text of the screen); AssertionError shows what was there instead."""
        end = time.monotonic() + seconds
        while not seen("\n".join(self.text)):
            assert time.monotonic() < end, "\n".join(self.text)
            if not self.look(0.2) and self.process.poll() is not None and not self.look(0.2):
                break
        assert seen("\n".join(self.text)), "\n".join(self.text)
        return self

    def look(self, seconds: float = 0.0) -> bool:
        """Reads once; whether anything came."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        data = b""
        with contextlib.suppress(OSError):  # the other end is closed
            data = os.read(self.fd, 65536)
            while data and data[-1] & 0x80 and select.select([self.fd], [], [], 0.2)[0]:
                data += os.read(self.fd, 65536)
        self._take(data.decode("utf-8", "replace"))
        return bool(data)

    def close(self) -> int:
        """Reads the rest and waits; the exit code."""
        while self.look(0.2) or self.process.poll() is None:
            pass
        os.close(self.fd)
        return self.process.wait()

    def _take(self, text: str) -> None:
        self.raw += text
        self._pending = getattr(self, "_pending", "") + text
        while self._pending:
            found = SEQUENCE.match(self._pending)
            if found:
                self._obey(*found.groups())
                self._pending = self._pending[found.end() :]
            elif self._pending[0] == "\x1b" and len(self._pending) < 16:
                return  # its rest comes
            else:
                self._put(self._pending[0])
                self._pending = self._pending[1:]

    def _obey(self, numbers: str, letter: str) -> None:
        if letter == "m":
            self.styles.add(numbers)
        elif letter == "H":
            self.row = self.column = 0
        elif letter == "K":
            self.rows[self.row] = [" "] * self.columns
        elif letter == "J":
            for row in range(self.row + 1, self.height):
                self.rows[row] = [" "] * self.columns
        elif numbers == "?1049":
            self.own_screen = letter == "h"
            self._clear()

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._next_line()
        else:
            if self.column >= self.columns:
                self._fault("wider")
                self.column = 0
                self._next_line()
            self.rows[self.row][self.column] = character
            self.column += 1

    def _next_line(self) -> None:
        self.row += 1
        if self.row == self.height:
            self._fault("more")
            self.rows = [*self.rows[1:], [" "] * self.columns]
            self.row -= 1

    def _fault(self, what: str) -> None:
        if self.own_screen:
            self.faults.append(f"{what}: {''.join(self.rows[self.row - 1])}")


def _own_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
