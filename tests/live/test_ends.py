"""A source that ends while a loop looks the other way: the loop sees all rows, and no loop hangs."""

import contextlib
import io
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polepair as pp
from polepair.cli.screen import show
from polepair.live.mqtt import MqttSource
from polepair.live.sources import Recording, Source
from polepair.live.streams import Stream, frame


class Racing(Source):
    """Pushes its last rows and ends just after the reader's read number `at`, before the reader does anything else."""

    name = "racing"

    def __init__(self, sizes, at=1, error=None):
        super().__init__(Stream(("a",)))
        self.sizes, self.raised = sizes, error
        self._go, self._reads, read = threading.Event(), 0, self.stream.read

        def reading(limit=None):
            rows = read(limit)
            self._reads += 1
            if self._reads == at:
                self.end()
            return rows

        self.stream.read = reading

    def run(self):
        self._go.wait()
        sent = 0
        for size in self.sizes:
            self.stream.push(frame(np.arange(sent, sent + size, dtype=float)[:, None], sent, 1, sent))
            sent += size
        if self.raised:
            raise self.raised

    def end(self):
        self._go.set()
        self._thread.join()


def end_of(loop, bound=100):
    """Turns of a loop that has to end."""
    turns = 0
    while loop():
        turns += 1
        assert turns < bound, "the loop hangs"
    return turns


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 50), max_size=5),
    at=st.integers(1, 3),
    error=st.sampled_from([None, OSError("unplugged"), ValueError("bad")]),
)
def test_a_loop_sees_the_rows_of_the_end(sizes, at, error):
    seen = []
    with pp.Live(Racing(sizes, at, error)) as live:
        while live.source.running:
            seen.extend(live.update(timeout=0.001)[0]["a"])
    assert seen == list(range(sum(sizes)))
    assert live.values == ({"a": seen[-1]} if seen else {})
    assert live.source.state == (str(error) if error else "ended")


def test_the_screen_shows_the_rows_of_the_end():
    out = io.StringIO()
    with pp.Live(Racing([3, 4])) as live:
        show(live, every=0.01, stream=out)
    assert "a 6" in out.getvalue().splitlines()[-1]


@settings(max_examples=20)
@given(rows=st.integers(1, 60), limit=st.integers(1, 20))
def test_reading_a_few_at_a_time(rows, limit):
    source, seen = Racing([rows]).start(), []
    while source.running:
        seen.extend(source.stream.read(limit)["a"])
    assert seen == list(range(rows))


def test_who_does_not_read_is_not_waited_for():
    """A loop that only looks on (a recorder journals beside it) ends, and so does one that has taken some rows."""
    source = Racing([5]).start()
    source.end()
    assert end_of(lambda: source.running) == 1
    live = pp.Live(Racing([5], at=2))
    with live:
        live.update()
        live.source.end()
        assert end_of(lambda: live.source.running) == 1
        assert len(live.update()[0]) == 5 and live.values == {"a": 4}
        assert end_of(lambda: live.source.running) == 0  # a second loop has nothing to do


def test_state_may_be_looked_at_in_the_loop():
    with pp.Live(Racing([5])) as live:
        while live.source.running:
            live.update(timeout=0.001)
            assert live.source.state in ("up", "ended") and live.stats["missed"] == 0
    assert live.values == {"a": 4}


def test_an_update_that_raises_does_not_hang_the_loop(monkeypatch):
    live = pp.Live(Racing([5], at=2))
    with live:
        monkeypatch.setattr(live, "_note", lambda *_: 1 / 0)

        def turn():
            with contextlib.suppress(ZeroDivisionError):
                live.update(timeout=0.001)
            return live.source.running

        end_of(turn)
    with pytest.raises(ZeroDivisionError), pp.Live(Racing([5])) as live:
        monkeypatch.setattr(live, "_note", lambda *_: 1 / 0)
        while live.source.running:
            live.update(timeout=0.001)
    assert not live.source.running


def test_a_block_left_before_the_end():
    record = {"time": np.arange(1000) * 1e-3, "a": np.arange(1000.0)}
    with pp.replay(record, pace=1e-3) as live:
        live.stream.wait(timeout=60)
    assert not live.source.running and live.source.state == "ended"
    assert len(live.update()[0]) == 100  # what had come can still be taken


def test_replay_at_once_and_not_started():
    record = {"time": np.arange(1000) * 1e-3, "a": np.arange(1000.0)}
    assert not Recording(record).running
    with pp.replay(record, pace=0) as live:
        live.source._thread.join()
        turns = end_of(lambda: live.source.running and live.update() is not None)
    assert turns == 1 and live.values == {"a": 999.0}


def test_uneven_times_are_kept():
    """A frame has one step; rows that do not fit it begin another, so that every time is its own to 2 ns."""
    dice = np.random.default_rng(3)
    steps = np.concatenate([np.full(50, 10_000), dice.integers(9_950, 10_050, 100), [10**9], np.full(20, 10_000)])
    ns = np.concatenate([[0], np.cumsum(steps)])
    source = Recording({"time": ns * 1e-9, "a": np.arange(len(ns)) * 1.0}, pace=0).start()
    source._thread.join()
    rows = source.stream.read()
    assert np.array_equal(rows["a"], np.arange(len(ns))) and np.abs(rows.time - ns).max() <= 2
    assert source.stream.stats["lost"] == source.stream.stats["duplicates"] == 0


def test_a_recording_is_another_start_each_time():
    """Played twice into one stream, the second time is a restart, not duplicates of the first."""
    record, taken = {"time": np.arange(100) * 1e-3, "a": np.arange(100.0)}, Stream(("a",))
    for _ in range(2):
        source = Recording(record, pace=0, send=taken.push).start()
        source._thread.join()
    boots = {Recording(record).boot for _ in range(20)}
    assert len(boots) > 10 and all(0 < b < 1 << 15 for b in boots)
    assert taken.head == 200 and taken.stats["duplicates"] == 0 and taken.stats["restarts"] == 1


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"time": [0.0]},
        {"a": [0.0]},
        {"time": 0.0, "a": 1.0},
        {"time": [0.0, 1.0], "a": [1.0]},
        {"time": [0.0], "a": ["x"]},
        {"time": [[0.0]], "a": [[1.0]]},
        {"time": [float("nan")], "a": [1.0]},
        {"time": [1e300], "a": [1.0]},
        {"time": [0.0], "a": [[1.0, 2.0]]},
    ],
)
def test_what_is_no_recording(record):
    with pytest.raises(pp.FileError, match="recording: "):
        Recording(record)


def test_a_link_that_is_lost_for_good():
    """The broker refuses: what had come is still read, and nobody is waited for."""
    source = MqttSource("mqtt://127.0.0.1/x", channels=("a",))
    source.link = type("Link", (), {"state": "refused", "close": lambda self: None})()
    assert not source.running
    source.stream.push(frame(np.zeros((5, 1)), 0, 1, 0))
    assert end_of(lambda: source.running and source.stream.read() is not None) == 1
    source.stream.push(frame(np.zeros((5, 1)), 5, 1, 5))
    assert end_of(lambda: source.running) == 1
    source.close()
    assert not source.running
