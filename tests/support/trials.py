"""Recorders under a shim between them and the system (tests/c/shim.c): what they acknowledge while its calls fail or
somebody looks at what is durable. Run as a program it is the process that each trial is forked from."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

from support.oracle import CHANNELS, Device

from polepair.errors import StoreError
from polepair.live import recorder as recorder_module
from polepair.live.store import Recorder, recover
from polepair.live.streams import Stream

SOURCE = Path(__file__).parents[1] / "c" / "shim.c"
SEGMENT_BYTES = 1 << 14
FOR_EVER = 1 << 30
LIMIT = 20.0  # s that a trial may take
# What a recorder lives through, a letter a step: o open, c close, p push some, P push many, s sync, t a turn of its
# thread (sync and store), f another format, r a reader that stays, d a bit
# flips in the newest message, k SIGKILL, x recover; / the next process
STORIES = {
    "short": "opspPtpc",
    "reopened": "opPtpcopsPtfptPtc",
    "killed": "opPtfpsPk",
    "stalled": "op" + 26 * "P" + "sptptc",
    "watched": "optcropspPk",
    "taken over": "opPtpsPk/opPtpc",
    "recovered": "opPtpsPk/x",
    "damaged": "opPtpPdk/opPtpc",
}


class Turns:
    """The event of a recorder's thread, that goes round when it is told to and not by the clock."""

    def __init__(self):
        self._go, self._back, self._set = threading.Semaphore(0), threading.Semaphore(0), False

    def wait(self, _seconds: float) -> bool:
        """Of the thread: until the next turn; True when it is the last."""
        self._back.release()
        self._go.acquire()
        return self._set

    def set(self) -> None:
        """It is to end."""
        self._set = True
        self._go.release()

    def turn(self, thread: threading.Thread) -> bool:
        """One round; False when the thread did not live through it."""
        for step in (lambda: None, self._go.release):
            step()
            while not self._back.acquire(timeout=0.1):
                if not thread.is_alive():
                    return False
        self._back.release()
        return True


class Life:
    """A process that records: what it sends, what is acknowledged, and what is not as it should be."""

    def __init__(self, order: dict, shim, say):
        self.path, self.order, self.shim, self.say = Path(order["path"]), order, shim, say
        self.stream = self.recorder = self.reader = None
        self.waiting, self.last = [], []
        self.format, *self.script = self._made(order["first"])

    def _made(self, first: int):
        """What the device is to send, a batch for each push, and its formats, made before anything fails."""
        device = Device("scaled" if "f" in self.order["story"] else "frame", first)
        device.clock += first * device.step
        yield device.format()
        for step in self.order["story"]:
            if step == "f":
                device.scale /= 2
                yield device.format()
            elif step in "pP":
                batch = []
                for _ in range(24 if step == "P" else 3):
                    ids = list(range(first, first + 60))
                    batch.append((device.message(ids), ids))
                    first += 60
                yield batch

    def live(self) -> None:
        """The whole story."""
        for step in self.order["story"]:
            getattr(self, f"_{STEPS[step]}")()

    def fired(self) -> int:
        """Calls that failed so far."""
        return self.shim.shim_fired()

    def once(self) -> bool:
        """The fault is one that passes."""
        return self.order["times"] == 1

    def _open(self):
        while self.recorder is None:
            before = self.fired()
            try:
                self.stream = self.stream or self._new_stream()
                self.recorder = Recorder(self.path, self.stream, segment_bytes=SEGMENT_BYTES)
            except StoreError as e:
                if not self.once() or before == self.fired():
                    raise
                self.say("note", str(e))  # it passes: at the second try

    def _new_stream(self):
        try:
            return Stream(CHANNELS, self.format, 1 << 12)
        except MemoryError:
            raise StoreError("no memory for a stream") from None

    def _push(self):
        self.waiting += self.script.pop(0)
        self._deliver()

    def _deliver(self):
        while self.waiting:
            message, ids = self.waiting[0]
            self.say("sent", ids)
            if not self.stream.push(message, 10**18):
                return
            self.say("kept", ids)
            self.last = self.waiting.pop(0)[1]

    def _sync(self):
        before, failures = self.fired(), self.recorder.sync_failures
        self.say("syncing")
        try:
            self.recorder._sync()
            self.say("synced")
        except OSError:
            pass
        self._told(before, failures)

    def _told(self, before: int, failures: int) -> None:
        """A sync that did not reach the disk is never one that went well."""
        if self.order["call"] == "dup" and self.fired() > before and self.recorder.sync_failures == failures:
            self.say("wrong", "a sync that failed is not told")

    def _turn(self):
        r, before, failures = self.recorder, self.fired(), self.recorder.sync_failures
        self.say("syncing")
        if not r._stop.turn(r._thread):
            self.say("wrong", f"the thread is dead, error: {r.error}")
            return
        if r.sync_failures == failures:
            self.say("synced")
        self._told(before, failures)
        if "transaction" in (r.error or ""):
            self.say("wrong", f"not what is wrong: {r.error}")
        refused = "were not taken" in (r.error or "")  # in the pushes before: told once
        if self.once() and before == self.fired() and r.error is not None and not refused:
            self.say("wrong", f"an error stays: {r.error}")
        self._deliver()
        if self.once() and before == self.fired() and self.waiting:
            self.say("wrong", "still refused")

    def _close(self):
        before, r = self.fired(), self.recorder
        self.say("syncing")
        r.close()
        if r.error is None:
            self.say("synced")
        if self.once() and self.fired() == before and r.error is not None:
            self.say("wrong", f"closed with {r.error}")
        self.recorder = None

    def _reformat(self):
        self.format = self.script.pop(0)
        self.waiting.clear()  # they were written with the old scale
        for attempt in range(2):
            try:
                self.stream.reformat(self.format)
                return
            except (OSError, MemoryError) as e:
                if not self.fired() or (attempt and self.once()):
                    raise
                self.say("note", str(e))
        raise StoreError("the stream cannot take another format")

    def _read(self):
        try:
            self.reader = recorder_module.Store(self.path)
            self.say("note", self.reader.streams)
        except StoreError as e:
            if not self.fired():
                raise
            self.say("note", str(e))

    def _recover(self):
        faults = recover(self.path)
        if faults:
            self.say("wrong", str(faults))

    def _damage(self):
        newest = max(self.recorder.folder.glob("*.journal"))
        data = bytearray(newest.read_bytes())
        data[len(data.rstrip(b"\0")) - 9] ^= 4
        newest.write_bytes(data)
        self.say("spoilt", self.last)

    def _kill(self):
        self.say("fired", self.fired())
        os.kill(os.getpid(), signal.SIGKILL)


