"""Result files: what is read is whole and what was written, or one FileError; nothing is unpacked that cannot fit.

A digest over names, numbers and metadata is stored in every file; files from before it open without.
"""

import errno
import hashlib
import itertools
import json
import math
import os
import zipfile
from pathlib import Path

import numpy as np

from ..errors import DiskError, FileError, plain
from ..files import refusal
from .memory import SMALL, free_memory

MEMBERS_MAX = 4096  # arrays in an .npz file
HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
HELD = {b"polepair", b"digest", b"ARROW:schema"}  # metadata of a Parquet file
OTHERS = {b"pandas", b"ARROW:schema"}  # of one that pandas, polars or pyarrow wrote
OLD, NEW = {"names", "block", "about"}, {"names", "block", "about", "digest"}


def need_room(path, size: float) -> None:
    """FileError when `size` bytes cannot fit in the memory that is free."""
    free = free_memory() if size > SMALL else math.inf
    if size > free:
        raise FileError(f"{path}: its numbers need {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free")


def writable(path, suffixes=(".parquet", ".npz", ".csv")) -> Path:
    """The path of a file to come; FileError, before any work is done for it, when it cannot be written."""
    path = Path(path)
    if path.suffix not in suffixes:
        wanted = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise FileError(f"{path}: unknown kind of file, expected {wanted}")
    if path.suffix == ".parquet":
        need_pyarrow(path)
    if not os.path.isdir(path.parent):
        raise FileError(f"{path}: cannot write here ({os.strerror(errno.ENOENT)})")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise DiskError(f"{path}: cannot write here ({os.strerror(errno.EACCES)})")
    return path


def guarded(path, what: str, reader, *args):
    """What reader(path, *args) gives; any of its errors becomes one line that says what the file was expected to be."""
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise FileError(f"{path}: not a plain file, expected {what}")
    try:
        return reader(path, *args)
    except FileError:
        raise
    except PermissionError as e:
        raise refusal(path, e, f"cannot read, expected {what}") from None
    except Exception as e:
        said = plain((isinstance(e, OSError) and e.strerror) or f"{e}" or type(e).__name__, 100)
        raise FileError(f"{path}: not {what} ({said})") from None


def digest(names, block: np.ndarray, about: str) -> str:
    """Of names, numbers (every NaN is the same one) and metadata."""
    block = np.ascontiguousarray(block, dtype="<f8")
    if np.isnan(block).any():
        block = np.where(np.isnan(block), np.nan, block)
    made = hashlib.blake2b(json.dumps([list(names), list(block.shape), about]).encode(), digest_size=16)
    made.update(memoryview(block).cast("B") if block.size else b"")
    return made.hexdigest()


def _check(path, names, block: np.ndarray, about: str, stored: str | None) -> dict:
    """The metadata of a result whose parts fit together; FileError for another."""
    if block.ndim != 2 or block.shape[1] != len(names) or len(set(names)) != len(names) or not len(names):
        raise FileError(f"{path}: not a result file (expected as many different names as columns)")
    if stored is not None and stored != digest(names, block, about):
        raise FileError(f"{path}: damaged (its digest is another), expected the file as it was saved")
    read = json.loads(about)
    failed = read.get("failed", []) if isinstance(read, dict) else None
    if not isinstance(failed, list) or not all(isinstance(f, list) and len(f) == 2 for f in failed):
        raise FileError(f"{path}: not a result file (expected metadata as it was saved)")
    return read


# npz ----------------------------------------------------------------------------------------------------------------


def write_npz(path, names, block, about: str) -> None:
    """Writes the arrays names, block, about and digest."""
    stored = np.array(digest(names, block, about))
    with open(path, "wb") as f:
        np.savez(f, names=np.array(names), block=np.asarray(block, dtype=float), about=np.array(about), digest=stored)


def read_npz(path):
    """Names, numbers and metadata; old files have no digest, but zip's own checksums."""
    arrays = npz_arrays(path)
    if arrays.keys() not in (OLD, NEW):
        raise FileError(f"{path}: not a result file (expected the arrays {', '.join(sorted(NEW))})")
    names, block, about = arrays["names"], arrays["block"], arrays["about"]
    texts = [about, *([arrays["digest"]] if "digest" in arrays else [])]
    if names.dtype.kind != "U" or names.ndim != 1 or any(t.dtype.kind != "U" or t.ndim for t in texts):
        raise FileError(f"{path}: not a result file (expected names, about and digest as text)")
    if block.dtype.kind != "f" or block.dtype.itemsize != 8:
        raise FileError(f"{path}: not a result file (expected block as float64, not {block.dtype})")
    listed, block = [str(n) for n in names], block.astype(float, copy=False)
    return listed, block, _check(path, listed, block, str(about), str(texts[1]) if len(texts) > 1 else None)


