"""The n-th call of every kind fails, for every n, in a recorder that opens, records, stores, goes on and ends or is
killed. What was acknowledged is stored, once, with its values, by whoever comes next; a recorder says what is wrong in
a line, and never crashes, hangs or lives on with a dead thread."""

import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.oracle import CHANNELS
from support.trials import FOR_EVER, SOURCE, STORIES, Server, build, orders, told

from polepair.live.store import Recorder, Store
from polepair.live.streams import Stream
from polepair.live.verify import verified

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
CALLS = {
    "open": (errno.EMFILE, errno.ENOSPC),
    "dup": (errno.EMFILE,),
    "fallocate": (errno.ENOSPC, errno.EINTR),
    "sync": (errno.EIO, errno.ENOSPC),
    "mmap": (errno.ENOMEM,),
    "memory": (errno.ENOMEM,),
    "arrays": (errno.ENOMEM,),
    "sqlite": (errno.ENOMEM,),
    "write": (errno.ENOSPC, errno.EIO, 0),
    "read": (errno.EIO,),
    "rename": (errno.ENOSPC, errno.EIO),
    "truncate": (errno.EIO,),
    "statvfs": (errno.EIO,),
    "unlink": (errno.EIO,),
    "link": (errno.EMLINK,),
    "mkdir": (errno.ENOSPC,),
    "rmdir": (errno.EBUSY,),
    "lock": (errno.ENOLCK,),
}
MAYBE_NONE = {"link"}  # is not called while all goes well
EXTRA = 10**6  # sent by whoever comes next


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=MEMORY))
    server = Server(folder)
    yield server
    server.close()
    shutil.rmtree(folder, ignore_errors=True)


def next_process(path: Path, spoilt: bool) -> list[float]:
    """Somebody else records into the store: what it holds then."""
    stream = Stream(CHANNELS, "json", 1 << 12)
    recorder = Recorder(path, stream)
    assert stream.push(b'{"a":%d,"b":-%d}' % (EXTRA, EXTRA), 10**18)
    recorder.close()
    assert recorder.error is None and (spoilt or recorder.faults == [])
    report = verified(path)
    assert report.whole or (spoilt and len(report.journal) == 1 and not report.file + report.chunks), report
    with Store(path) as store:
        rows = store.read("fast")
    assert (rows["b"] == -rows["a"]).all(), "values"
    return rows["a"].tolist()


def processes(server, given: list[dict]) -> tuple[dict, list[str]]:
    """Runs them; what they said, and how one should not have ended."""
    said, wrong = {}, []
    for one in given:
        server.begin(one)
        code, last = server.ended(), told(one)
        wanted = -9 if one["story"].endswith("k") and "end" not in last else 0
        wrong += [] if code == wanted else [f"ended with {code}, None is a hang"]
        said = {k: said.get(k, []) + last.get(k, []) for k in {*said, *last}}
    return said, wrong + said.get("wrong", [])


def wrong_with(server, given: list[dict]) -> tuple[int, list[str]]:
    """A trial: how many calls failed, and what was not as it should be."""
    said, wrong = processes(server, given)
    fired = said.get("fired", [0])[-1]
    spoilt = {i for ids in said.get("spoilt", []) for i in ids}
    acknowledged = {i for ids in said.get("kept", []) for i in ids} - spoilt | {EXTRA}
    try:
        stored = next_process(Path(given[0]["path"]), bool(spoilt))
    except Exception as e:
        return fired, [*wrong, f"the next process: {type(e).__name__}: {e}"]
    if len(set(stored)) != len(stored):
        wrong.append("twice")
    if missing := acknowledged - set(stored):
        wrong.append(f"acknowledged and not stored: {len(missing)}, such as {sorted(missing)[:3]}")
    if foreign := set(stored) - acknowledged:
        wrong.append(f"never acknowledged: {sorted(foreign)[:3]}")
    return fired, wrong


