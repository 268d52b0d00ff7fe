"""Whether a store is whole: the file as SQLite sees it, each chunk by its checksum, and what lies beside it."""

from pathlib import Path
from typing import NamedTuple

from ..errors import StoreError
from .backlog import STREAM_SHIFT, damaged, segments
from .database import Store
from .recorder import journal_of, recorded, recover


class Report(NamedTuple):
    """What was found; everything but `rows` is a list of what is wrong, in words, empty where nothing is."""

    path: Path
    rows: dict[str, int]
    file: list[str]
    chunks: list[str]
    journal: list[str]

    @property
    def whole(self) -> bool:
        """Nothing is damaged, and nothing waits but for a recorder that runs."""
        return not (self.file or self.chunks or self.journal)

    def data(self) -> dict:
        """For --json."""
        return {**self._asdict(), "path": str(self.path), "whole": self.whole}

    def lines(self) -> list[str]:
        """For people."""
        rows = ", ".join(f"{n} rows of {name}" for name, n in self.rows.items()) or "no streams"
        wrong = [*self.file, *self.chunks, *self.journal]
        return [f"{self.path}: {rows}; {'whole' if self.whole else f'{len(wrong)} faults'}", *wrong]


def verified(path) -> Report:
    """Reads all of a store, after storing what a killed recorder left behind; others may go on recording. StoreError
    where there is none."""
    path, journal = Path(path), []
    if not path.exists():
        raise StoreError(f"{path}: no such file, expected a store made by polepair record")
    try:
        journal += recover(path)
    except (StoreError, OSError) as e:
        journal.append(f"the journal cannot be stored: {e}")
    folder = journal_of(path.resolve())
    journal += [f"{p}: kept because it could not be stored whole" for p in damaged(folder)]
    if waiting := sum(not recorded(folder, s >> STREAM_SHIFT) for s in segments(folder)):
        journal.append(f"{folder}: {waiting} segments wait, of a stream that is unknown")
    with Store(path) as store:
        file, chunks = store.faults(), []
        rows = {}
        try:
            for row in store.rows_of_streams():
                rows[row.name] = sum(map(len, store.chunks(row.name, bad=chunks)))
                store.marks(row.id, chunks)
        except StoreError as e:
            chunks.append(str(e))
        return Report(path, rows, file, chunks, journal)