STEPS = {"o": "open", "c": "close", "p": "push", "P": "push", "s": "sync", "t": "turn"}
STEPS |= {"f": "reformat", "r": "read", "k": "kill", "x": "recover", "d": "damage"}


def one(order: dict) -> None:
    """In the forked child: a life, and how it ended."""
    shim = ctypes.CDLL(None)
    out = os.open(order["told"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    pipes = order.get("pipes")

    def say(what, value=None):
        os.write(out, json.dumps([what, value]).encode() + b"\n")
        if pipes:
            os.write(pipes[0], b"say 0 %s\n" % json.dumps([what, value]).encode())
            os.read(pipes[1], 1)

    def caught(at):
        say("wrong", "".join(traceback.format_exception(at.exc_value))[-1500:])

    threading.excepthook = sys.unraisablehook = caught
    recorder_module.threading = SimpleNamespace(Event=Turns, Thread=threading.Thread, Lock=threading.Lock)
    recorder_module.STORE_SECONDS = 0.0
    if pipes:
        shim.shim_tell(*pipes)
    call, n, times, error = order["call"], order["n"], order["times"], order["error"]
    life = Life(order, shim, say)
    shim.shim_plan(call.encode(), ctypes.c_long(n), ctypes.c_long(times), error, order["under"].encode())
    try:
        life.live()
        say("end", "well")
    except StoreError as e:
        say("end", str(e))
    except BaseException:
        say("wrong", traceback.format_exc()[-1500:])
    say("fired", shim.shim_fired())
    os._exit(0)


def serve() -> None:
    """A trial a line: forks, waits, tells the exit code (-signal; None: it hung)."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            one(json.loads(line))
        end = time.monotonic() + json.loads(line).get("limit", LIMIT)
        done, status = 0, 0
        while not done and time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0 if done else 0.002)
        if not done:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status) if done else None), flush=True)


def build(folder: Path) -> Path:
    """The shim."""
    library = folder / "shim.so"
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Server:
    """The process that trials are forked from."""

    def __init__(self, folder: Path, descriptors=()):
        path = os.pathsep.join([str(SOURCE.parents[1]), str(SOURCE.parents[2])])
        env = {**os.environ, "LD_PRELOAD": str(build(folder)), "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.trials"], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=descriptors,
        )  # fmt: skip

    def begin(self, order: dict) -> None:
        """Starts a trial."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def output(self) -> int:
        """The descriptor that says when one has ended."""
        return self._process.stdout.fileno()

    def ended(self) -> int | None:
        """Waits for it: its exit code."""
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Ends it."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)


def orders(folder: Path, story: str, call="", n=0, times=1, error=0) -> list[dict]:
    """A trial in a folder of its own: a subfolder has the store, `told` is what came of it. One for each process; the
    fault is in the last."""
    under = folder / "disk"
    under.mkdir(parents=True)
    processes = STORIES.get(story, story).split("/")
    made = []
    for k, part in enumerate(processes):
        fault = {"call": call if k == len(processes) - 1 else "", "n": n, "times": times, "error": error}
        place = {"under": str(under), "path": str(under / "x.ppdb"), "told": str(folder / f"told{k}")}
        made.append({**fault, **place, "story": part, "first": 1 + 100_000 * k})
    return made


def told(given: dict) -> dict[str, list]:
    """What a trial said, by its kind."""
    said: dict[str, list] = {}
    for line in Path(given["told"]).read_text().splitlines():
        what, value = json.loads(line)
        said.setdefault(what, []).append(value)
    return said


if __name__ == "__main__":
    serve()
