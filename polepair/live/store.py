"""The store: recorded streams in one file (database.py), behind a journal of raw messages that outlives a killed
process (recorder.py), and out again (export.py)."""

from .database import Store
from .export import export, write_rows
from .recorder import Recorder, recover

__all__ = ["Recorder", "Store", "export", "recover", "write_rows"]
