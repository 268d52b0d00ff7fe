"""Results: named channels over one float64 block; views, not copies."""

import json
from pathlib import Path

import numpy as np

from ..arguments import NAMES, PATH, TEXT, takes
from ..errors import FileError, UnknownNameError, nearest, plain
from ..files import replacing
from ..table import channels
from . import saved
from .warnings import Doubt, restored

FORMAT = 1  # of the metadata in saved files


class Result:
    """One run: result["omega_m"] is a view on column `omega_m` of `block` (float64, rows x channels).

    `about` says what it is of (provenance.py): motor, settings, how it was run, version, date.
    """

    def __init__(self, names, block: np.ndarray, about=None):
        self.names = tuple(names)
        self.block = block
        self._about = about if callable(about) else dict(about or {})
        self._column = {n: i for i, n in enumerate(self.names)}

    @property
    def about(self) -> dict:
        """What the result is of; made when it is first asked for."""
        if callable(self._about):
            self._about = self._about()
        return self._about

    @about.setter
    def about(self, about: dict) -> None:
        self._about = about

    def __getitem__(self, name: str) -> np.ndarray:
        if not isinstance(name, str) or name not in self._column:
            raise UnknownNameError(f"{plain(name, 100)}: not recorded{nearest(name, self.names)}")
        return self.block[:, self._column[name]]

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self._column

    def __len__(self) -> int:
        return len(self.block)

    def __repr__(self) -> str:
        return f"Result({len(self)} rows of {', '.join(self.names)})"

    @property
    def warnings(self) -> list[Doubt]:
        """What the run doubts; each has `code` and `where`, and its str is one line."""
        return restored(self.about)

    @takes(name=TEXT)
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

    @takes(path=PATH)
    def save(self, path) -> None:
        """Writes .parquet (needs pyarrow), .npz or .csv, whole or not at all."""
        path = saved.writable(path)
        units = [self.unit(n) for n in self.names]
        about = json.dumps({**self.about, "format": FORMAT, "units": dict(zip(self.names, units, strict=True))})
        with replacing(path) as scratch:
            if path.suffix == ".parquet":
                saved.write_parquet(scratch, self.names, units, self.block, about)
            elif path.suffix == ".npz":
                saved.write_npz(scratch, self.names, self.block, about)
            else:
                saved.write_csv(scratch, self.names, units, self.block)

    @classmethod
    @takes(path=PATH)
    def load(cls, path) -> "Result":
        """Reads what `save` wrote (.parquet or .npz); FileError for anything else, damaged files included."""
        path = Path(path)
        reader = {".parquet": saved.read_parquet, ".npz": saved.read_npz}.get(path.suffix)
        if reader is None:
            raise FileError(f"{path}: unknown kind of file, expected .parquet or .npz")
        if not path.exists():
            raise FileError(f"{path}: no such file")
        if path.suffix == ".parquet":
            saved.need_pyarrow(path)
        names, block, about = saved.guarded(path, "a result file", reader)
        if about.get("format") != FORMAT:
            raise FileError(f"{path}: format {plain(about.get('format'), 40)}, expected {FORMAT}")
        return cls(names, block, about)

    @takes(names=NAMES)
    def plot(self, names=("omega_m", "torque", "iq"), path=None):
        """Channels over time as a matplotlib figure; written to `path` if given."""
        from ..draw.plots import time_series

        figure = time_series(self, (names,) if isinstance(names, str) else names)
        if path:
            figure.savefig(path)
        return figure
