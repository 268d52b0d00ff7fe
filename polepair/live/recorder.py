"""The recorder: a message is in the journal (a copy into a mapped file) before it is acknowledged, and soon after in
the store, by a thread of its own. Chunks, the journal's position and the decoder's state change in one transaction, so
whatever dies when, each message is stored once. docs/reliability.md says what survives what.
"""

import contextlib
import fcntl
import math
import os
import socket
import threading
import time
import weakref
from pathlib import Path

from .. import _core
from ..errors import StoreError
from .backlog import STREAM_SHIFT, Backlog, about, path_of, segments
from .database import PAGE_BYTES, Store, sync_folder
from .streams import Stream

SEGMENT_BYTES = 8 << 20
SPARE_SEGMENTS, SPARE_PAGES = 8, 16  # of the disk, left to the store by the journal: emptying it takes room
SYNC_SECONDS, STORE_SECONDS = 0.1, 0.5
JUMP, SETTLE, ABSENCE = 60.0, 600.0, 30 * 86400.0  # s
_locks: weakref.WeakSet = weakref.WeakSet()


class Lock:
    """One recorder for a stream of a file: an advisory lock that says who holds it. StoreError where another does."""

    def __init__(self, folder: Path, number: int, name: str):
        self.path, self._fd = folder / f"{number:04x}.lock", -1
        try:
            while not self._take(folder, name):
                pass
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BaseException:
            self.close()
            raise
        _locks.add(self)

    def _take(self, folder: Path, name: str) -> bool:
        """False: the last owner removed the file meanwhile."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                self._fd, fd = fd, -1
        except BlockingIOError:
            other = os.read(fd, 200).decode("utf-8", "replace").strip() or "another process"
            file = str(folder).removesuffix(".journal")
            raise StoreError(
                f"{file}: stream {name} is being recorded by {other}, expected one recorder for each stream"
            ) from None
        finally:
            if fd >= 0:
                os.close(fd)
        return self._fd >= 0

    def close(self) -> None:
        """Gives it back."""
        _locks.discard(self)
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # it may stay: what counts is the descriptor
                self.path.unlink()
            os.close(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """In a forked child: the lock stays the parent's."""
        os.close(self._fd)
        self._fd = -1


def _abandon_all() -> None:
    for lock in list(_locks):
        lock.abandon()


os.register_at_fork(after_in_child=_abandon_all)


class Retention:
    """What `keep` seconds mean: by arrival, on this machine's clock. A clock that jumps is not believed for ten
    minutes, nor one that would forget everything after a month or more of absence."""

    def __init__(self, keep: float | None, newest: int | None = None):
        if keep is not None and not (math.isfinite(keep) and keep > 0):
            raise ValueError(f"keep = {keep}: expected a positive number of seconds")
        self.keep = keep
        self._offset = self._ahead()
        self._believed = -math.inf
        if keep is not None and newest is not None and time.time_ns() - newest > 1e9 * max(keep, ABSENCE):
            self._believed = time.monotonic() + SETTLE

    @staticmethod
    def _ahead() -> float:
        return time.time_ns() * 1e-9 - time.monotonic()

    def before(self) -> int | None:
        """Arrivals [ns] from before this are to be forgotten; None: none now."""
        ahead = self._ahead()
        if abs(ahead - self._offset) > JUMP:
            self._believed = time.monotonic() + SETTLE
        self._offset = ahead
        if self.keep is None or time.monotonic() < self._believed:
            return None
        return time.time_ns() - int(self.keep * 1e9)


@contextlib.contextmanager
def _told(folder: Path, room: int = 0):
    """What the system refuses is a StoreError."""
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as e:
        free = f", {room / 1e6:.0f} MB free" if room else ""
        raise StoreError(f"{folder}: {_in_words(e)}, expected a folder that can be written{free}") from None


def _in_words(e: Exception) -> str:
    if isinstance(e, MemoryError):
        return "no memory left"
    return getattr(e, "strerror", None) or str(e) or type(e).__name__


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_size
    return 0


def _make_durable(folder: Path) -> None:
    """Makes a folder. What is synced in it is lost all the same if a power cut takes its name, or one above it."""
    new = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in new or [folder]:
        sync_folder(made.parent)


def journal_of(path) -> Path:
    """The folder of a store's journal."""
    return Path(f"{path}.journal")


def recover(path) -> list[str]:
    """Stores what recorders that are gone left in the journal of a store; what went wrong, in words. Streams that are
    being recorded are left alone."""
    folder = journal_of(path)
    if not segments(folder):
        return []
    with _told(folder), Store(path, create=True) as store:
        faults = _recover_free(store, folder)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return faults


