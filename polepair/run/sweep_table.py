"""The table of a sweep: a row per case."""

from pathlib import Path

import numpy as np

from ..arguments import PATH, takes
from ..errors import FileError
from ..table import channels, derived, parameters
from . import executors, provenance, warnings
from .result import Result
from .warnings import Doubt


class SweepTable(Result):
    """A row per case: the parameters given, the outputs, and `status` (0 where the case ran).

    table["magnet.Br"], table["omega_m.final"]; `failed` says which cases did not run and why; `complete` is False
    where Ctrl-C left some out: `unfinished` says which.
    """

    def __init__(self, names, block, about=None, failed=()):
        super().__init__(names, block, about)
        self.failed = list(failed)
        self.trace, self.traced = None, ()

    @property
    def unfinished(self) -> np.ndarray:
        """True for each case that was not run yet, nor refused."""
        return self["status"] == self.about.get("cancelled", executors.CANCELLED)

    @property
    def complete(self) -> bool:
        """Whether every case was run or refused."""
        return not self.unfinished.any()

    def save(self, path) -> None:
        """Writes .parquet (needs pyarrow), .npz or .csv, whole or not at all; the file says whether it is complete."""
        self.about |= {"complete": self.complete, "failed": [list(f) for f in self.failed]}
        super().save(path)

    def run(self, case: int) -> Result:
        """The trace of one case as a Result: a view, not a copy."""
        if self.trace is None:
            raise ValueError("this sweep kept no trace, expected sweep(..., trace=[channels])")
        return Result(self.traced, self.trace[case], {**self.about, "case": case})

    @property
    def warnings(self) -> list[Doubt]:
        """What the cases doubt, a line for each kind; empty without a column `warnings`."""
        return warnings.in_cases(self["warnings"]) if "warnings" in self else []

    def doubted(self) -> list[tuple[int, str]]:
        """The cases with warnings, and what they are."""
        masks = np.nan_to_num(self["warnings"]) if "warnings" in self else np.zeros(0)
        return [(int(k), "; ".join(map(str, warnings.plain_rows(masks[k])))) for k in np.flatnonzero(masks)]

    def unit(self, name: str) -> str:
        """SI unit of a column."""
        if name in parameters():
            return parameters()[name].unit
        if name.endswith(".settle"):
            return "s"
        base = name.rsplit(".", 1)[0]
        known = {**channels(), **derived()}
        return known[base].unit if base in known else known[name].unit if name in known else ""

    def __repr__(self) -> str:
        return f"SweepTable({len(self)} cases, {len(self.failed)} failed: {', '.join(self.names)})"


@takes(path=PATH)
def load_table(path) -> SweepTable:
    """Reads a saved sweep."""
    result = Result.load(path)
    if "status" not in result:
        kind = provenance.kind(result.about, result.names)
        raise FileError(f"{Path(path)}: not a sweep but a {kind}, expected the result of polepair sweep")
    return as_table(result)


def as_table(result: Result) -> SweepTable:
    """A result that has a column `status` as the table that it is."""
    return SweepTable(result.names, result.block, result.about, [tuple(f) for f in result.about.get("failed", [])])
