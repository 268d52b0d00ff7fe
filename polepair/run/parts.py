"""The finished cases of a sweep while it runs: whole files in FILE.parts/, until FILE itself is written.

Each is written beside, synced and renamed, so a killed process costs what it had not saved yet. Whoever writes holds a
lock on the folder. `sweep.json` says which sweep it is of; a part says so too.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import time
import warnings
from pathlib import Path

import numpy as np

from ..errors import FileError, plain
from ..files import SCRATCH, read_text, refusal, write_text
from .result import FORMAT, Result

PART = re.compile(r"[0-9]{6,}\.npz")
LABEL = "sweep.json"
LIMIT = 1 << 24  # bytes of a label
SHORTEST = 0.1  # s between two parts
SHARE = 0.3  # of the time between two parts, for a portion of cases


class DamagedPartWarning(UserWarning):
    """A part of a sweep that cannot be read: its cases run again."""


def identity(about: dict, names, rows: np.ndarray) -> dict:
    """What has to be equal in two starts of the same sweep."""
    keys = ("motor", "digest", "t_end", "retune", "mode", "version")
    cases = hashlib.blake2b(np.ascontiguousarray(rows, "<f8").tobytes(), digest_size=16).hexdigest()
    return {**{k: about[k] for k in keys if k in about}, "columns": list(names), "cases": cases}


def difference(there: dict, here: dict) -> str | None:
    """The first thing that two identities both state, and state differently."""
    words = {"cases": "cases", "columns": "columns", "digest": "parameters of the motor"}
    for key in here:
        if key in there and there[key] != here[key]:
            if key in words:
                return f"other {words[key]}"
            return f"{key} = {plain(there[key], 60)}, here {plain(here[key], 60)}"
    return None


class Parts:
    """The folder FILE.parts/ and the lock on it. FileError for one that is in use, or that holds another sweep.

    resume: its parts are gone on with; else it has to hold none. every: seconds between two parts.
    """

    def __init__(self, path: Path, label: dict, resume: bool, every: float):
        self.path, self.label, self.every = path, label, every
        self.folder = path.with_name(path.name + ".parts")
        self.kept = 0  # cases that are on the disk
        self._written = time.monotonic()
        self._lock = self._open()
        try:
            self.mine = self._begin(resume)
        except BaseException:
            self.close()
            raise

    @property
    def seconds(self) -> float:
        """How long a portion of cases may take."""
        return SHARE * self.every

    def _open(self) -> int:
        while True:
            try:
                self.folder.mkdir(exist_ok=True)
                fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError as e:
                if self.path.parent.is_dir():  # its last user took it away just now
                    continue
                raise refusal(self.folder, e, "cannot write here") from None
            except OSError as e:
                raise refusal(self.folder, e, "cannot write here") from None
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                raise FileError(f"{self.path}: another sweep is writing it, expected one at a time") from None
            except OSError:  # a file system without locks
                pass
            if os.fstat(fd).st_nlink:  # nobody took it away before it was locked
                return fd
            os.close(fd)

    def _begin(self, resume: bool) -> bool:
        """Whether the folder holds this very sweep already."""
        there = self._files()
        if there and not resume:
            raise FileError(
                f"{self.folder}: holds finished cases of an interrupted sweep, expected --resume (resume=) to go on "
                "with them, or the folder removed"
            )
        if there or (resume and (self.folder / LABEL).exists()):
            label = self._read_label()
            differs = difference(label, self.label)
            if differs and there:
                raise FileError(f"{self.folder}: holds another sweep ({differs}), expected the one to go on with")
            if label and not differs:
                return True
        write_text(self.folder / LABEL, json.dumps(self.label))
        return bool(there)

    def _read_label(self) -> dict:
        """Empty where it is damaged: the parts say it as well."""
        try:
            label = json.loads(read_text(self.folder / LABEL, LIMIT))
        except (ValueError, RecursionError):
            return {}
        return label if isinstance(label, dict) else {}

    def _files(self) -> list[Path]:
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(p for p in there if PART.fullmatch(p.name))

    @property
    def _mark(self) -> str:
        return hashlib.blake2b(json.dumps(self.label, sort_keys=True).encode(), digest_size=16).hexdigest()

    def read(self, total: int, columns: int):
        """Gives (cases, numbers with the status last, reasons by case, duration [s]) of every part that is whole."""
        for path in self._files():
            try:
                part = Result.load(path)
                cases, reasons = _checked(part, total, columns)
            except (ValueError, TypeError) as e:
                said = f"{e}" if f"{path}" in f"{e}" else f"{path}: {e}"
                warnings.warn(f"{said}; its cases run again", DamagedPartWarning, stacklevel=2)
                continue
            if part.about.get("sweep") != self._mark:
                raise FileError(f"{path}: a part of another sweep, expected those of {self.path}")
            self.kept += len(cases)
            duration = part.about.get("duration")
            yield cases, part.block[:, 1:], reasons, duration if isinstance(duration, float) else 0.0

    def due(self) -> bool:
        """Whether it is time for the next part."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, cases, numbers: np.ndarray, failed, duration: float) -> None:
        """Puts cases on the disk: a row each, the status last."""
        last = self._files()[-1:]
        number = int(last[0].stem) + 1 if last else 1
        names = ("case", *(str(k) for k in range(numbers.shape[1] - 1)), "status")
        about = {"sweep": self._mark, "failed": [list(f) for f in failed], "duration": duration}
        Result(names, np.column_stack([cases, numbers]), about).save(self.folder / f"{number:06d}.npz")
        self.kept += len(cases)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Takes the folder away, once its file is written; what is not ours in it stays, and the folder with it."""
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                if PART.fullmatch(path.name) or SCRATCH.fullmatch(path.name):
                    path.unlink()
            (self.folder / LABEL).unlink()  # last: it says whose the others are
            self.folder.rmdir()

    def close(self) -> None:
        """Gives the lock back; a folder without parts goes."""
        if self._lock >= 0 and not self._files():
            self.remove()
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


def _checked(part: Result, total: int, columns: int) -> tuple[np.ndarray, dict[int, str]]:
    """The cases of a part and why some were refused; FileError for one that does not fit its sweep."""
    cases = part.block[:, 0]
    whole = (cases >= 0) & (cases < total) & (cases == np.floor(cases))
    if part.block.shape[1] != columns + 1 or not whole.all() or part.about.get("format") != FORMAT:
        raise FileError("a part of a sweep: expected its cases and outputs")
    failed = part.about.get("failed", [])
    return cases.astype(np.int64), {int(k): str(why) for k, why in failed}
