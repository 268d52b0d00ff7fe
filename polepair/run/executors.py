"""Sweeps beyond one process: chunks of cases through any concurrent.futures executor (processes, Dask, Ray, ...)."""

import os
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import NamedTuple

import numpy as np

from .. import _core

ATTEMPTS = 3  # of a chunk whose worker was lost; then it runs here


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


def run_cases(params, columns, rows, job: Job, threads: int, progress=None):
    """Runs cases in this process: results, status, bad row, complete, trace (or None)."""
    fixed = job.t_end, job.outputs, job.retune
    return _core.sweep(params, columns, rows, *fixed, threads, progress, job.mode, job.trace)


def _task(params, columns, rows, job, threads):
    results, status, where, _, trace = run_cases(params, columns, rows, job, threads)
    return results, status, where, trace


def chunk_size(cases: int, workers: int | None) -> int:
    """Cases per task: four tasks a worker, so that a slow one does not hold up the rest."""
    return max(1, -(-cases // (4 * (workers or os.cpu_count() or 1))))


def run_on(executor, params, columns, rows, job: Job, chunk: int | None, progress=None):
    """Runs the cases in chunks on an executor. A chunk whose worker is lost runs again; none counts twice.

    After Ctrl-C the chunks that have come back are kept. Returns results, status, bad row, complete, trace.
    """
    n = len(rows)
    results, status, where = (
        np.full((n, len(job.outputs)), np.nan),
        np.full(n, CANCELLED, np.uint8),
        np.full(n, -1, np.int16),
    )
    trace = None if job.trace is None else np.full((n, job.trace.rows, len(job.trace.columns)), np.nan)
    size = chunk or chunk_size(n, getattr(executor, "_max_workers", None))
    waiting = {}

    def submit(first: int, attempt: int):
        part = rows[first : first + size]
        if attempt < ATTEMPTS:
            try:
                waiting[executor.submit(_task, params, columns, part, job, 1)] = (first, attempt)
                return
            except RuntimeError:  # a broken or closed executor takes nothing more: this process does the rest
                pass
        keep(first, _task(params, columns, part, job, os.cpu_count() or 1))

    def keep(first: int, answer):
        here = slice(first, first + len(answer[1]))
        results[here], status[here], where[here] = answer[:3]
        if trace is not None:
            trace[here] = answer[3]

    try:
        for first in range(0, n, size):
            submit(first, 0)
        while waiting:
            done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                first, attempt = waiting.pop(future)
                error = future.exception()
                if error is None:
                    keep(first, future.result())
                elif isinstance(error, (ValueError, TypeError)):
                    raise error
                else:
                    submit(first, attempt + 1)
            if progress:
                progress(int((status != CANCELLED).sum()))
    except KeyboardInterrupt:
        for future in waiting:
            future.cancel()
        return results, status, where, False, trace
    return results, status, where, True, trace


CANCELLED = next(i for i, (_, text) in enumerate(_core.status_rows()) if text == "cancelled")


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
