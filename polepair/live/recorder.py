"""The recorder: a message is in the journal (a copy into a mapped file) before it is acknowledged, and soon after in
the store, by a thread of its own. Chunks, the journal's position and the decoder's state change in one transaction, so
whatever dies when, each message is stored once. docs/reliability.md says what survives what.
"""

import contextlib
import errno
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
from ..files import sync
from .backlog import STREAM_SHIFT, Backlog, about, remove, segments
from .database import PAGE_BYTES, Store
from .streams import Format, Stream

SEGMENT_BYTES = 8 << 20
SPARE_SEGMENTS, SPARE_PAGES = 8, 16  # of the disk, left to the store by the journal: emptying it takes room
SYNC_SECONDS, STORE_SECONDS = 0.1, 0.5
BRIEF = ", which stores what was left"
PATIENCE, GRACE = 60.0, 0.5  # s, for such a one; for one whose words may be those of the last owner
JUMP, SETTLE, ABSENCE = 60.0, 600.0, 30 * 86400.0  # s
_locks: weakref.WeakSet = weakref.WeakSet()


class Lock:
    """One recorder for a stream of a file: an advisory lock that says who holds it. StoreError where another does.

    brief: only to store what was left, and only if nobody is at it; who finds such a lock waits for its end.
    """

    def __init__(self, folder: Path, number: int, name: str, brief: bool = False):
        self.path, self._fd = folder / f"{number:04x}.lock", -1
        began = time.monotonic()
        while (other := self._taken()) is not None:
            patience = PATIENCE if other.endswith(BRIEF) else GRACE
            if brief or time.monotonic() - began > patience:
                file = str(folder).removesuffix(".journal")
                raise StoreError(
                    f"{file}: stream {name} is being recorded by {other}, expected one recorder for each stream"
                )
            time.sleep(0.05)
        text = f"process {os.getpid()} on {socket.gethostname()}{BRIEF if brief else ''}\n"
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode(), 0)
        except BaseException:
            self.close()
            raise
        _locks.add(self)

    def _taken(self) -> str | None:
        """Tries; None where it is ours, else who has it."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:  # the last recorder to end took its folder with it
            _make_durable(self.path.parent)
            return f"its last owner{BRIEF}"
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                self._fd, fd = fd, -1
                return None
            return f"its last owner{BRIEF}"  # who removed it just now
        except BlockingIOError:
            return os.read(fd, 200).decode("utf-8", "replace").strip() or f"another process{BRIEF}"
        finally:
            if fd >= 0:
                os.close(fd)

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


def recorded(folder: Path, number: int) -> bool:
    """Whether a recorder holds a stream now."""
    try:
        fd = os.open(folder / f"{number:04x}.lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(fd)


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


def _bytes_free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_size
    return 0


def _make_durable(folder: Path) -> None:
    """Makes a folder. What is synced in it is lost all the same if a power cut takes its name, or one above it."""
    new = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in new or [folder]:
        sync(made.parent)


def journal_of(path) -> Path:
    """The folder of a store's journal."""
    return Path(f"{path}.journal")


def recover(path) -> list[str]:
    """Stores what recorders that are gone left in the journal of a store; what went wrong, in words. Streams that are
    being recorded are left alone."""
    path = Path(path).resolve()
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
            lock = Lock(folder, row.id, row.name, brief=True)
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
            remove(store, folder, segment)
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
        self.path, self.name = Path(path).resolve(), name
        self.folder = journal_of(self.path)
        self.error: str | None = None
        self.sync_failures, self.unjournaled = 0, stream.stats["unjournaled"]
        self._busy = threading.Lock()  # of backlog and database
        self._home, self._stream = os.getpid(), stream
        spare = SPARE_SEGMENTS * segment_bytes + SPARE_PAGES * PAGE_BYTES
        self._lock = self.store = None
        try:
            with _told(self.folder, spare + segment_bytes):
                self._look_for_room(spare + segment_bytes)
                self._begin(keep, segment_bytes, spare)
        except BaseException:
            self._release()
            raise

    def _look_for_room(self, needed: int) -> None:
        """OSError before a new store is made for which there is no room: nothing of it is left behind."""
        above = next(p for p in self.path.parents if p.exists())
        if not self.path.exists() and _bytes_free(above) < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

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
        self._stream.core.learn(*self.backlog.state())
        self.journal = _core.Journal(str(self.folder), segment_bytes, spare, self.backlog.newest())
        self._stream.core.journal(self.journal, about(self.name, self._stream.channels))
        try:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()
        except BaseException:
            self._stream.core.journal(None, b"")
            raise

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
        return _bytes_free(self.path.parent)

    def reformat(self, fmt: Format) -> None:
        """The device was born anew: what comes from now on is as `fmt` says, also for whoever records next. StoreError
        and OSError where that cannot be kept."""
        with Store(self.path, create=True) as store:  # of its own: this is not the recorder's thread
            store.number(self.name, self._stream.channels, fmt)
        self._stream.reformat(fmt)

    def drain(self) -> None:
        """Stores what is journaled so far."""
        with self._busy:
            self.backlog.drain(active=True, before=self.retention.before())

    def _drain_all(self) -> None:
        with self._busy:
            self.backlog.drain(active=False, before=self.retention.before())

    def _run(self) -> None:
        due = time.monotonic() + STORE_SECONDS
        while not self._stop.wait(SYNC_SECONDS):
            now = time.monotonic()
            wrong = self._tried(self._sync)
            if now >= due:
                wrong = self._tried(self.drain) or wrong
                due = time.monotonic() + STORE_SECONDS
            self.error = "; ".join(filter(None, (wrong, self._refused()))) or None

    def _tried(self, work) -> str | None:
        """Does it; what went wrong, in words. Nothing is lost by that: what is not stored stays in the journal."""
        try:
            work()
        except Exception as e:
            return str(e) if isinstance(e, StoreError) else f"{self.folder}: {_in_words(e)}"
        return None

    def _refused(self) -> str | None:
        """What to say where the journal did not take messages since the last look: they are not acknowledged."""
        before, self.unjournaled = self.unjournaled, self._stream.stats["unjournaled"]
        if self.unjournaled <= before:
            return None
        return f"{self.folder}: {self.unjournaled - before} messages found no room in the journal and were not taken"

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
        wrong = self._tried(self._sync)
        self.error = self._tried(self._drain_all) or wrong
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