def tried(server, story: str, call: str, n: int, times: int, error: int) -> tuple[int, list[str]]:
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=MEMORY))
    try:
        fired, wrong = wrong_with(server, orders(folder, story, call, n, times, error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return fired, [f"{story}: {call} {n} x {times}, errno {error}: {w}" for w in wrong]


def test_a_failed_sync_is_repeated(tmp_path):
    """Told once, and repeated although nothing new came; the pages, clean by then, are made dirty again."""
    script = """
import ctypes, re, sys
from pathlib import Path
from polepair import _core
from polepair.live.streams import Stream
def dirtied():
    return int(re.search(r"^write_bytes: (\\d+)", Path("/proc/self/io").read_text(), re.M)[1])
def sync():
    try:
        journal.sync()
        return "ok"
    except OSError as e:
        return e.strerror
shim = ctypes.CDLL(None)
stream, journal = Stream(("a",), "json"), _core.Journal(sys.argv[1], 1 << 16, 0, 0)
stream.core.journal(journal, b"x")
print(sync())
stream.push(b'{"a":1}')
shim.shim_plan(b"sync", ctypes.c_long(1), ctypes.c_long(2), 5, sys.argv[1].encode())
print(sync())
print(sync())
before = dirtied()
print(sync())
print(dirtied() - before)
"""
    folder = tmp_path / "journal"
    folder.mkdir()
    env = {**os.environ, "LD_PRELOAD": str(build(tmp_path)), "PYTHONPATH": str(SOURCE.parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script, folder], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    *said, bytes_ = done.stdout.splitlines()
    assert said == ["ok", "Input/output error", "Input/output error", "ok"]
    if not memory_file_system(folder):  # which has no pages that wait to be written
        assert int(bytes_) >= 1 << 16


def memory_file_system(folder: Path) -> bool:
    """Whether nothing that is written there goes to a disk."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()
    return kind in ("tmpfs", "ramfs")


@pytest.mark.parametrize("story", STORIES)
def test_stories_go_well_without_a_fault(server, story):
    assert tried(server, story, "", 0, 1, 0) == (0, [])


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails(server, call):
    """Some n of each; every one below."""
    draw = random.Random(call)
    wrong, fired = [], 0
    for trial in range(8):
        story = draw.choice(("short", "reopened", "killed", "taken over", "recovered", "damaged"))
        n = draw.choice((1, 2, 3, draw.randint(1, 40)))
        times = FOR_EVER if trial % 4 == 3 else 1
        failed, more = tried(server, story, call, n, times, draw.choice(CALLS[call]))
        fired, wrong = fired + failed, wrong + more
    assert not wrong, "\n".join(wrong)
    assert fired or call in MAYBE_NONE


PAIRS = [(c, s) for c in CALLS for s in STORIES if c not in ("sqlite", "arrays") or s in ("short", "taken over")]


@pytest.mark.slow
@pytest.mark.parametrize("call, story", PAIRS)
def test_every_call_fails(server, call, story):
    """Until a run has no n-th call any more (of SQLite's memory some: there are thousands); it passes, or stays."""
    wrong, trials, most = [], 0, 0
    for error, times in [*((e, 1) for e in CALLS[call]), (CALLS[call][0], FOR_EVER)]:
        n, failed = 1, 1
        while failed:
            failed, more = tried(server, story, call, n, times, error)
            wrong, trials, most = wrong + more, trials + 1, max(most, n if failed else 0)
            n += 1 + (n // 25 if call == "sqlite" else 0)
    print(f"{call}, {story}: {trials} trials, {most} calls")
    assert not wrong, f"{len(wrong)} of {trials}:\n" + "\n".join(wrong[:20])


def test_a_transaction_that_sqlite_took_back_says_why(tmp_path):
    """And one that was left open does not stop the next."""
    with Store(tmp_path / "x.ppdb", create=True) as store:
        with pytest.raises(sqlite3.OperationalError, match="disk is full"), store.transaction():
            store.db.execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")
        store.db.execute("BEGIN IMMEDIATE")
        with store.transaction():
            pass
        assert not store.db.in_transaction
