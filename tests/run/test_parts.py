"""Sweeps that stop: finished cases reach the disk, the file says what is missing, the rest goes on to the same bits."""

import json
import shutil
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.disks import fill_up

import polepair as pp
from polepair.run import executors, parts
from polepair.run.provenance import channels_digest

MOTOR = "outrunner-12s14p"
AXES = {"magnet.Br": np.linspace(1, 1.4, 120)}
LONG = {"magnet.Br": np.linspace(1, 1.4, 200_000)}


def sweep(t_end=0.01, axes=AXES, **options):
    return pp.sweep(pp.Twin(pp.load(MOTOR)), axes, t_end, ["iq.final", "i_s.rms"], **options)


def channels(table):
    return channels_digest(table.names, table.block)


@pytest.fixture
def saved_often(monkeypatch):
    """Every portion is a part, whatever it took."""
    monkeypatch.setattr(parts.Parts, "due", lambda self: True)


class Stop(Exception):
    """What a test's progress raises."""


def stopped_after(path, cases, error=Stop, **options):
    """A sweep that ends with an error once so many cases are done; its parts stay."""

    def progress(done, total):
        if done >= cases:
            raise error

    with pytest.raises(error):
        sweep(out=path, progress=progress, threads=1, **options)


def folder_of(path) -> Path:
    return path.with_name(path.name + ".parts")


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_sweep_that_failed_goes_on_to_the_same_bits(tmp_path, saved_often, suffix):
    path = tmp_path / f"s{suffix}"
    stopped_after(path, 30)
    there = sorted(p.name for p in folder_of(path).iterdir())
    assert there[0] == "000001.npz" and there[-1] == "sweep.json" and not path.exists()
    ran = []
    table = sweep(resume=path, progress=lambda done, total: ran.append(done))
    assert min(ran) >= 8 and table.complete and channels(table) == channels(sweep())
    assert not folder_of(path).exists() and channels(pp.load_table(path)) == channels(table)


def test_refused_cases_keep_their_reasons_in_parts(tmp_path, saved_often):
    path = tmp_path / "s.npz"
    axes = {"magnet.Br": np.where(np.arange(120) == 3, 9.0, AXES["magnet.Br"])}
    stopped_after(path, 30, axes=axes)
    table = sweep(axes=axes, resume=path)
    assert table.failed == [(3, "magnet.Br = 9: expected 0.05 to 1.6 T")] == pp.load_table(path).failed


def test_parts_are_not_overwritten_without_resume(tmp_path, saved_often):
    path = tmp_path / "s.npz"
    stopped_after(path, 30)
    with pytest.raises(
        pp.FileError, match=r"s.npz.parts: holds finished cases of an interrupted sweep, expected --resume"
    ):
        sweep(out=path)
    assert sweep(resume=path).complete


@pytest.mark.parametrize(
    "change, text",
    [
        ({"t_end": 0.02}, "t_end = 0.01, here 0.02"),
        ({"mode": "single"}, "mode = exact, here single"),
        ({"retune": False}, "retune = True, here False"),
        ({"axes": {"magnet.Br": np.linspace(1, 1.3, 120)}}, "other cases"),
        ({"axes": {"magnet.mu_r": np.linspace(1, 1.3, 120)}}, "other columns"),
    ],
)
def test_parts_of_another_sweep_are_refused(tmp_path, saved_often, change, text):
    path = tmp_path / "s.npz"
    stopped_after(path, 30)
    with pytest.raises(pp.FileError, match=f"s.npz.parts: holds another sweep \\({text}\\)"):
        sweep(**{"resume": path, **change})
    assert sweep(resume=path).complete


def test_a_file_of_another_sweep_is_refused_before_the_start(tmp_path):
    path = tmp_path / "s.npz"
    sweep(out=path)
    with pytest.raises(pp.FileError, match=r"s.npz: holds another sweep \(mode = exact, here fast\)"):
        sweep(resume=path, mode="fast")
    assert not folder_of(path).exists()


def test_an_old_file_of_another_sweep_does_not_stop_the_new_one(tmp_path, saved_often):
    """A sweep that was to replace a file, and was killed, goes on although the file is still the old one."""
    path = tmp_path / "s.npz"
    sweep(0.02, out=path)
    stopped_after(path, 30)
    assert channels(sweep(resume=path)) == channels(sweep()) == channels(pp.load_table(path))


def test_a_damaged_part_runs_again_and_is_told(tmp_path, saved_often):
    path = tmp_path / "s.npz"
    stopped_after(path, 30)
    part = folder_of(path) / "000001.npz"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    (folder_of(path) / "000099.npz").write_bytes(b"")
    pp.Result(("case", "0", "1", "status"), [[1e9, 0, 0, 0]]).save(folder_of(path) / "000100.npz")
    with pytest.warns(parts.DamagedPartWarning, match="its cases run again") as told:
        table = sweep(resume=path)
    assert len(told) == 3 and channels(table) == channels(sweep()) and not folder_of(path).exists()


