"""Sequences of what can happen between a device and a store: real processes, a real broker, real kill -9."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from support.brokers import shipped
from support.disks import fill_up
from support.oracle import CHANNELS, HOUR, Device
from support.soak_sender import Sender

from polepair.live.recorder import journal_of
from polepair.live.store import Store
from polepair.live.verify import verified
from polepair.live.wire import StreamInfo, birth

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("json", "rows", "frame", "scaled", "scaled", "sparkplug", "packed")
SCALES = (0.125, 0.25, 0.5)  # whole numbers are whole counts
UNSURE = 1.0  # s before a kill -9 of the broker: what it acknowledged then may not be on its disk yet
UNDER_WAY = 100  # max_inflight_messages: mosquitto 2.0 saves no change for what is on its way to a reader that has gone
STEPS = {
    "send": 6, "burst": 2, "again": 1, "kill": 3, "term": 1, "start": 3, "broker_kill": 2, "broker_term": 1,
    "freeze": 1, "full": 2, "room": 2, "restart": 1, "reborn": 3, "jump": 1, "wait": 2, "noise": 1,
}  # fmt: skip


class Plan(NamedTuple):
    """A sequence, so that it can be run again."""

    kinds: tuple[str, ...]
    tls: bool
    qos: int
    first: int
    boot: int | None
    steps: tuple[tuple[str, int, int], ...]  # what, of which stream, how much


def drawn(seed: int, length: int = 12) -> Plan:
    """A plan by chance."""
    r = random.Random(seed)
    kinds = tuple(r.choice(KINDS) for _ in range(1 + (r.random() < 0.25)))
    first = r.choice([0, 5, 250, 2**31 - 20, 2**32 - 30])
    names = r.choices(list(STEPS), list(STEPS.values()), k=length)
    steps = tuple((name, r.randrange(len(kinds)), r.randrange(1 << 16)) for name in names)
    return Plan(kinds, seed % 2 == 1, int(r.random() < 0.85), first, r.choice([3, 0, None]), steps)


class Recording:
    """`polepair record` of one stream, and what its device knows."""

    def __init__(self, out: Path, name: str, device: Device, arguments):
        self.out, self.name, self.device, self.process = out, name, device, None
        self.gone = 0.0  # when it ended last
        self.seen = 0  # how often the link stood before this process
        self.log = out.parent.parent / f"{name}.log"
        self.log.touch()
        command = [sys.executable, str(ROOT / "tests/support/soak_record.py"), "record", *arguments]
        self.command = [*command, "--out", str(out), "--stream", name]
        self.codes: list[int] = []
        self.acknowledged: dict[float, float] = {}  # when

    def ups(self) -> int:
        """How often it said that the link stands."""
        return self.log.read_text().count("link up")

    def start(self, wait: bool = True) -> None:
        """Goes on, where it is not running; wait: until the link stands."""
        if self.process is None or self.process.poll() is not None:
            self.ended()
            self.begin()
        end = time.monotonic() + 30
        while wait and self.ups() == self.seen and time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.02)

    def begin(self) -> None:
        """Starts its process."""
        self.seen = self.ups()
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)

    def end(self, which: int) -> None:
        """A signal, and its end."""
        if self.process is not None:
            self.process.send_signal(which)
            self.process.wait(60)
            self.ended()

    def ended(self) -> None:
        """Books an exit code."""
        if self.process is not None and self.process.poll() is not None:
            self.codes.append(self.process.returncode)
            self.process, self.gone = None, time.monotonic()


class Run:
    """A plan as it goes."""

    def __init__(self, plan: Plan, folder: Path, disk: Path):
        self.plan, self.disk, self.next, self.full = plan, disk, 1, False
        self.random = random.Random(repr(plan))
        self.broker, self.made = shipped(folder, ["m1"], tls=plan.tls)
        self.kills: list[
            tuple[float, float]
        ] = []  # of the broker: from when on what it took may be lost with it, and when
        self.crashes = 0  # of the broker, by itself
        self.own: list[float] = []  # missing, within what the broker may lose
        ca = self.made / "tls" / "ca.pem" if plan.tls else None
        password = (self.made / "secret" / "m1").read_text().strip()
        self.sender = Sender(self.broker.port, "m1", password, ca, self._acknowledged)
        url = f"mqtt{'s' * plan.tls}://twin@localhost:{self.broker.port}/m1"
        arguments = [url, "--password-file", str(self.made / "secret" / "twin"), *(["--ca", str(ca)] if ca else [])]
        devices = [Device(kind, plan.first, plan.boot) for kind in plan.kinds]
        names = ("fast", "slow")[: len(devices)]
        self.recordings = [Recording(disk / "x.ppdb", n, d, arguments) for n, d in zip(names, devices, strict=True)]
        self.begin()

    def begin(self) -> None:
        """No birth can say what packed structs are: then the store does."""
        if "packed" in self.plan.kinds:
            with Store(self.disk / "x.ppdb", create=True) as store:
                for recording in self.recordings:
                    store.number(recording.name, CHANNELS, recording.device.format())
        self.give_birth()
        for recording in self.recordings:
            recording.start()

    def _acknowledged(self, tag) -> None:
        if tag is not None:
            which, ids = tag
            self.recordings[which].acknowledged |= dict.fromkeys(ids, time.monotonic())

    def give_birth(self) -> None:
        """The device introduces itself, if it can."""
        if "packed" not in self.plan.kinds:
            infos = {r.name: StreamInfo(CHANNELS, r.device.format()) for r in self.recordings}
            boot = self.recordings[0].device.boot or 0
            self.sender.put("polepair/1/m1/birth", birth("device", boot, infos), retain=True)

    def publish(self, which: int, made: bytes, ids) -> None:
        """One message."""
        topic = f"polepair/1/m1/t/{self.recordings[which].name}"
        self.sender.put(topic, made, (which, ids), self.plan.qos)

    def send(self, which: int, messages: int, rows: int) -> None:
        """Messages with rows of their own."""
        for _ in range(messages):
            device = self.recordings[which].device
            made = device.message(list(range(self.next, self.next + rows)))
            self.next += rows
            self.publish(which, made, device.sent[-1][1])

    def tend(self) -> None:
        """A broker that ended by itself is started again, as whoever keeps it would."""
        if self.broker.process.poll() is not None:
            self.book_kill()
            self.crashes += 1
            self.broker.start()

    def book_kill(self) -> None:
        """The broker has died: what it took just before, or had under way to a reader that is gone, may be lost."""
        now = time.monotonic()
        gone = [r.gone for r in self.recordings if r.process is None]
        self.kills.append((min([now, *gone]) - UNSURE, now))

    def do(self, step) -> None:
        """One step."""
        self.tend()
        name, which, much = step
        getattr(self, f"_{name}")(self.recordings[which], which, much)

    def _send(self, _, which, much):
        self.send(which, 1 + much % 80, 1 + much % 3 * 20)

    def _burst(self, _, which, much):
        self.send(which, 300 + much % 1200, 1)

    def _noise(self, recording, _, much):
        """What nobody can read, and topics that nobody knows."""
        for topic in (f"t/{recording.name}", "t/unknown", "ev", "state"):
            self.sender.put(f"polepair/1/m1/{topic}", b"\xff" * (1 + much % 99), qos=much % 2)

    def _again(self, recording, which, much):
        sent = recording.device.sent
        for made, ids in sent[max(0, len(sent) - 1 - much % 60) :]:
            self.publish(which, made, ids)

    def _kill(self, recording, _, much):
        time.sleep(much % 7 * 0.02)
        recording.end(signal.SIGKILL)

    def _term(self, recording, *_):
        if recording.process is None:
            return
        recording.end(signal.SIGTERM)
        good = (0, 1, -signal.SIGTERM) if self.full else (0, -signal.SIGTERM)  # the latter: before Python had begun
        assert recording.codes[-1] in good, recording.log.read_text()[-2000:]

    def _start(self, recording, _, much):
        if not self.full:  # it says so and ends, which is tried elsewhere
            recording.start(wait=much % 2 == 0)

    def _broker_kill(self, _, __, much):
        """Half of the time in the midst of it, while the recorders are there; else what is on its disk counts."""
        amidst = much % 2 and all(r.process is not None for r in self.recordings)
        if not amidst:
            self.sender.paused = True
            end = time.monotonic() + 30
            while self.sender.flying() and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(0.3)
        self.broker.kill()
        self.book_kill()
        self.sender.paused = False
        time.sleep(much % 5 * 0.2)
        self.broker.start()

    def _broker_term(self, _, __, much):
        self.broker.close()
        time.sleep(much % 5 * 0.2)
        self.broker.start()

    def _freeze(self, _, __, much):
        self.broker.freeze(True)
        time.sleep(0.2 + much % 10 * 0.25)
        self.broker.freeze(False)

    def _full(self, *_):
        if not self.full:
            self.full = fill_up(self.disk / "ballast")

    def _room(self, *_):
        if self.full:
            (self.disk / "ballast").unlink()
            self.full = False

    def _restart(self, recording, _, much):
        recording.device.restart(bool(much % 2))

    def _reborn(self, recording, _, much):
        """Other scales, of a device that was off meanwhile."""
        device = recording.device
        if "packed" in self.plan.kinds:
            return
        device.scale = SCALES[much % 3]
        if device.boot is not None:
            device.boot = (device.boot + 1) % 65536
            device.number = 0 if much % 2 else device.number
        self.give_birth()

    def _jump(self, recording, _, much):
        recording.device.clock += HOUR if much % 2 else -HOUR

    def _wait(self, _, __, much):
        time.sleep(0.1 + much % 5 * 0.2)

    def finish(self) -> None:
        """All is well again: everything comes, and the recorders end."""
        self._room()
        for recording in self.recordings:
            recording.start()
        end = time.monotonic() + 90
        while time.monotonic() < end and (self.sender.left() or any(self.missing(r) for r in self.recordings)):
            self.tend()
            time.sleep(0.1)
        assert not self.sender.left(), f"the broker did not take {self.sender.left()}"
        time.sleep(0.7)
        for recording in self.recordings:
            recording.end(signal.SIGTERM)

    def missing(self, recording: Recording, fatal: bool = True) -> list[float]:
        """Acknowledged and not stored."""
        with Store(self.disk / "x.ppdb") as store:
            kept = set(store.read(recording.name)["a"].tolist()) if recording.name in store.streams else set()
        gone = [i for i in recording.acknowledged if i not in kept]
        if not fatal:
            return gone
        doubtful = {i for i in gone if any(a < recording.acknowledged[i] <= b for a, b in self.kills)}
        messages = sum(not doubtful.isdisjoint(ids) for _, ids in recording.device.sent)
        return [i for i in gone if i not in doubtful or messages > UNDER_WAY * len(self.kills)]

    def check(self) -> None:
        """Acknowledged is stored, once, as it was."""
        for recording in self.recordings:
            with Store(self.disk / "x.ppdb") as store:
                rows = store.read(recording.name)
            kept = rows["a"].tolist()
            log = recording.log.read_text()[-1500:]
            sent = {i for _, ids in recording.device.sent for i in ids}
            ended = re.findall(r": (\d+) rows in .* refused (\d+)", log)[-1:]
            only_noise = any(taken == "0" and refused != "0" for taken, refused in ended)  # then it says so by a 1
            assert recording.codes[-1] == int(only_noise), f"exit code {recording.codes[-1]}: {log}"
            wrong = rows["a"][rows["b"] != -rows["a"]].tolist()
            assert not wrong and set(kept) <= sent, f"values: {sorted(set(kept) - sent)[:5]} {wrong[:5]}: {log}"
            assert len(set(kept)) == len(kept), f"twice: {sorted({k for k in kept if kept.count(k) > 1})[:5]}: {log}"
            gone = self.missing(recording)
            assert not gone, f"acknowledged and not stored: {len(gone)}, such as {sorted(gone)[:5]}: {log}"
            self.own += self.missing(recording, fatal=False)
        assert verified(self.disk / "x.ppdb").whole and not journal_of(self.disk / "x.ppdb").exists()

    def close(self) -> None:
        """Ends everything."""
        for recording in self.recordings:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                recording.end(signal.SIGKILL)
        self.sender.close()
        self.broker.close()


@contextlib.contextmanager
def disk_of(folder: Path):
    """8 MiB of a disk below a folder, and whether it can be full: an ordinary one where that cannot be mounted."""
    mount = folder / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(mount)]
    mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mount, mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(mount)])


class Outcome(NamedTuple):
    """Of a plan that kept the promise."""

    samples: int
    lost_by_broker: int  # what it had acknowledged within the second before a kill -9 of its own
    crashes: int  # of the broker, by itself


def go(plan: Plan) -> Outcome:
    """Runs a plan in a folder that goes when all is well; AssertionError where the promise is broken."""
    folder = Path(tempfile.mkdtemp(prefix="polepair-oracle-"))
    with disk_of(folder) as (disk, mounted):
        run = Run(plan, folder, disk)
        try:
            for step in plan.steps:
                if mounted or step[0] != "full":
                    run.do(step)
            run.finish()
            run.check()
        finally:
            run.close()
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(sum(len(r.acknowledged) for r in run.recordings), len(run.own), run.crashes)


def shrunk(plan: Plan, tries: int = 12) -> Plan:
    """A shorter plan that fails as well: halves first, then step by step."""
    at, size = 0, len(plan.steps) // 2
    while size and tries > 0:
        less = plan._replace(steps=plan.steps[:at] + plan.steps[at + size :])
        tries -= 1
        try:
            go(less)
        except AssertionError:
            plan = less
        else:
            at += size
        if at >= len(plan.steps):
            at, size = 0, size // 2
    return plan