def _recover_free(store: Store, folder: Path, done: int = 0) -> list[str]:
    """Of all streams that no recorder holds; `done`: number of one that is stored."""
    faults, all_of_them = [], True
    for row in store.rows_of_streams():
        if row.id == done:
            continue
        try:
            lock = Lock(folder, row.id, row.name)
        except StoreError:
            all_of_them = False
            continue
        try:
            backlog = Backlog(store, row, folder)
            backlog.drain(active=False)
            faults += backlog.faults
        finally:
            lock.close()
    for segment in segments(folder):
        if all_of_them and segment >> STREAM_SHIFT == 0:
            path_of(folder, segment).unlink(missing_ok=True)
    return faults


class Recorder:
    """Keeps a stream: journals its messages from now on, and stores them from a thread of its own.

    Opening one takes over what earlier, killed ones had journaled but not stored. keep: seconds of samples that are
    kept, by their arrival (None: all). Several streams can be recorded into one file, each by a recorder of its own.
    """

    def __init__(
        self, path, stream: Stream, name: str = "fast", keep: float | None = None, segment_bytes=SEGMENT_BYTES
    ):
        Retention(keep)
        self.path, self.folder, self.name = Path(path), journal_of(path), name
        self.error: str | None = None
        self.sync_failures = 0
        self._home, self._stream = os.getpid(), stream
        spare = SPARE_SEGMENTS * segment_bytes + SPARE_PAGES * PAGE_BYTES
        self._lock = self.store = None
        try:
            with _told(self.folder, spare + segment_bytes):
                self._begin(keep, segment_bytes, spare)
        except BaseException:
            self._stream.core.journal(None, b"")
            self._release()
            raise

    def _begin(self, keep, segment_bytes: int, spare: int) -> None:
        _make_durable(self.folder)
        self.store = Store(self.path, create=True)
        number = self.store.number(self.name, self._stream.channels, self._stream.format)
        self._lock = Lock(self.folder, number, self.name)
        for unfinished in self.folder.glob(f"{number:04x}*.new"):
            unfinished.unlink(missing_ok=True)
        row = self.store.stream(self.name)
        self.retention = Retention(keep, self.store.newest_arrival(number))
        self.backlog = Backlog(self.store, row, self.folder)
        self.backlog.drain(active=False, before=self.retention.before())
        self._faults = self._others()
        self._stream.core.learn(self.backlog.state())
        self.journal = _core.Journal(str(self.folder), segment_bytes, spare, self.backlog.newest())
        self._stream.core.journal(self.journal, about(self.name, self._stream.channels))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def _others(self) -> list[str]:
        """Of streams that nobody records any more; this one is stored already and holds its lock."""
        return _recover_free(self.store, self.folder, self.backlog.row.id)

    @property
    def faults(self) -> list[str]:
        """What could not be stored and is kept beside, in words."""
        return self._faults + self.backlog.faults

    def bytes_used(self) -> int:
        """Of the disk, by the store and its journal."""
        files = [self.path, *self.path.parent.glob(f"{self.path.name}-*"), *self.folder.glob("*")]
        return sum(_size(f) for f in files)

    def bytes_free(self) -> int:
        """Of the disk, for everybody."""
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize

    def drain(self) -> None:
        """Stores what is journaled so far."""
        self.backlog.drain(active=True, before=self.retention.before())

    def _run(self) -> None:
        due = time.monotonic() + STORE_SECONDS
        while not self._stop.wait(SYNC_SECONDS):
            try:
                self._sync()
                if time.monotonic() >= due:
                    self.drain()
                    due = time.monotonic() + STORE_SECONDS
                self.error = None
            except Exception as e:  # nothing is lost: what could not be stored stays in the journal
                self.error = self._said(e)

    def _said(self, e: Exception) -> str:
        return str(e) if isinstance(e, StoreError) else f"{self.folder}: {_in_words(e)}"

    def _sync(self) -> None:
        try:
            self.journal.sync()
        except OSError:
            self.sync_failures += 1
            raise

    def close(self) -> None:
        """Stores the rest and ends; the stream goes on without being recorded."""
        if self._home != os.getpid():
            raise StoreError(f"{self.path}: this recorder belongs to the parent process")
        if self._lock is None:
            return
        self._stop.set()
        self._thread.join()
        self._stream.core.journal(None, b"")
        try:
            self._sync()
            self.backlog.drain(active=False, before=self.retention.before())
            self.error = None
        except Exception as e:
            self.error = self._said(e)
        self.journal = None
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self.store is not None:
            self.store.close()
        with contextlib.suppress(OSError):  # others are at it, or something is left to be seen
            self.folder.rmdir()
