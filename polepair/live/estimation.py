"""What cannot be measured, from a record: the Kalman filter of csrc/core/observe/ekf.c over currents and voltages."""

import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from .. import _core
from ..arguments import FLAG, PATH, TEXT, a, number, takes
from ..design.motor import MOTOR
from ..errors import DivergedError, FileError, plain
from ..files import replacing
from ..run import provenance, saved
from ..run.result import Result
from .export import exported

RECORD = ("time", "u_alpha", "u_beta", "i_alpha", "i_beta")
START_ANGLES = 6
START_ROWS = 4000
START_FINEST = 0.01  # of the start's angle [rad]
TELLING = 2.0  # difference of two beginnings' summed squared residuals, in variances, that means something


@cache
def estimates() -> dict[str, tuple[int, str, str]]:
    """Every virtual sensor by name: position, unit, meaning."""
    return {name: (i, unit, doc) for i, (name, unit, doc) in enumerate(_core.estimate_rows())}


class Estimate(Result):
    """Rows of estimates over time; `time` first."""

    def unit(self, name: str) -> str:
        """SI unit of a column."""
        return "s" if name == "time" else estimates()[name][1]

    def save(self, path) -> None:
        """Writes .npz with one array per column (time, omega_m, ...) and `about`, or what Result.save writes."""
        if Path(path).suffix != ".npz":
            super().save(path)
            return
        with replacing(path) as temporary, open(temporary, "wb") as f:
            np.savez(f, **{n: self[n] for n in self.names}, about=np.array(json.dumps(self.about)))


def load_estimate(path, columns) -> Estimate:
    """An estimate from the arrays of its .npz; FileError for the arrays of something else."""
    text = columns.pop("about", None)
    known = {"time", *estimates()}
    same = all(c.ndim == 1 and c.dtype == float and c.shape == columns["time"].shape for c in columns.values())
    if columns.keys() != known or not same:
        raise FileError(f"{path}: a record of columns or arrays of something else, expected a run, sweep or estimate")
    about = {}
    if text is not None:
        about = saved.guarded(path, "an estimate", lambda _: dict(json.loads(str(text))))
    return Estimate(tuple(columns), np.column_stack(list(columns.values())), {"kind": "estimate", **about})


@takes(path=PATH)
def read_record(path) -> dict[str, np.ndarray]:
    """Columns of a record: .npz with one array per column, .csv with a header, .parquet of any program, a saved Result,
    or what polepair export wrote of a recording."""
    path = Path(path)
    if not path.exists():
        raise FileError(f"{path}: no such file, expected a record with columns {' '.join(RECORD)}")
    wanted = f"a record with columns {' '.join(RECORD)}"
    found = exported(path) if path.suffix in (".csv", ".parquet") else None
    if found is not None:
        return found
    if path.suffix == ".csv":
        return saved.guarded(path, wanted, saved.read_csv)
    if path.suffix == ".npz":
        columns = saved.guarded(path, wanted, saved.npz_arrays)
        if columns.keys() != saved.NEW and columns.keys() != saved.OLD:
            return columns
    if path.suffix == ".parquet" and saved.guarded(path, wanted, saved.parquet_of_others):
        names, block, _ = saved.guarded(path, wanted, saved.read_parquet, True)
        return dict(zip(names, block.T, strict=True))
    result = Result.load(path)
    if "status" in result:
        raise FileError(f"{path}: a sweep, expected {wanted}")
    return {n: result[n] for n in result.names}


def _without(name: str, record) -> str:
    has = plain(", ".join(record) or "none", 200)
    run = (
        "; it is a run of a twin, which polepair live --replay shows" if {"ud", "uq", "id", "iq"} & set(record) else ""
    )
    return f"no column {name}, expected {' '.join(RECORD)}, got {has}{run}"


def checked(record, where="record") -> list[np.ndarray]:
    """The five columns as float64; ValueError names what is wrong."""
    for name in RECORD:
        if name not in record:
            raise ValueError(f"{where}: {_without(name, record)}")
    columns = [np.ascontiguousarray(record[n], dtype=float) for n in RECORD]
    rows = columns[0].size
    for name, c in zip(RECORD, columns, strict=True):
        if c.ndim != 1 or c.size != rows or rows < 3:
            raise ValueError(f"{where}: {name} has shape {c.shape}, expected as many rows as time, at least 3")
        bad = np.flatnonzero(~np.isfinite(c))
        if bad.size:
            raise ValueError(f"{where}: {name}[{bad[0]}] = {c[bad[0]]}, expected a finite number")
    back = np.flatnonzero(np.diff(columns[0]) <= 0)
    if back.size:
        raise ValueError(f"{where}: time[{back[0] + 1}] is not after the row before it, expected rising times")
    return columns