def npz_arrays(path) -> dict[str, np.ndarray]:
    """Every array of an .npz file, numbers and text only; sizes are checked before anything is unpacked."""
    with zipfile.ZipFile(path) as z:
        members = z.infolist()
        if len(members) > MEMBERS_MAX or len({m.filename for m in members}) < len(members):
            raise FileError(f"{path}: expected at most {MEMBERS_MAX} arrays of different names")
        for m in members:
            if m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or not m.filename.endswith(".npy"):
                raise FileError(f"{path}: {plain(m.filename, 40)}: expected arrays as NumPy saves them")
        need_room(path, sum(m.file_size for m in members))
        return {m.filename.removesuffix(".npy"): _npy(z, m, path) for m in members}


def _npy(z: zipfile.ZipFile, member: zipfile.ZipInfo, path) -> np.ndarray:
    """One array whose header says exactly what is there."""
    where = f"{path}: {plain(member.filename, 40)}"
    with z.open(member) as f:
        reader = HEADER_READERS.get(np.lib.format.read_magic(f))
        if reader is None:
            raise FileError(f"{where}: expected version 1 or 2 of NumPy's format")
        shape, fortran, dtype = reader(f)
        if dtype.kind not in "fiubU" or not dtype.itemsize:
            raise FileError(f"{where}: {plain(dtype, 40)}: expected numbers or text")
        count = math.prod(shape)
        if min(shape, default=0) < 0 or f.tell() + count * dtype.itemsize != member.file_size:
            raise FileError(f"{where}: expected as many bytes as its shape needs")
        data = bytearray(count * dtype.itemsize)
        if f.readinto(data) != len(data) or f.read(1):  # reading to the end checks the checksum
            raise FileError(f"{where}: cut short")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


# Parquet ------------------------------------------------------------------------------------------------------------


def need_pyarrow(path) -> None:
    """FileError with what to install where pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        hint = "expected: pip install 'polepair[report]', or a .npz file"
        raise FileError(f"{path}: Parquet needs pyarrow, {hint}") from None


def write_parquet(path, names, units, block, about: str) -> None:
    """Writes a column a name; metadata and digest are in the schema's metadata, every page has its checksum."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(n, pa.float64(), metadata={"unit": u}) for n, u in zip(names, units, strict=True)]
    schema = pa.schema(fields, metadata={"polepair": about, "digest": digest(names, block, about)})
    block = np.asarray(block, dtype=float)
    table = pa.table([pa.array(block[:, i]) for i in range(len(names))], schema=schema)
    with open(path, "wb") as opened:  # by pyarrow no name whose bytes are not UTF-8
        pq.write_table(table, opened, compression="zstd", write_page_checksum=True)


def parquet_of_others(path) -> bool:
    """Whether another program wrote it: neither key of ours is there, of which damage could have taken one."""
    import pyarrow.parquet as pq

    with open(path, "rb") as opened:
        return (pq.read_schema(opened).metadata or {}).keys() <= OTHERS


def read_parquet(path, plain_too: bool = False):
    """Names, numbers and metadata; plain_too: also the columns of a table that another program wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # opened here: pyarrow takes no name whose bytes are not UTF-8
    with open(path, "rb") as opened, pq.ParquetFile(opened, page_checksum_verification=True) as file:
        schema = file.schema_arrow
        held = schema.metadata or {}
        other = plain_too and held.keys() <= OTHERS
        if not other and (b"polepair" not in held or held.keys() - HELD):
            raise FileError(f"{path}: not a result file (a Parquet file of something else)")
        if not all(pa.types.is_floating(t) or pa.types.is_integer(t) for t in schema.types):
            raise FileError(f"{path}: not a result file (expected columns of numbers)")
        # pyarrow ends the process when it is asked about the chunks of a damaged footer: only the rows are counted
        need_room(path, 8.0 * file.metadata.num_rows * len(schema.names))
        table = file.read()
    if any(c.null_count for c in table.columns):
        raise FileError(f"{path}: not a result file (expected no missing values)")
    names = table.column_names
    block = np.column_stack([c.to_numpy().astype(float, copy=False) for c in table.columns])
    if other:
        return names, block, {}
    stored = held[b"digest"].decode() if b"digest" in held else None
    return names, block, _check(path, names, block, held[b"polepair"].decode(), stored)


# CSV ----------------------------------------------------------------------------------------------------------------


def write_csv(path, names, units, block) -> None:
    """Writes a header with units and a line a row."""
    header = ",".join(f"{n} [{u}]" if u else n for n, u in zip(names, units, strict=True))
    np.savetxt(path, block, delimiter=",", header=header, comments="", fmt="%.12g")


def read_csv(path) -> dict[str, np.ndarray]:
    """Columns by name (units in brackets are passed over); every cell of every line is a number."""
    with open(path, encoding="utf-8") as f:
        first = f.readline(1 << 20).lstrip("\ufeff# ")
        names = [cell.split("[")[0].strip() for cell in first.split(",")]
        if not all(names) or len(set(names)) < len(names):
            raise FileError(f"{path}: line 1: expected different names of columns")
        lines = (line for line in f if line.strip() and not line.lstrip().startswith("#"))
        head = next(lines, "")
        data = np.loadtxt(itertools.chain([head], lines), delimiter=",", ndmin=2) if head else np.empty((0, len(names)))
    if data.shape[1] != len(names):
        raise FileError(f"{path}: {data.shape[1]} columns, expected {len(names)} as in line 1")
    return dict(zip(names, data.T, strict=True))
