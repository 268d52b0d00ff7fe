"""Files: read with a size limit, written beside and renamed, so that no half-written file is ever seen."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import FileError

MAX_MOTOR_BYTES = 1 << 20


def read_text(path: Path, limit: int = MAX_MOTOR_BYTES) -> str:
    """The text of a file; FileError for a missing, unreadable, too large or non-UTF-8 one."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise FileError(f"{path}: is a directory, expected a file")
        if size > limit:
            raise FileError(f"{path}: {size} bytes, expected at most {limit}")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except UnicodeDecodeError as e:
        raise FileError(f"{path}: not UTF-8 text (byte {e.start})") from None
    except OSError as e:
        raise FileError(f"{path}: {e.strerror}") from None


@contextmanager
def replacing(path):
    """Yields a scratch path beside `path` that takes its place when the block ends without an error."""
    path = Path(path)
    try:
        handle, scratch = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as e:
        raise FileError(f"{path}: cannot write here ({e.strerror})") from None
    try:
        yield Path(scratch)
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException as e:
        Path(scratch).unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise FileError(f"{path}: cannot write ({e.strerror or e})") from None
        raise


def write_text(path, text: str) -> None:
    """Writes a text file in one piece."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
