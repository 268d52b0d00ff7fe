"""Drawn commands, calls and damaged files: each ends with an answer or one line. FUZZ_CASES=10000 draws that many."""

import collections
import os
import subprocess
import sys

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import boundary, boundary_calls

CASES = int(os.environ.get("FUZZ_CASES", 300))
EVERY = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=True)


@pytest.fixture
def place(monkeypatch):
    made = boundary.Place()
    monkeypatch.chdir(made.path)
    monkeypatch.setenv("HOME", str(made.path))
    yield made
    made.restore()


def drawn(place, strategy, judge, count):
    """Judges `count` cases; how often each ending came."""
    endings = collections.Counter()

    @hypothesis.seed(int.from_bytes(os.urandom(4)))
    @settings(EVERY, max_examples=max(1, count))
    @given(strategy)
    def cases(case):
        try:
            endings[judge(case)] += 1
        finally:
            place.restore()

    cases()
    return endings


def said(endings) -> None:
    print(f"{sum(endings.values())} cases, 0 findings:", dict(endings.most_common()))


def test_command_lines(place):
    endings = drawn(place, boundary.command_lines(), boundary.run_command, CASES // 3)
    said(endings)
    assert {key.split()[-1] for key in endings} >= {"0", "2"}


def test_calls(place):
    made = boundary_calls.calls(place)
    endings = drawn(place, boundary_calls.mistakes(made), lambda case: boundary_calls.call(made, *case), CASES // 3)
    said(endings)
    assert any("answered" in key for key in endings) and any("TypeError" in key for key in endings)


def test_damaged_files(place):
    endings = drawn(place, boundary.damages(place), lambda case: boundary.read_damaged(place, *case), CASES // 3)
    said(endings)
    assert any(key.endswith(" 2") for key in endings)


def test_processes(place):
    """The same command lines as processes; what only a start and an end of one can show."""

    def judge(args):
        if any("\0" in a or "\udc80" in a for a in args):
            return "no argument of a process"
        env = {**os.environ, **boundary.ENV, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-m", "polepair", *args], capture_output=True, text=True, env=env)
        return boundary.judged(done.returncode, done.stdout, done.stderr, args)

    said(drawn(place, boundary.command_lines(), judge, CASES // 50))


def fails(text):
    def function(**_):
        raise ValueError(text)

    return {"f": (function, {"a": st.just(1)})}


@pytest.mark.parametrize(
    "text", ["could not convert string to float: 'x'", "'NoneType' object", "a: expected\nb", "huh"]
)
def test_what_is_no_line_of_ours_is_found(text):
    with pytest.raises(boundary.Found):
        boundary_calls.call(fails(text), "f", {"a": 1})
    assert boundary_calls.call(fails("f: a = 1: expected 2"), "f", {"a": 1}) == "f ValueError"


@pytest.mark.parametrize(
    ("code", "stderr"),
    [(1, "Traceback (most"), (70, "polepair: x: expected y"), (2, ""), (2, "a\nb"), (2, "polepair: huh")],
)
def test_an_ending_that_is_none_is_found(code, stderr):
    with pytest.raises(boundary.Found):
        boundary.judged(code, "", stderr, ["run"])
    assert boundary.judged(2, "", "polepair: x: expected y\n", ["run"]) == "run 2"
