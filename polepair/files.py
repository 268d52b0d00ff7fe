"""Files: read with a size limit, written beside and renamed, so that no half-written file is ever seen."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from contextlib import contextmanager
from pathlib import Path

from .errors import DiskError, FileError

MAX_MOTOR_BYTES = 1 << 20
SCRATCH = re.compile(r"\.polepair-[0-9a-f]{16}(\.\w+)?")
_swept: set[str] = set()  # folders whose left scratch files this process has looked for


MISTAKES = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)  # in the name


def refusal(path, e: OSError, what: str) -> FileError:
    """What to raise for an OSError: another file has to be named (FileError), or the system refuses (DiskError)."""
    kind = FileError if e.errno in MISTAKES else DiskError
    return kind(f"{path}: {what} ({os.strerror(e.errno) if e.errno else e})")


def make_folder(path) -> None:
    """Makes a folder and those above it; FileError or DiskError when it cannot be written into."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as e:
        raise refusal(path, e, "cannot make this folder, expected one that can be written into") from None
    except ValueError:
        raise FileError(f"{str(path)!r}: expected the name of a folder") from None


def read_text(path: Path, limit: int = MAX_MOTOR_BYTES) -> str:
    """The text of a file; FileError for a missing, unreadable, too large or non-UTF-8 one."""
    try:
        if path.is_dir():
            raise FileError(f"{path}: is a directory, expected a file")
        with open(path, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            text = b"" if size > limit else f.read(limit + 1)  # a device has no size and may have no end
        if max(size, len(text)) > limit:
            raise FileError(f"{path}: {max(size, len(text))} bytes, expected at most {limit}")
        return text.decode("utf-8")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except UnicodeDecodeError as e:
        raise FileError(f"{path}: not UTF-8 text (byte {e.start})") from None
    except OSError as e:
        raise refusal(path, e, "cannot read, expected a file") from None
    except ValueError as e:
        if isinstance(e, FileError):
            raise
        raise FileError(f"{str(path)!r}: expected the name of a file") from None


def _target(path: Path) -> Path:
    """Where a file really goes: what a link points to, as long as the link is root's or our own."""
    try:
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            if about.st_uid not in (0, os.geteuid()):
                raise FileError(f"{path}: a link that belongs to somebody else, expected a file of your own")
            path = Path(os.path.realpath(path))
            about = os.lstat(path)
    except FileNotFoundError:
        return path
    if not stat.S_ISREG(about.st_mode):
        raise FileError(f"{path}: cannot write here (not a plain file)")
    return path


def _sweep(folder: Path) -> None:
    """Takes away the scratch files of writers that are dead: a live one holds the lock of its own."""
    if str(folder) in _swept:
        return
    _swept.add(str(folder))
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if SCRATCH.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove_if_left(entry.path)


def _remove_if_left(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(fd)
        if stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid():
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    finally:
        os.close(fd)


def _scratch(target: Path) -> tuple[Path, int]:
    """A new file beside the target, with the rights of the one that it replaces, else those of the umask; its
    descriptor holds the lock that says it is in use."""
    try:
        rights = stat.S_IMODE(os.stat(target).st_mode) & 0o777
    except FileNotFoundError:
        rights = None
    suffix = target.suffix if SCRATCH.fullmatch(f".polepair-{'0' * 16}{target.suffix}") else ""
    while True:
        path = target.with_name(f".polepair-{secrets.token_hex(8)}{suffix}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, rights or 0o666)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:  # nobody swept it away before it was locked
            if rights is not None:
                os.fchmod(fd, rights)
            return path, fd
        os.close(fd)


def sync(path: Path) -> None:
    """Puts a file on the disk, or the names in a folder."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def replacing(path):
    """Yields a scratch path beside `path` that takes its place when the block ends without an error.

    What is seen after a power cut is the old file or the new one, whole. A link is followed to its file.
    """
    path = Path(path)
    try:
        target = _target(path)
        _sweep(target.parent)
        scratch, lock = _scratch(target)
    except OSError as e:
        raise refusal(path, e, "cannot write here") from None
    except ValueError as e:
        if isinstance(e, FileError):
            raise
        raise FileError(f"{str(path)!r}: expected the name of a file") from None
    try:
        yield scratch
        sync(scratch)
        os.replace(scratch, target)
        with contextlib.suppress(OSError):  # a file system whose folders cannot be synced
            sync(target.parent)
    except BaseException as e:
        scratch.unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise DiskError(f"{path}: cannot write ({e.strerror or e})") from None
        raise
    finally:
        os.close(lock)


def apart(out, *given) -> None:
    """FileError when `out` is one of the files given (None and names that are no file pass): it would be lost."""
    if any(same_file(out, path) for path in given):
        raise FileError(f"{out}: is the file that is read, expected another name for what is written")


def same_file(a, b) -> bool:
    """Whether both are there, and one file."""
    try:
        return b is not None and os.path.samefile(a, b)
    except (OSError, ValueError):  # one of them is not there
        return False


def write_text(path, text: str) -> None:
    """Writes a text file in one piece."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
