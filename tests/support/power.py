"""What a disk holds after a power cut: of every file what was last synced, of every folder the names that were, and of
all that came since any part or nothing. Follows a trial (trials.py) by what the shim tells."""

import json
import os
import random
import select
import stat
from pathlib import Path

from support.trials import Server

PAGE = 4096


class Disk:
    """Files and folders by their numbers: what is there now, and what is durable."""

    def __init__(self, root: Path):
        self.root = root
        self._held: dict[int, int] = {}  # descriptors: a number is not given away again
        self._names: dict[int, dict[str, int]] = {}  # of each folder, now
        self._bytes: dict[int, bytes] = {}  # of each file, now
        self._kept: dict[int, dict[str, int]] = {}  # names that are durable
        self._synced: dict[int, bytes] = {}  # contents that are
        self._home = self._look(root)
        self._kept[self._home] = {}

    def look(self) -> None:
        """Takes in what is there now."""
        self._look(self.root)

    def _look(self, path: Path) -> int:
        with os.scandir(path) as entries:
            found = {e.name: e.inode() for e in entries}
        number = self._hold(path)
        self._names[number] = found
        for name, inner in found.items():
            self._hold(path / name)
            if stat.S_ISDIR(os.fstat(self._held[inner]).st_mode):
                self._look(path / name)
            else:
                size = os.fstat(self._held[inner]).st_size
                self._bytes[inner] = os.pread(self._held[inner], size, 0)
        return number

    def _hold(self, path: Path) -> int:
        number = path.stat().st_ino
        if number not in self._held:
            self._held[number] = os.open(path, os.O_RDONLY)
        return number

    def sync(self, number: int) -> None:
        """A file or folder becomes durable as it is."""
        if number in self._names:
            self._kept[number] = dict(self._names[number])
        elif number in self._bytes:
            self._synced[number] = self._bytes[number]

    def release(self) -> None:
        """Lets go of all files."""
        for fd in self._held.values():
            os.close(fd)

    def cut(self, target: Path, dice: random.Random | None, share: float) -> None:
        """What the next start finds, in a new folder: of what is not durable that share, drawn (0 and 1: no dice)."""
        self._write(self._home, target, lambda: dice.random() < share if dice else share > 0.5)

    def _write(self, folder: int, target: Path, came) -> None:
        target.mkdir(parents=True)
        kept, now = self._kept.get(folder, {}), self._names[folder]
        for name in sorted({*kept, *now}):
            number = now.get(name) if kept.get(name) == now.get(name) or came() else kept.get(name)
            if number in self._names:
                self._write(number, target / name, came)
            elif number is not None:
                (target / name).write_bytes(self._content(number, came))

    def _content(self, number: int, came) -> bytes:
        old, new = self._synced.get(number, b""), self._bytes[number]
        if old == new:
            return new
        size = len(new) if came() else len(old)
        out = bytearray(size)
        for at in range(0, size, PAGE):
            source = new if at < len(new) and came() else old
            page = source[at : min(at + PAGE, size)]
            out[at : at + len(page)] = page
        return bytes(out)


class Books:
    """What may and what has to be in the store at each moment of a trial."""

    def __init__(self):
        self.sent, self.kept, self.begun, self.safe = set(), set(), set(), set()
        self.wrong: list[str] = []

    def note(self, what: str, value) -> None:
        """What a trial said."""
        if what in ("sent", "kept"):
            getattr(self, what).update(value)
        elif what == "syncing":
            self.begun = set(self.kept)
        elif what == "synced":
            self.safe = set(self.begun)
        elif what == "wrong":
            self.wrong.append(value)


class Follower:
    """Runs trials whose every step that counts is looked at."""

    def __init__(self, folder: Path):
        self._told, out = os.pipe()
        answer, self._answer = os.pipe()
        self.server = Server(folder, (out, answer))
        self._pipes, self._ours = [out, answer], [out, answer, self._told, self._answer]
        self._rest = b""

    def close(self) -> None:
        """Ends."""
        self.server.close()
        for fd in self._ours:
            os.close(fd)

    def follow(self, orders: list[dict], judge) -> Books:
        """A trial: judge(disk, books, what) is called before each change that the disk is told of, and after each step
        of the trial."""
        disk, books = Disk(Path(orders[0]["under"])), Books()
        for order in orders:
            self.server.begin({**order, "pipes": self._pipes, "limit": 600})
            self._process(disk, books, judge)
        disk.release()
        return books

    def _process(self, disk: Disk, books: Books, judge) -> None:
        for what, number, text in self._lines():
            disk.look()
            if what == "say":
                books.note(*json.loads(text))
            if what != "say" or json.loads(text)[0] in ("synced", "end"):
                judge(disk, books, what)
            if what == "sync":
                disk.sync(int(number))
            os.write(self._answer, b".")

    def _lines(self):
        """Until the trial is over."""
        output = self.server.output()
        while True:
            ready, _, _ = select.select([self._told, output], [], [])
            if self._told not in ready:
                self.server.ended()
                return
            self._rest += os.read(self._told, 1 << 16)
            while b"\n" in self._rest:
                line, self._rest = self._rest.split(b"\n", 1)
                yield line.decode().split(" ", 2)
