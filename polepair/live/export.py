"""Recorded rows as files for other programs, chunk by chunk: a recording is larger than memory."""

from pathlib import Path

import numpy as np

from ..errors import StoreError
from ..files import replacing
from ..run import saved
from .streams import Rows, seconds

WHOLE = ("time", "seq", "arrival")


def write_rows(rows: Rows, path) -> int:
    """Rows as .parquet or .csv: time, seq and arrival as whole nanoseconds, then the channels; how many."""
    return export(rows.channels, [rows], path)


def export(channels, parts, path) -> int:
    """The same of many Rows, one behind the other."""
    path = Path(path)
    writers = {".parquet": _write_parquet, ".csv": _write_csv}
    if path.suffix not in writers:
        raise StoreError(f"{path}: unknown kind of file, expected .parquet or .csv")
    with replacing(path) as scratch:
        return writers[path.suffix](scratch, channels, parts)


def exported(path) -> dict[str, np.ndarray] | None:
    """The channels in what `export` wrote, float64, with time in seconds from its first row; None for another file."""
    path = Path(path)
    if path.suffix == ".parquet":
        return _exported_parquet(path)
    if not saved.guarded(path, "a result file or recording", _is_export):
        return None
    columns = saved.guarded(path, "a record of columns", saved.read_csv)
    time = saved.guarded(
        path, "a record of columns", lambda p: np.loadtxt(p, np.int64, delimiter=",", skiprows=1, usecols=0, ndmin=1)
    )
    return {"time": seconds(time), **{n: c for n, c in columns.items() if n not in WHOLE}}


def _is_export(path) -> bool:
    with open(path, encoding="utf-8", errors="replace") as f:
        return tuple(f.readline(1 << 16).strip().split(",")[: len(WHOLE)]) == WHOLE


def _exported_parquet(path) -> dict[str, np.ndarray] | None:
    saved.need_pyarrow(path)
    table = saved.guarded(path, "a result file or recording", _table)
    if table is None:
        return None
    columns = {n: np.ascontiguousarray(table[n].to_numpy(), dtype=float) for n in table.column_names[len(WHOLE) :]}
    return {"time": seconds(table["time"].to_numpy()), **columns}


def _table(path):
    """The table that `export` wrote, None for another's."""
    import pyarrow.parquet as pq

    with open(path, "rb") as opened, pq.ParquetFile(opened) as file:
        names = tuple(file.schema_arrow.names)
        if names[: len(WHOLE)] != WHOLE:
            return None
        saved.need_room(path, 16.0 * file.metadata.num_rows * len(names))
        return file.read()


def _columns(rows: Rows) -> list[np.ndarray]:
    return [rows.time, rows.seq, rows.arrival, *rows.columns]


def _write_parquet(scratch, channels, parts) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = [pa.int64()] * len(WHOLE) + [pa.float64()] * len(channels)
    schema = pa.schema(list(zip((*WHOLE, *channels), kinds, strict=True)))
    count = 0
    parquet = {"compression": "zstd", "write_page_checksum": True}
    with open(scratch, "wb") as opened, pq.ParquetWriter(opened, schema, **parquet) as writer:
        for rows in parts:
            columns = [pa.array(c, k) for c, k in zip(_columns(rows), kinds, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))
            count += len(rows)
    return count


def _write_csv(scratch, channels, parts) -> int:
    count = 0
    with open(scratch, "w", encoding="utf-8") as f:
        f.write(",".join((*WHOLE, *channels)) + "\n")
        for rows in parts:
            columns = [c.tolist() for c in _columns(rows)]
            f.writelines(",".join(map(repr, row)) + "\n" for row in zip(*columns, strict=True))
            count += len(rows)
    return count
