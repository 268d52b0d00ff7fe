"""The acknowledgement oracle: sequences of everything that can happen to a stream on its way into a store, drawn by
hypothesis; what was acknowledged is stored, once, with its values. ORACLE_SEQUENCES sets how many."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.oracle import HOUR, Books, Device, flip, quiet

SEQUENCES = int(os.environ.get("ORACLE_SEQUENCES", "200"))
which = st.integers(0, 1)


class Acknowledged(RuleBasedStateMachine):
    """Two devices, two streams, one store."""

    where = None  # a folder in memory: on a disk each sequence takes seconds

    @initialize(
        kinds=st.tuples(st.sampled_from(Device.kinds), st.sampled_from(Device.kinds)),
        first=st.sampled_from([0, 5, 250, 2**31 - 20, 2**32 - 30]),
        boot=st.sampled_from([3, 0, None]),
        uptime=st.booleans(),
        segment=st.sampled_from([1 << 13, 1 << 16]),
        absences=st.sampled_from([0, 0, 0, 1]),
    )
    def begin(self, kinds, first, boot, uptime, segment, absences):
        self.folder = Path(tempfile.mkdtemp(dir=self.where))
        self.next = 1
        self.flipped = 0
        self.absences = absences  # long ones, that take their time
        devices = [Device(k, first, boot, uptime) for k in kinds]
        names = ("fast", "slow")
        path, faults = self.folder / "x.ppdb", []
        self.books = [Books(path, n, d, faults, segment) for n, d in zip(names, devices, strict=True)]

    def ids(self, count):
        """Odd ones: none is another one's bytes at another scale."""
        self.next += 2 * count
        return list(range(self.next - 2 * count, self.next, 2))

    def live(self, k):
        if self.books[k].recorder is None:
            self.books[k].open()
        return self.books[k]

    @rule(k=which, messages=st.integers(1, 40), rows=st.sampled_from([1, 1, 3, 60]))
    def send(self, k, messages, rows):
        books = self.live(k)
        for _ in range(messages):
            books.send(self.ids(rows))

    @rule(k=which, skipped=st.integers(1, 300))
    def lose_on_the_way(self, k, skipped):
        device = self.books[k].device
        born = device.born
        for _ in range(skipped):
            device.message(self.ids(1))
        del device.sent[-skipped:]
        device.born = born  # a birth that is lost is asked for again

    @rule(k=which, last=st.integers(1, 300))
    def send_again(self, k, last):
        self.live(k).again(last)

    @precondition(lambda self: self.absences)
    @rule(k=which, messages=st.sampled_from([1100, 3000]), between=st.sampled_from(["nothing", "kill", "close"]))
    def a_long_absence(self, k, messages, between):
        """All that was kept comes, the link is lost before the broker has heard, and all of it comes once more."""
        self.absences -= 1
        for _ in range(messages):
            self.live(k).send(self.ids(1))
        if between != "nothing":
            getattr(self, between)(k)
        self.live(k).again(messages + 100)

    @rule(k=which, last=st.integers(2, 30))
    def send_again_in_another_order(self, k, last):
        books = self.live(k)
        for made, ids in reversed(books.device.sent[-last:]):
            books.deliver(made, ids)

    @rule(k=which)
    def kill(self, k):
        if self.books[k].recorder:
            self.books[k].kill()

    @rule(k=which, last=st.integers(0, 60))
    def kill_and_start(self, k, last):
        self.kill(k)
        self.live(k).again(last)

    @rule(k=which)
    def close(self, k):
        if self.books[k].recorder:
            self.books[k].close()

    @rule(k=which)
    def store(self, k):
        self.live(k).recorder.drain()

    @rule(k=which, flash=st.booleans())
    def device_restarts(self, k, flash):
        self.books[k].device.restart(flash)

    @rule(k=which, hours=st.sampled_from([-2, -1, 1, 9000]))
    def clock_jumps(self, k, hours):
        device = self.books[k].device
        device.clock = max(0, device.clock + hours * HOUR)

    @rule(k=which, scale=st.sampled_from([0.25, 0.5, 1.0]), restart=st.booleans())
    def other_scales(self, k, scale, restart):
        """A birth with other scales: to the next process, or to this one."""
        books = self.books[k]
        if restart:
            self.kill(k)
        books.device.scale = scale
        books.device.sent.clear()  # what is under way was written with the old ones
        if books.recorder:
            books.stream.reformat(books.device.format())

    @rule(k=which, aliases=st.sampled_from([(1, 2), (2, 1), (7, 200)]))
    def other_aliases(self, k, aliases):
        self.books[k].device.aliases = aliases
        self.books[k].device.born = False

    @rule(k=which, messages=st.integers(1, 200))
    def journal_cannot_be_written(self, k, messages):
        """The folder is away: what finds no room in the segment is refused, and comes again later."""
        books = self.live(k)
        away = self.folder / "away"
        folder = books.recorder.folder
        folder.rename(away)
        refused = []
        for _ in range(messages):
            if not books.send(self.ids(1)):
                refused.append(books.device.sent[-1])
        away.rename(folder)
        for made, ids in refused:
            assert books.deliver(made, ids)

    @rule(k=which, at=st.integers(0, 1 << 16), bit=st.integers(0, 7))
    def a_bit_flips(self, k, at, bit):
        """In a segment that waits, while nobody writes to it."""
        for books in self.books:
            if books.recorder:
                books.kill()
        waiting = sorted((self.folder / "x.ppdb.journal").glob("*.journal"))
        if waiting:
            flip(waiting[k % len(waiting)], at, bit)
            self.flipped += 1

    @precondition(lambda self: hasattr(self, "books"))
    @invariant()
    def nothing_is_wrong(self):
        for books in self.books:
            if books.recorder is not None:
                assert books.recorder.error is None

    def teardown(self):
        try:
            for books in getattr(self, "books", ()):
                if books.device.sent or books.acknowledged:
                    if books.recorder is None:
                        books.open()
                    books.close()
                    books.check(lost=60 if self.flipped == 1 else 1 << 30 if self.flipped else 0)
        finally:
            shutil.rmtree(getattr(self, "folder", "/nonexistent"), ignore_errors=True)


@pytest.mark.parametrize("sequences", [SEQUENCES, pytest.param(10_000, marks=pytest.mark.slow)])
def test_what_is_acknowledged_is_stored_once(sequences, monkeypatch, memory_disk):
    quiet(monkeypatch)
    monkeypatch.setattr(Acknowledged, "where", memory_disk)
    checks = settings(
        max_examples=sequences, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Acknowledged, settings=checks)
