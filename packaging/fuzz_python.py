"""Fuzzes what Python reads from strangers: fuzz_python.py SURFACE [SECONDS], or `list`.

Inputs are seeds of tests/fuzz/SURFACE with bytes flipped, cut, inserted and spliced, and text put together from the
surface's own words; those with a new outcome are built upon. Most come quickly from a random generator, a tenth from
hypothesis. A finding is an exception or warning that is not polepair's own, a second of processor time for one
input, a secret in a message, or damage that was read as other data. It is shrunk, kept in build/fuzz/SURFACE and named.
An input that ends the process is left in build/fuzz/SURFACE/current.
"""

import argparse
import contextlib
import faulthandler
import hashlib
import os
import random
import sys
import time
from pathlib import Path

from fuzz_surfaces import ROOT, SURFACES, FindingError, Surface, seeds_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

STUCK = 60  # seconds without a look at the clock that end the process
DRAWN, QUICK, POOL = 50, 450, 400  # inputs of hypothesis, then of random between two looks at the clock; built upon
SHRINKS = 2000  # tries to make a failing input smaller
COUNTS = (1, 1, 1, 2, 3, 6)  # edits of an input


def edited(base: bytes, edits, words) -> bytes:
    """A seed with edits: (where, what, with)."""
    data = bytearray(base)
    for where, what, value in edits:
        at = where % (len(data) + 1)
        if what == 0 and at < len(data):
            data[at] ^= 1 << value % 8
        elif what == 1 and at < len(data):
            data[at] = value % 256
        elif what == 2:
            del data[at : at + value % 64]
        elif what == 3:
            data[at:at] = words[value % len(words)].encode("utf-8", "surrogatepass")
        elif what == 4:
            piece = data[at : at + value % 32]
            data[value % (len(data) + 1) : value % (len(data) + 1)] = piece
    return bytes(data)


def inputs(pool: list[bytes], words):
    """Strategy of inputs: edited ones of the pool, texts of words, bytes."""
    edit = st.tuples(st.integers(0, 1 << 20), st.integers(0, 4), st.integers(0, 1 << 12))
    mutated = st.builds(edited, st.sampled_from(pool), st.lists(edit, min_size=1, max_size=6), st.just(words))
    spoken = st.lists(st.sampled_from(words), max_size=12).map(lambda w: "".join(w).encode("utf-8", "surrogatepass"))
    return st.one_of(mutated, mutated, mutated, spoken, st.binary(max_size=64))


class Hunt:
    """One run over a surface: inputs tried, the finding if there is one."""

    def __init__(self, surface: Surface, pool: list[bytes], folder: Path, seed=None):
        self.surface, self.pool, self.folder = surface, list(pool), folder
        self.count, self.seen = 0, set()
        self.failing: tuple[bytes, str] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.current = os.open(folder / "current", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self.dice = random.Random(seed)

    def look(self, data: bytes) -> None:
        """Tries one input; one with a new outcome is built upon."""
        os.ftruncate(self.current, 0)
        os.pwrite(self.current, data, 0)
        try:
            said = self.surface.tried(data)
        except Exception as e:
            self.failing = (data, f"{type(e).__name__}: {e}")
            raise
        self.count += 1
        if said not in self.seen and len(self.pool) < POOL:
            self.seen.add(said)
            self.pool.append(data)

    def drawn(self) -> None:
        """DRAWN inputs of hypothesis, which shrinks a failing one."""
        pool = list(self.pool)

        @settings(max_examples=DRAWN, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
                  suppress_health_check=list(HealthCheck), print_blob=False)  # fmt: skip
        @given(inputs(pool, self.surface.words))
        def one(data):
            self.look(data)

        one()

    def quick(self) -> None:
        """QUICK inputs with random edits."""
        dice = self.dice
        for _ in range(QUICK):
            edits = [
                (dice.randrange(1 << 20), dice.randrange(5), dice.randrange(1 << 12))
                for _ in range(dice.choice(COUNTS))
            ]
            self.look(edited(dice.choice(self.pool), edits, self.surface.words))

    def shrink(self) -> None:
        """Cuts out of the failing input what does not change the kind of failure."""
        data, said = self.failing
        kind, size, tries = said.split(":")[0], len(data) // 2, 0
        while size and tries < SHRINKS:
            for at in range(0, len(data), size):
                tries += 1
                shorter = data[:at] + data[at + size :]
                with contextlib.suppress(Exception):
                    self.look(shorter)
                    continue
                if self.failing[1].split(":")[0] == kind:
                    data = shorter
                    break
            else:
                size //= 2
        with contextlib.suppress(Exception):
            self.look(data)

    def run(self, seconds: float) -> bool:
        """Hunts for so long; True when there was no finding."""
        end = time.monotonic() + seconds
        try:
            for seed in list(self.pool):
                self.look(seed)
            while time.monotonic() < end:
                faulthandler.dump_traceback_later(STUCK, exit=True, file=sys.__stderr__)
                self.drawn()
                self.quick()
        except Exception as e:
            if self.failing is None:
                raise
            self.shrink()
            kept = self.folder / f"finding-{hashlib.sha256(self.failing[0]).hexdigest()[:12]}"
            kept.write_bytes(self.failing[0])
            print(f"finding: {self.failing[1][:300]!r}\n  input kept in {kept}: {self.failing[0][:120]!r}")
            if not isinstance(e, FindingError):
                import traceback

                traceback.print_exception(e, limit=-3)
            return False
        finally:
            faulthandler.cancel_dump_traceback_later()
            os.close(self.current)
        (self.folder / "current").unlink(missing_ok=True)
        return True


def main(arguments=None) -> int:
    """Runs one surface; 1 for a finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surface", choices=["list", *SURFACES])
    parser.add_argument("seconds", nargs="?", type=float, default=10.0)
    given_ = parser.parse_args(arguments)
    if given_.surface == "list":
        print(*SURFACES)
        return 0
    surface = SURFACES[given_.surface]()
    hunt = Hunt(surface, [p.read_bytes() for p in seeds_of(given_.surface)], ROOT / "build/fuzz" / given_.surface)
    good = hunt.run(given_.seconds)
    surface.close()
    print(f"fuzz: {given_.surface}: {hunt.count} inputs in {given_.seconds:g} s, {int(not good)} findings")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
