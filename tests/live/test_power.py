"""Power cuts: at every sync, rename and removal of a recorder's run, and after every step, the disk may hold of what is
not synced everything, nothing or any pages; the next recorder starts on it and has what was acknowledged before the
last sync of the journal, once, with its values, and nothing that was never sent."""

import errno
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from support.oracle import CHANNELS
from support.power import Follower
from support.trials import STORIES, orders

from polepair.live.store import Recorder, Store
from polepair.live.streams import Stream

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
EXTRA = 10**6  # sent after the power cut


@pytest.fixture(scope="module")
def follower():
    folder = Path(tempfile.mkdtemp(prefix="power-", dir=MEMORY))
    follower = Follower(folder)
    yield follower
    follower.close()
    shutil.rmtree(folder, ignore_errors=True)


def after_the_cut(path: Path) -> list[float]:
    """The machine starts again, and records: what the store holds then."""
    stream = Stream(CHANNELS, "json", 1 << 12)
    recorder = Recorder(path, stream)
    assert stream.push(b'{"a":%d,"b":-%d}' % (EXTRA, EXTRA), 10**18)
    recorder.close()
    assert recorder.error is None, recorder.error
    with Store(path) as store:
        rows = store.read("fast")
        assert store.faults() == []
    assert (rows["b"] == -rows["a"]).all(), "values"
    return rows["a"].tolist()


class Judge:
    """Cuts the power, and looks at what is left. Without mixtures: only behind steps, where all of the rest is lost."""

    def __init__(self, folder: Path, seed: int, mixtures: int):
        self._folder, self._dice, self._mixtures = folder, random.Random(seed), mixtures
        self.cuts, self.wrong = 0, []

    def __call__(self, disk, books, what: str) -> None:
        drawn = [self._dice.choice((0.1, 0.5, 0.9)) for _ in range(self._mixtures)]
        if not drawn and what != "say":
            return
        for share in (0.0, 1.0, *drawn) if drawn else (0.0,):
            self.cuts += 1
            target = self._folder / "cut"
            disk.cut(target, self._dice if 0 < share < 1 else None, share)
            if fault := self._fault(target, books):
                self.wrong.append(f"cut {self.cuts} at {what}, {share} of the rest: {fault}")
            shutil.rmtree(target)

    @staticmethod
    def _fault(target: Path, books) -> str:
        try:
            stored = after_the_cut(target / "x.ppdb")
        except Exception as e:
            return f"{type(e).__name__}: {e}"
        if len(set(stored)) != len(stored):
            return "twice"
        if missing := books.safe - set(stored):
            return f"synced and not stored: {len(missing)}, such as {sorted(missing)[:3]}"
        foreign = set(stored) - books.sent - {EXTRA}
        return f"never sent: {sorted(foreign)[:3]}" if foreign else ""


def judged(follower, story: str, seed: int, mixtures: int, **fault) -> Judge:
    """A run with its power cuts."""
    folder = Path(tempfile.mkdtemp(prefix="cuts-", dir=MEMORY))
    judge = Judge(folder, seed, mixtures)
    try:
        books = follower.follow(orders(folder, story, **fault), judge)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    judge.wrong += books.wrong
    assert books.safe or fault, "nothing was ever synced"
    return judge


@pytest.mark.parametrize("story", ["watched", "taken over"])
def test_a_power_cut(follower, story):
    judge = judged(follower, story, 1, 1)
    assert not judge.wrong, f"{len(judge.wrong)} of {judge.cuts}:\n" + "\n".join(judge.wrong[:20])
    assert judge.cuts > 60


@pytest.mark.parametrize(
    "call, which",
    [("dup", [1]), ("sync", [7, 12]), pytest.param("sync", [*range(1, 30, 2)], marks=pytest.mark.slow)],
)
def test_a_power_cut_after_a_sync_that_failed(follower, call, which):
    """Many segments wait for it; what a later sync calls written is."""
    cuts, wrong = 0, []
    error = errno.EIO if call == "sync" else errno.EMFILE
    for k in which:
        judge = judged(follower, "stalled", k, 0, call=call, n=k, error=error)
        cuts, wrong = cuts + judge.cuts, wrong + [f"n {k}: {w}" for w in judge.wrong]
    assert not wrong, f"{len(wrong)} of {cuts}:\n" + "\n".join(wrong[:20])
    assert cuts > 3


@pytest.mark.slow
@pytest.mark.parametrize("story", [s for s in STORIES if s != "damaged"])
def test_power_cuts(follower, story):
    judge = judged(follower, story, 2, 2 if story == "stalled" else 5)
    print(f"{story}: {judge.cuts} power cuts")
    assert not judge.wrong, f"{len(judge.wrong)} of {judge.cuts}:\n" + "\n".join(judge.wrong[:20])
    assert judge.cuts > 120