def current_noise(i_alpha, i_beta) -> float:
    """Standard deviation of the measurement noise: median third difference, which a smooth current leaves out."""
    third = np.abs(np.concatenate([np.diff(i_alpha, 3), np.diff(i_beta, 3)]))
    return float(np.median(third) / 0.67449 / np.sqrt(20.0)) if third.size else 0.0


def _moving_start(d, columns):
    """Angle and speed that the voltage behind the resistance shows over the first rows, or None at rest."""
    t, ua, ub, ia, ib = (c[:60] for c in columns)
    if len(t) < 12:
        return None
    i, h = ia + 1j * ib, np.diff(t)
    emf = (ua + 1j * ub)[:-1] - d.Rs * 0.5 * (i[1:] + i[:-1]) - 0.5 * (d.Ld + d.Lq) * np.diff(i) / h
    emf = np.convolve(emf, np.ones(5) / 5, "valid")
    speed = np.median(np.diff(np.unwrap(np.angle(emf)))) / np.median(h)
    if (
        abs(speed) * d.psi_pm < 0.02 * np.median(np.abs(ua + 1j * ub))
        or np.median(np.abs(emf)) < 0.5 * abs(speed) * d.psi_pm
    ):
        return None
    return float(np.angle(emf[0]) - np.sign(speed) * np.pi / 2 - 2.5 * speed * h[0]), float(speed / d.pole_pairs)


def _refined(at_rest, misfit, theta, tell):
    """The beginning at rest near theta: halved steps, as long as the residuals tell the halves apart."""
    step, least = np.pi / START_ANGLES, misfit(at_rest(theta, START_FINEST))
    while step > START_FINEST:
        below, above = (misfit(at_rest(t, START_FINEST)) for t in (theta - step, theta + step))
        costs = {theta - step: below, theta: least, theta + step: above}
        theta, least = min(costs.items(), key=lambda c: c[1])
        if sorted(costs.values())[1] - least < tell:
            break
        step /= 2
    return at_rest(theta, min(2 * step, np.pi / 4))


def best_observer(motor, columns, noise: float, adapt: bool, unscented: bool = False):
    """The observer whose beginning leaves the smallest residuals over these rows; it has not seen them yet.

    Beginnings: at rest with an angle that is searched for, and in motion as the voltage of the first rows shows it.
    """
    residual = np.array([estimates()["current_residual"][0]], dtype=np.int32)

    def misfit(observer) -> float:
        worth = float(np.mean(observer.fork().run(*columns, residual, None, unscented) ** 2))
        return worth if worth == worth else np.inf

    def at_rest(theta, sigma):
        return _core.Observer(motor, noise, adapt, theta, sigma)

    angles = 2 * np.pi * np.arange(START_ANGLES) / START_ANGLES
    coarse = min(angles, key=lambda theta: misfit(at_rest(theta, np.pi / 4)))
    found = [_refined(at_rest, misfit, coarse, TELLING * noise**2 / len(columns[0]))]
    moving = _moving_start(motor.derive(), columns)
    if moving:
        found.append(at_rest(moving[0], 0.3))
        found[1].speed(moving[1], abs(moving[1]) * 0.1)
    return min(found, key=misfit)


@takes(motor=MOTOR, record=a("columns by name in a dict, or a Result", Mapping, Result), adapt=FLAG, method=TEXT,
       noise=number(0.0, wanted="a number above 0, in A"))  # fmt: skip
def estimate(motor, record, adapt: bool = True, noise: float | None = None, method: str = "ekf") -> Estimate:
    """Speed, angle, load torque and the rest of a record, with their standard deviations.

    record: columns time [s], u_alpha, u_beta [V] and i_alpha, i_beta [A]; u[k] is the mean over [t[k], t[k+1]). The
    rotor's angle at the start need not be known: several beginnings are tried and the one with the smallest residuals
    is taken. adapt: Rs and psi_pm are estimated along, and with them the temperatures. noise: standard deviation of a
    current measurement [A] (default: from the record). method: "ekf" or "ukf".
    """
    if method not in ("ekf", "ukf"):
        raise ValueError(f"method = {method!r}: expected ekf or ukf")
    began = time.time()
    columns = checked(record)
    noise = current_noise(*columns[3:]) if noise is None else noise
    names = list(estimates())
    every = np.arange(len(names), dtype=np.int32)
    best = best_observer(motor, [c[:START_ROWS] for c in columns], noise, adapt, method == "ukf")
    block = best.run(*columns, every, None, method == "ukf")
    lost = np.flatnonzero(~np.isfinite(block).all(axis=1))
    if lost.size:
        where = f"lost at {columns[0][lost[0]]:g} s"
        raise DivergedError(f"{motor.name}: the estimate was {where}, expected the motor that was recorded")
    asked = {"kind": "estimate", "method": method, "adapt": adapt, "noise": float(noise)}
    of = provenance.channels_digest(RECORD, np.column_stack(columns))
    about = provenance.describe(motor, began, **asked, record_digest=of)
    return Estimate(("time", *names), np.column_stack([columns[0], block]), about)
