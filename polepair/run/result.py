"""Results: named channels over one float64 block; views, not copies."""

import json
from pathlib import Path

import numpy as np

from ..errors import FileError, nearest
from ..files import replacing
from ..table import channels

FORMAT = 1  # of the metadata in saved files


class Result:
    """One run: result["omega_m"] is a view on column `omega_m` of `block` (float64, rows x channels)."""

    def __init__(self, names, block: np.ndarray, about: dict | None = None):
        self.names = tuple(names)
        self.block = block
        self.about = dict(about or {})
        self._column = {n: i for i, n in enumerate(self.names)}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._column:
            raise KeyError(f"{name}: not recorded{nearest(name, self.names)}")
        return self.block[:, self._column[name]]

    def __contains__(self, name: str) -> bool:
        return name in self._column

    def __len__(self) -> int:
        return len(self.block)

    def __repr__(self) -> str:
        return f"Result({len(self)} rows of {', '.join(self.names)})"

    def unit(self, name: str) -> str:
        """SI unit of a channel."""
        return channels()[name].unit if name in channels() else ""

    @property
    def energy_residual(self) -> float:
        """Energy balance: (in - copper - friction - load - stored) / in over the whole run."""
        last = {n: self[f"energy_{n}"][-1] for n in ("in", "copper", "friction", "load", "stored")}
        first = self["energy_stored"][0]
        spent = last["copper"] + last["friction"] + last["load"] + last["stored"] - first
        return float((last["in"] - spent) / max(abs(last["in"]), 1e-300))

    def save(self, path) -> None:
        """Writes .parquet (needs pyarrow), .npz or .csv, whole or not at all."""
        path = Path(path)
        writer = {".parquet": _write_parquet, ".npz": _write_npz, ".csv": _write_csv}.get(path.suffix)
        if writer is None:
            raise FileError(f"{path}: unknown kind of file, expected .parquet, .npz or .csv")
        if path.suffix == ".parquet":
            _need_pyarrow(path)
        with replacing(path) as scratch:
            writer(scratch, self)

    @classmethod
    def load(cls, path) -> "Result":
        """Reads what `save` wrote (.parquet or .npz)."""
        path = Path(path)
        reader = {".parquet": _read_parquet, ".npz": _read_npz}.get(path.suffix)
        if reader is None:
            raise FileError(f"{path}: unknown kind of file, expected .parquet or .npz")
        if not path.exists():
            raise FileError(f"{path}: no such file")
        if path.suffix == ".parquet":
            _need_pyarrow(path)
        try:
            names, block, about = reader(path)
        except FileError:
            raise
        except Exception as e:
            raise FileError(f"{path}: not a result file ({str(e).splitlines()[0][:100]})") from None
        if about.get("format") != FORMAT:
            raise FileError(f"{path}: format {about.get('format')}, expected {FORMAT}")
        return cls(names, block, about)

    def plot(self, names=("omega_m", "torque", "iq"), path=None):
        """Channels over time as a matplotlib figure; written to `path` if given."""
        from ..draw.plots import time_series

        figure = time_series(self, names)
        if path:
            figure.savefig(path)
        return figure


def _about(result) -> dict:
    return {**result.about, "format": FORMAT, "units": {n: result.unit(n) for n in result.names}}


def _need_pyarrow(path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        hint = "expected: pip install 'polepair[report]', or a .npz file"
        raise FileError(f"{path}: Parquet needs pyarrow, {hint}") from None


def _write_parquet(path, result) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(n, pa.float64(), metadata={"unit": result.unit(n)}) for n in result.names]
    schema = pa.schema(fields, metadata={"polepair": json.dumps(_about(result))})
    table = pa.table([pa.array(result[n]) for n in result.names], schema=schema)
    pq.write_table(table, path, compression="zstd")


def _read_parquet(path):
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    about = json.loads((table.schema.metadata or {}).get(b"polepair", b"{}"))
    block = np.column_stack([table[n].to_numpy() for n in table.column_names])
    return table.column_names, block, about


def _write_npz(path, result) -> None:
    with open(path, "wb") as f:
        np.savez(f, names=np.array(result.names), block=result.block, about=np.array(json.dumps(_about(result))))


def _read_npz(path):
    with np.load(path, allow_pickle=False) as z:
        return [str(n) for n in z["names"]], z["block"], json.loads(str(z["about"]))


def _write_csv(path, result) -> None:
    header = ",".join(f"{n} [{result.unit(n)}]" if result.unit(n) else n for n in result.names)
    np.savetxt(path, result.block, delimiter=",", header=header, comments="", fmt="%.12g")