def test_a_part_of_another_sweep_among_ours_is_refused(tmp_path, saved_often):
    ours, other = tmp_path / "s.npz", tmp_path / "o.npz"
    stopped_after(ours, 30)
    stopped_after(other, 30, mode="single")
    shutil.copy(folder_of(other) / "000001.npz", folder_of(ours) / "000050.npz")
    with pytest.raises(pp.FileError, match=r"000050.npz: a part of another sweep"):
        sweep(resume=ours)


def test_a_label_that_is_damaged_is_written_again(tmp_path, saved_often):
    path = tmp_path / "s.npz"
    stopped_after(path, 30)
    (folder_of(path) / "sweep.json").write_text("{")
    assert channels(sweep(resume=path)) == channels(sweep())


def test_files_of_others_in_the_folder_stay(tmp_path, saved_often):
    path = tmp_path / "s.npz"
    stopped_after(path, 30)
    (folder_of(path) / "notes.txt").write_text("mine")
    (folder_of(path) / f".polepair-{'0' * 16}.npz").write_bytes(b"left by a killed process")
    sweep(resume=path)
    assert [p.name for p in folder_of(path).iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_where_the_folder_should_be(tmp_path, kind):
    path = tmp_path / "s.npz"
    if kind == "file":
        folder_of(path).write_text("x")
    else:
        (tmp_path / "else").mkdir()
        folder_of(path).symlink_to(tmp_path / "else")
    with pytest.raises(pp.FileError, match="s.npz.parts: cannot write here"):
        sweep(out=path)


def test_two_at_once_are_one_too_many(tmp_path, saved_often):
    path, refused = tmp_path / "s.npz", []

    def progress(done, total):
        if not refused:
            with pytest.raises(pp.FileError, match="another sweep is writing it") as error:
                sweep(resume=path)
            refused.append(error)

    assert sweep(out=path, progress=progress).complete and refused


@pytest.mark.parametrize(
    "options, text",
    [
        ({"resume": "s.csv"}, "s.csv: unknown kind of file, expected .parquet or .npz"),
        ({"out": "s.csv"}, "s.csv: unknown kind of file, expected .parquet or .npz"),
        ({"out": "/nonexistent/s.npz"}, "cannot write here"),
        ({"out": "a.npz", "resume": "b.npz"}, "expected one of them"),
        ({"out": "a.npz", "save_every": 0}, "save_every = 0 s: expected at least 0.1 s"),
        ({"out": "a.npz", "save_every": "1"}, "save_every"),
        ({"out": "a.npz", "trace": ["iq"]}, "trace: cannot be kept"),
        ({"threads": 0}, "threads = 0: expected a whole number from 1 to 256"),
        ({"threads": -2}, "threads = -2"),
        ({"threads": 100_000}, "threads = 100000"),
        ({"threads": True}, "threads"),
    ],
)
def test_what_cannot_be_saved_is_told_before_the_start(tmp_path, monkeypatch, options, text):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(executors, "run_here", lambda *a: pytest.fail("it ran"))
    with pytest.raises((ValueError, TypeError), match=text):
        sweep(**options)
    assert not list(tmp_path.iterdir())


def test_a_time_of_no_control_period_is_refused():
    for t_end in (1e-9, 2e-5):
        with pytest.raises(ValueError, match="at least a control period"):
            sweep(t_end)
    axes = (("drive.period",), [[1e-6], [5e-5]])
    with pytest.raises(ValueError, match="at least a control period"):
        sweep(2e-5, axes)


def test_a_full_disk_keeps_what_is_finished(small_disk, saved_often):
    path = small_disk / "s.npz"
    filled = []

    def progress(done, total):
        if done >= 30 and not filled:
            filled.append(fill_up(small_disk / "big"))

    with pytest.raises(pp.FileError, match=r"[1-9]\d* of 120 cases are kept in .*s.npz.parts: free some room and") as e:
        sweep(out=path, progress=progress, threads=1)
    assert "No space left" in str(e.value) and not path.exists()
    (small_disk / "big").unlink()
    assert channels(sweep(resume=path)) == channels(sweep())
    assert [p.name for p in small_disk.iterdir()] == ["s.npz"]


def test_a_disk_that_is_full_at_the_end_keeps_the_parts(tmp_path, monkeypatch, saved_often):
    path = tmp_path / "s.npz"

    def refuse(self, target):
        raise pp.FileError(f"{target}: cannot write (No space left on device)")

    with monkeypatch.context() as m, pytest.raises(pp.FileError, match="120 of 120 cases are kept in"):
        m.setattr(pp.SweepTable, "save", refuse)
        sweep(out=path)
    assert not path.exists()
    table = sweep(resume=path, progress=lambda *_: pytest.fail("ran again"))
    assert channels(table) == channels(sweep()) and not folder_of(path).exists()


# statuses and old files ---------------------------------------------------------------------------------------------


def test_a_partial_file_says_so_whoever_wrote_it(tmp_path):
    """The statuses tell it, in files of today and in those from before `complete` was stored."""
    path, table = tmp_path / "s.npz", sweep()
    table.block[5:9, 1:-1], table.block[5:9, -1] = np.nan, executors.CANCELLED
    assert not table.complete and table.unfinished.sum() == 4
    table.save(path)
    again = pp.load_table(path)
    assert (
        again.about["complete"] is False
        and not again.complete
        and np.flatnonzero(again.unfinished).tolist() == [5, 6, 7, 8]
    )
    old = {"motor": MOTOR, "t_end": 0.01, "retune": True, "mode": "exact", "failed": [], "format": 1, "units": {}}
    old["values"] = pp.load(MOTOR).values().tolist()
    np.savez(path, names=np.array(table.names), block=table.block, about=np.array(json.dumps(old)))
    assert not pp.load_table(path).complete
    assert channels(sweep(resume=path)) == channels(sweep())
    old["values"][0] += 1
    np.savez(path, names=np.array(table.names), block=table.block, about=np.array(json.dumps(old)))
    with pytest.raises(pp.FileError, match="other parameters of the motor"):
        sweep(resume=path)


# executors ----------------------------------------------------------------------------------------------------------


class Slow(ThreadPoolExecutor):
    """Loses its first tasks in one of the ways that executors lose them."""

    def __init__(self, how):
        super().__init__(2)
        self.how, self.count = how, 0

    def submit(self, fn, *args):
        self.count += 1
        if self.count > 3:
            return super().submit(fn, *args)
        future = Future()
        if self.how == "cancelled":
            future.cancel()
            future.set_running_or_notify_cancel()
        elif self.how == "interrupted worker":
            future.set_exception(KeyboardInterrupt())
        elif self.how == "refuses":
            raise OSError("connection lost")
        else:
            future.set_exception(CancelledError())
        return future


@pytest.mark.parametrize("how", ["cancelled", "interrupted worker", "refuses", "says cancelled"])
def test_lost_tasks_of_an_executor_run_again(how, tmp_path):
    with Slow(how) as executor:
        table = sweep(executor=executor, out=tmp_path / "s.npz")
    assert table.complete and channels(table) == channels(sweep()) == channels(pp.load_table(tmp_path / "s.npz"))


def test_a_worker_that_was_interrupted_gives_no_half_chunk(monkeypatch):
    answer = executors.Answer(None, None, None, None)
    monkeypatch.setattr(executors, "_run", lambda *a: (answer, False))
    with pytest.raises(InterruptedError):
        executors._task(executors.Work(None, None, [], None))


def test_ctrl_c_with_an_executor_keeps_what_came_back(tmp_path, saved_often):
    class Half:
        """Five chunks come back, the others never."""

        _max_workers, count = 2, 0

        def submit(self, fn, *args):
            self.count += 1
            future = Future()
            if self.count <= 5:
                future.set_result(fn(*args))
            return future

    def progress(done, total):
        raise KeyboardInterrupt

    path = tmp_path / "s.npz"
    table = sweep(executor=Half(), chunk=4, out=path, progress=progress)
    assert (~table.unfinished).sum() == 20 and not table.complete and not pp.load_table(path).complete
    assert channels(sweep(resume=path)) == channels(sweep())


def test_ctrl_c_while_the_chunks_run_here(monkeypatch):
    """A closed executor's chunks run in this process; their Ctrl-C ends the sweep, too."""

    class Closed:
        _max_workers = 2

        def submit(self, *_):
            raise RuntimeError("closed")

    real, calls = executors._core.sweep, []

    class Core:
        @staticmethod
        def sweep(params, columns, rows, *rest):
            calls.append(len(rows))
            results = real(params, columns, rows, *rest)
            return (*results[:3], len(calls) < 3, *results[4:])

    monkeypatch.setattr(executors, "_core", Core)
    table = sweep(executor=Closed(), chunk=10)
    assert calls == [10, 10, 10] and table.unfinished.sum() == 90


def test_portions_grow_to_their_time():
    assert executors.portion(8, 0.001, 1.0) == 32 and executors.portion(100, 2.0, 1.0) == 50
    assert executors.portion(8, 100.0, 1.0) == 1 and executors.portion(8, 0.001, None) == 8


def test_a_kill_while_the_parts_are_joined(tmp_path, saved_often):
    """FILE may be there, or half beside it, and some of its parts gone: it goes on to the same bits."""
    path = tmp_path / "s.npz"
    stopped_after(path, 60)
    kept = tmp_path / "kept"
    shutil.copytree(folder_of(path), kept)
    whole = channels(sweep(resume=path))
    names = sorted(p.name for p in kept.glob("*.npz"))
    for gone in (0, 1, len(names)):
        for written in (True, False)[: 1 if gone else 2]:
            shutil.copytree(kept, folder_of(path))
            for name in names[:gone]:
                (folder_of(path) / name).unlink()
            if not written:
                path.unlink()
            (tmp_path / f".polepair-{gone:016x}.npz").write_bytes(b"half")
            assert channels(sweep(resume=path)) == whole and not folder_of(path).exists()
