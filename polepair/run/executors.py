"""Where a sweep's cases run: here, or in chunks through any concurrent.futures executor (processes, Dask, Ray, ...)."""

import os
import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from typing import NamedTuple

import numpy as np

from .. import _core

ATTEMPTS = 3  # of a chunk whose worker was lost; then it runs here
THREADS_MAX = 256  # of the core
FIRST = 8  # cases a thread in the first portion, when nothing is known of their time
CANCELLED = next(i for i, (_, text) in enumerate(_core.status_rows()) if text == "cancelled")


class Trace(NamedTuple):
    """The channels that a sweep keeps over time, as the core takes them."""

    columns: np.ndarray
    every: int
    rows: int


class Job(NamedTuple):
    """What is the same for every case of a sweep."""

    t_end: float
    outputs: np.ndarray
    retune: bool
    mode: int
    trace: Trace | None


class Work(NamedTuple):
    """The cases to run: rows of values for the columns of the base motor's parameters."""

    params: object
    columns: np.ndarray
    rows: np.ndarray
    job: Job


class Answer(NamedTuple):
    """What came of some cases: results, status, row of the value that was refused, trace (or None)."""

    results: np.ndarray
    status: np.ndarray
    where: np.ndarray
    trace: np.ndarray | None


def _run(work: Work, rows, threads: int, progress=None) -> tuple[Answer, bool]:
    """Runs rows in this process; False when Ctrl-C left some out."""
    job = work.job
    fixed = job.t_end, job.outputs, job.retune
    results, status, where, complete, trace = _core.sweep(
        work.params, work.columns, rows, *fixed, threads, progress, job.mode, job.trace
    )
    return Answer(results, status, where, trace), complete


def run_here(work: Work, threads: int, keep, progress=None, seconds: float | None = None) -> None:
    """Runs the cases in this process; keep(first, answer) is called once, or for portions of about `seconds` each.

    KeyboardInterrupt once what was finished before Ctrl-C is kept.
    """
    first, total = 0, len(work.rows)
    size = total if seconds is None else FIRST * threads
    while first < total:
        began = time.perf_counter()
        told = (lambda done, before=first: progress(before + done)) if progress else None
        answer, complete = _run(work, work.rows[first : first + size], threads, told)
        keep(first, answer)
        if not complete:
            raise KeyboardInterrupt
        first += size
        size = portion(size, time.perf_counter() - began, seconds)


def portion(size: int, took: float, seconds: float | None) -> int:
    """Cases of the next portion, so that it takes about `seconds`, when the last took `took`."""
    if seconds is None:
        return size
    return max(1, int(size * min(4.0, seconds / max(took, 1e-6))))


def _task(work: Work, threads: int = 1) -> tuple[Answer, float]:
    began = time.perf_counter()
    answer, complete = _run(work, work.rows, threads)
    if not complete:  # a Ctrl-C that reached this worker alone: the chunk runs again
        raise InterruptedError("interrupted")
    return answer, time.perf_counter() - began


def chunk_size(cases: int, workers: int | None) -> int:
    """Cases per task: four tasks a worker, so that a slow one does not hold up the rest."""
    return max(1, -(-cases // (4 * (workers or os.cpu_count() or 1))))


class Spread:
    """Chunks of a sweep's cases on their way through an executor. None counts twice, none is lost with its worker."""

    def __init__(self, executor, work: Work, chunk: int | None, keep, seconds: float | None):
        workers = getattr(executor, "_max_workers", None)
        self.executor, self.work, self.keep = executor, work, keep
        self.size = chunk or chunk_size(len(work.rows), workers)
        self.seconds = None if chunk else seconds
        if self.seconds:
            self.size = min(self.size, FIRST)
        self.most = 4 * (workers or os.cpu_count() or 1) if self.seconds else len(work.rows)  # on their way at once
        self.waiting: dict[Future, tuple[int, int, int]] = {}
        self.next = self.done = 0

    def run(self, progress=None) -> None:
        """Runs all; KeyboardInterrupt once the chunks that have come back are kept."""
        try:
            while self.next < len(self.work.rows) or self.waiting:
                self._fill()
                came, _ = wait(self.waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in came:
                    self._take(future)
                if progress:
                    progress(self.done)
        except KeyboardInterrupt:
            self._stop()
            raise

    def _fill(self) -> None:
        while self.next < len(self.work.rows) and len(self.waiting) < self.most:
            first, size = self.next, self.size
            self.next += size
            self._submit(first, size, 0)

    def _submit(self, first: int, size: int, attempt: int) -> None:
        part = self.work._replace(rows=self.work.rows[first : first + size])
        if attempt < ATTEMPTS:
            try:
                self.waiting[self.executor.submit(_task, part)] = (first, size, attempt)
                return
            except (
                RuntimeError,
                OSError,
            ):  # broken or closed, it takes nothing more: this process does the rest
                pass
        answer, complete = _run(part, part.rows, os.cpu_count() or 1)
        self._keep(first, answer)
        if not complete:
            raise KeyboardInterrupt

    def _take(self, future: Future) -> None:
        first, size, attempt = self.waiting.pop(future)
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            answer, took = future.result()
            self._keep(first, answer)
            if self.seconds:
                self.size = max(1, int(min(4.0 * self.size, self.seconds * size / max(took, 1e-6))))
        elif isinstance(error, (ValueError, TypeError)):
            raise error
        else:
            self._submit(first, size, attempt + 1)

    def _keep(self, first: int, answer: Answer) -> None:
        self.keep(first, answer)
        self.done += len(answer.status)

    def _stop(self) -> None:
        """Keeps what has come back meanwhile and calls off the rest."""
        for future, (first, _, _) in self.waiting.items():
            if not future.cancel() and future.done() and not future.cancelled() and not future.exception():
                self.keep(first, future.result()[0])


class RayExecutor(Executor):
    """The Ray cluster of `ray.init()` as an executor; options are those of `ray.remote` (num_cpus, resources, ...)."""

    def __init__(self, **options):
        import ray

        self._task = ray.remote(**{"num_cpus": 1, **options})(_call)
        self._max_workers = int(ray.cluster_resources().get("CPU", 1))

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """A task; Ray itself runs it again when its worker is lost."""
        return self._task.remote(fn, args, kwargs).future()


def _call(fn, args, kwargs):
    return fn(*args, **kwargs)
