"""make soak: soak.py [--minutes M] [--folder F] [--seed N] [--every S] [--broker D].

A device of 10 kHz x 8 channels, numbered from shortly before 2^32, into `polepair record` over TLS (QoS 1), for as long
as asked, while broker and recorder are restarted, frozen and killed.

Each minute: memory, sizes, processor time, and the rows of the minute before that are not stored. At the end the
numbers that the broker acknowledged to the device are compared with those stored, and their values. Exit code 1 when
one is missing, twice or another; what the broker acknowledged within the second before it was killed is counted apart,
as lost_by_broker: it need not have been on its disk. F keeps result.json, table.txt, recorder.log and the store.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.brokers import shipped  # noqa: E402
from support.soak_sender import Ranges, Sender  # noqa: E402

from polepair.live.recorder import journal_of  # noqa: E402
from polepair.live.store import Store  # noqa: E402
from polepair.live.streams import Format, frame  # noqa: E402
from polepair.live.wire import StreamInfo, birth  # noqa: E402

CHANNELS = tuple("abcdefgh")
RATE, ROWS = 10_000, 100  # Hz, rows of a frame
STEP = 10**9 // RATE
FIRST = 2**32 - 30 * RATE  # number of the first row: half a minute before it wraps
AUTOSAVE = (
    100  # changes between two saves of the broker: each writes all of its queue, every one is too much for 100 Hz
)
UNSURE = 1.0  # s before a kill -9 of the broker: what it acknowledged then may not be on its disk yet
FAULTS = ("recorder kill -9", "recorder SIGTERM", "broker kill -9", "broker SIGTERM", "broker frozen")
HEAD = "min  RSS_MB broker_MB  CPU_s  store_MB  WAL_MB journal_MB  acknowledged  waiting  gaps  starts  faults"


def values(ids: np.ndarray) -> np.ndarray:
    """What rows hold: their own number, in parts that float32 holds, and six more that follow from it."""
    parts = [ids % (1 << 20), ids >> 20, *((ids * k) % 65521 - 32760 for k in range(3, 9))]
    return np.stack(parts, axis=1).astype(float)


class Device(threading.Thread):
    """Sends a frame each ROWS / RATE seconds and books what was acknowledged."""

    def __init__(self, port: int, folder: Path):
        super().__init__(daemon=True)
        self.unsure, self._recent = Ranges(), deque()
        self.books, self.frames, self.start_ns, self.ending = Ranges(), 0, 0, False
        password = (folder / "secret" / "m1").read_text().strip()
        self.sender = Sender(port, "m1", password, folder / "tls" / "ca.pem", self._acknowledged, window=20)
        born = birth("soak", 7, {"fast": StreamInfo(CHANNELS, Format("frame"), 1 / RATE)})
        self.sender.put("polepair/1/m1/birth", born, retain=True)

    def _acknowledged(self, tag) -> None:
        if tag is not None:
            self.books.add(tag * ROWS, (tag + 1) * ROWS)
            self._recent.append((time.monotonic(), tag))
            while self._recent[0][0] < time.monotonic() - UNSURE:
                self._recent.popleft()

    def broker_dies(self) -> None:
        """Books what it acknowledged just now."""
        for when, tag in list(self._recent):
            if when >= time.monotonic() - UNSURE:
                self.unsure.add(tag * ROWS, (tag + 1) * ROWS)

    def run(self) -> None:
        """Sends until told to end."""
        self.start_ns = time.time_ns()
        while not self.ending:
            due = (time.time_ns() - self.start_ns) // (STEP * ROWS)
            while self.frames < due:
                self._send()
            time.sleep(0.005)

    def _send(self) -> None:
        first = self.frames * ROWS
        made = frame(
            values(np.arange(first, first + ROWS)), self.start_ns + first * STEP, STEP, (FIRST + first) % 2**32, boot=7
        )
        self.sender.put("polepair/1/m1/t/fast", made, self.frames)
        self.frames += 1


class Recorder:
    """`polepair record` as a process, started again when it ends."""

    def __init__(self, out: Path, broker, made: Path):
        self.out, self.log = out, open(out.parent / "recorder.log", "ab")  # noqa: SIM115
        url = f"mqtts://twin@localhost:{broker.port}/m1"
        self.command = [sys.executable, "-m", "polepair", "record", url, "--out", str(out)]
        self.command += ["--password-file", str(made / "secret" / "twin"), "--ca", str(made / "tls" / "ca.pem")]
        self.process, self.due, self.starts, self.cpu, self.codes = None, 0.0, 0, 0.0, {}

    def tend(self) -> None:
        """Starts it when it is not running and due."""
        if self.process is not None and (ended := os.wait4(self.process.pid, os.WNOHANG))[0]:
            self.cpu += ended[2].ru_utime + ended[2].ru_stime
            self.process.returncode = os.waitstatus_to_exitcode(ended[1])
            self.codes[self.process.returncode] = self.codes.get(self.process.returncode, 0) + 1
            self.process, self.due = None, max(self.due, time.monotonic() + 1)
        if self.process is None and time.monotonic() >= self.due:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, env=environment, cwd=ROOT)
            self.starts += 1

    def signal(self, which: int, away: float = 0.0) -> None:
        """Sends it a signal; it is started again so many seconds later."""
        self.due = time.monotonic() + away
        if self.process is not None:
            self.process.send_signal(which)

    def end(self) -> int | None:
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM, 1e9)
        deadline = time.monotonic() + 120
        while self.process is not None and time.monotonic() < deadline:
            process = self.process
            self.tend()
            time.sleep(0.05)
        return process.returncode


def rss(pid: int | None) -> float:
    """Resident memory of a process [MB]."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def cpu(pid: int | None) -> float:
    """Processor time of a process [s]."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")


def size(*files: Path) -> float:
    """Of files [MB]."""
    total = 0
    for file in files:
        try:
            total += file.stat().st_size
        except OSError:
            continue
    return total / 1e6


class Soak:
    """All of it."""

    def __init__(self, options):
        self.o, self.random = options, random.Random(options.seed)
        self.folder = Path(options.folder or tempfile.mkdtemp(prefix="polepair-soak-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.out = self.folder / "soak.ppdb"
        home = Path(tempfile.mkdtemp(prefix="polepair-soak-", dir=options.broker)) if options.broker else self.folder
        self.broker, self.made = shipped(home, ["m1"], autosave=AUTOSAVE)
        self.device = Device(self.broker.port, self.made)
        self.recorder = Recorder(self.out, self.broker, self.made)
        self.table, self.faults = [], dict.fromkeys(FAULTS, 0)
        self.undo, self.undo_at = None, 0.0

    def say(self, text: str) -> None:
        """A line, shown and kept."""
        print(text, flush=True)
        with open(self.folder / "table.txt", "a") as f:
            f.write(text + "\n")

    def newest(self) -> float:
        """How far behind the device the store is [s]."""
        try:
            with sqlite3.connect(f"file:{self.out}?mode=ro", uri=True) as db:
                last = db.execute("SELECT t1 FROM chunk ORDER BY rowid DESC LIMIT 1").fetchone()
        except sqlite3.Error:
            last = None
        return (time.time_ns() - last[0]) * 1e-9 if last else float("inf")

    def fault(self) -> None:
        """One, drawn by chance, with when and how it is undone."""
        kind, away, now = self.random.choice(FAULTS), self.random.uniform(0.5, 8.0), time.monotonic()
        self.faults[kind] += 1
        if kind.startswith("recorder"):
            self.recorder.signal(signal.SIGKILL if "kill" in kind else signal.SIGTERM, away)
            return
        if kind == "broker frozen":
            away *= 3
            self.broker.freeze(True)
            self.undo, self.undo_at = lambda: self.broker.freeze(False), now + away
            return
        if "kill" in kind:
            self.broker.kill()
            self.device.broker_dies()
        else:
            self.broker.close()
        self.undo, self.undo_at = self.broker.start, now + away

    def mend(self) -> None:
        """Ends a fault that lasts."""
        if self.undo and time.monotonic() >= self.undo_at:
            undo, self.undo = self.undo, None
            undo()

    def gaps(self, minute: int) -> int:
        """Rows of a minute of the device's that are not stored, in the second minute after it."""
        first, end = (self.device.start_ns + m * 60 * 10**9 for m in (minute, minute + 1))
        with Store(self.out) as store:
            stored = sum(len(rows) for rows in store.chunks("fast", first, end))
        return 60 * RATE - stored

    def sample(self, minute: int) -> None:
        """A line of the table."""
        pid = self.recorder.process.pid if self.recorder.process else None
        journal = journal_of(self.out)
        row = {
            "minute": minute, "rss_mb": rss(pid), "broker_mb": rss(self.broker.process.pid),
            "cpu_s": self.recorder.cpu + cpu(pid), "store_mb": size(self.out),
            "wal_mb": size(Path(f"{self.out}-wal")), "journal_mb": size(*journal.glob("*")),
            "acknowledged": len(self.device.books), "waiting": self.device.sender.left(),
            "gaps": self.gaps(minute - 2) if minute > 2 else 0, "starts": self.recorder.starts,
            "faults": sum(self.faults.values()),
        }  # fmt: skip
        self.table.append(row)
        self.say(
            "{minute:3d} {rss_mb:7.1f} {broker_mb:9.1f} {cpu_s:6.1f} {store_mb:9.1f} {wal_mb:7.2f} {journal_mb:10.1f}"
            " {acknowledged:13d} {waiting:8d} {gaps:5d} {starts:7d} {faults:7d}".format(**row)
        )

    def go(self) -> int:
        """Runs; the exit code."""
        self.say(f"{time.strftime('%F %T')} seed {self.o.seed}, {self.o.minutes:g} minutes, in {self.folder}\n{HEAD}")
        began = time.monotonic()
        while not self.device.is_alive():  # what is sent before anybody subscribed is nobody's
            self.recorder.tend()
            if "link up" in (self.folder / "recorder.log").read_text() or time.monotonic() > began + 60:
                self.device.start()
            time.sleep(0.1)
        began = time.monotonic()
        minute, due = 1, began + self.o.every
        while time.monotonic() < began + 60 * self.o.minutes:
            self.recorder.tend()
            self.mend()
            if time.monotonic() >= began + 60 * minute:
                self.sample(minute)
                minute += 1
            if time.monotonic() >= due and not self.undo and self.recorder.process and self.newest() < 3:
                self.fault()
                due = time.monotonic() + self.random.uniform(0.5, 1.5) * self.o.every
            time.sleep(0.1)
        return self.end()

    def end(self) -> int:
        """Lets everything arrive, ends the recorder, compares."""
        if self.undo:
            self.undo()
        self.device.ending = True
        self.device.join()
        last = time.monotonic() + 300
        while time.monotonic() < last and (self.device.sender.left() or self.behind() > 0):
            self.recorder.tend()
            time.sleep(0.2)
        codes = [self.recorder.end()]
        self.broker.close()
        verify = [sys.executable, "-m", "polepair", "verify", str(self.out)]
        verified = subprocess.run(verify, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
        result = self.compare() | {"exit": codes[0], "verify": verified.returncode}
        result |= {"verify_says": (verified.stdout + verified.stderr).decode().strip(), "exits": self.recorder.codes}
        result |= {
            "minutes": self.o.minutes,
            "seed": self.o.seed,
            "faults": self.faults,
            "starts": self.recorder.starts,
        }
        result |= {"cpu_s": round(self.recorder.cpu, 1), "folder": str(self.folder)}
        good = not (result["missing"] or result["twice"] or result["other_values"] or codes[0] or verified.returncode)
        result["good"] = good
        (self.folder / "result.json").write_text(json.dumps(result | {"table": self.table}) + "\n")
        self.say(json.dumps(result))
        return 0 if good else 1

    def behind(self) -> int:
        """Frames at the end that the store does not have."""
        last = self.device.start_ns + self.device.frames * ROWS * STEP
        late = self.newest()
        return 1 if late == float("inf") else int((last - (time.time_ns() - late * 1e9)) // (STEP * ROWS))

    def compare(self) -> dict:
        """Acknowledged against stored, chunk by chunk."""
        stored, twice, other, rows_all = Ranges(), 0, 0, 0
        with Store(self.out) as store:
            for rows in store.chunks("fast"):
                ids = (rows["a"] + rows["b"].astype(np.int64) * (1 << 20)).astype(np.int64)
                good = (np.stack(rows.columns, axis=1) == values(ids)).all(axis=1)
                good &= (rows.seq == ids + FIRST) & (rows.time == self.device.start_ns + ids * STEP)
                other += int((~good).sum())
                rows_all += len(rows)
                edges = np.flatnonzero(np.diff(ids) != 1) + 1
                for run in np.split(ids, edges):
                    twice += stored.add(int(run[0]), int(run[-1]) + 1)
        gone = self.device.books.without(stored)
        missing = gone.without(self.device.unsure)
        shown = [list(r) for r in zip(missing.firsts[:10], missing.ends[:10], strict=True)]
        found = {"sent": self.device.frames * ROWS, "acknowledged": len(self.device.books), "stored": rows_all}
        found |= {"lost_by_broker": len(gone) - len(missing), "missing": len(missing), "missing_ranges": shown}
        return found | {"twice": twice, "other_values": other}


def main() -> int:
    """Reads the arguments and runs."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--minutes", type=float, default=10.0)
    ap.add_argument("--folder", help="Default: a new one below the folder for temporary files.")
    ap.add_argument("--broker", help="Folder for the broker, which saves after each change (default: F).")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--every", type=float, default=20.0, help="Seconds between faults, about.")
    return Soak(ap.parse_args()).go()


if __name__ == "__main__":
    raise SystemExit(main())
