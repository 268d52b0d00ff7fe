"""The twin: a motor with a controller and a load, ready to run."""

import math
import time

import numpy as np

from .. import _core
from ..arguments import CALL, NAMES, NUMBER, TEXT, Need, takes, whole
from ..design.motor import MOTOR, Motor
from ..errors import DivergedError, nearest
from ..table import channels
from . import provenance, warnings
from .memory import SMALL, free_memory
from .result import Result

CHUNK_PERIODS = 200_000  # periods per call into C: Ctrl-C and progress are served in between
ALL = tuple(channels())


class Settings(dict):
    """Parameters by full name, to be laid over a motor's own."""

    def __or__(self, other):
        return Settings({**self, **other})


def _given(**names) -> Settings:
    """Keeps what is not None, keys like control__speed_ref becoming control.speed_ref."""
    return Settings({k.replace("__", "."): v for k, v in names.items() if v is not None})


def _of(*groups: str) -> Need:
    """Settings whose keys are of these groups."""
    wanted = " or ".join(f"{g}.FIELD" for g in groups)
    made = "pp.Load(...)" if "load" in groups else "pp.Foc(...) or pp.SixStep(...)"
    known = lambda name: isinstance(name, str) and name.partition(".")[0] in groups  # noqa: E731
    return Need(f"settings of {wanted}, as {made} gives them", lambda v: isinstance(v, dict) and all(map(known, v)))


@takes(speed=NUMBER, ramp=NUMBER, torque_max=NUMBER, strategy=TEXT, alpha_c=NUMBER, alpha_s=NUMBER)
def Foc(speed=None, ramp=None, torque_max=None, strategy=None, alpha_c=None, alpha_s=None) -> Settings:
    """Field-oriented control: speed reference [rad/s], its slope [rad/s^2], torque limit [N m], "id0" or "mtpa"."""
    return _given(
        drive__kind="foc",
        control__speed_ref=speed,
        control__speed_ramp=ramp,
        control__torque_max=torque_max,
        control__strategy=strategy,
        control__alpha_c=alpha_c,
        control__alpha_s=alpha_s,
    )


@takes(speed=NUMBER, duty=NUMBER, ramp=NUMBER, alpha_s=NUMBER)
def SixStep(speed=None, duty=None, ramp=None, alpha_s=None) -> Settings:
    """Six-step commutation: a fixed duty (default 1), or a speed reference [rad/s] held by a PI controller."""
    closed = "yes" if speed is not None else "no"
    return _given(
        drive__kind="six_step",
        control__closed_loop=closed,
        control__speed_ref=speed,
        control__speed_ramp=ramp,
        control__duty=duty,
        control__alpha_s=alpha_s,
    )


@takes(torque=NUMBER, t_on=NUMBER, viscous=NUMBER, coulomb=NUMBER, J=NUMBER)
def Load(torque=None, t_on=None, viscous=None, coulomb=None, J=None) -> Settings:
    """Constant torque [N m] from t_on [s] on, viscous [N m s] and Coulomb [N m] torque, inertia [kg m^2]."""
    return _given(load__torque=torque, load__t_on=t_on, load__viscous=viscous, load__coulomb=coulomb, load__J=J)


@takes(k=NUMBER, J=NUMBER)
def Propeller(k, J=None) -> Settings:
    """Torque k omega^2 [N m s^2] and inertia [kg m^2]."""
    return _given(load__quadratic=k, load__J=J)


class Twin:
    """A motor, its control and its load. `params` is the twin's own copy of the motor's parameters."""

    @takes(motor=MOTOR, control=_of("control", "drive"), load=_of("load"))
    def __init__(self, motor: Motor, control: Settings | None = None, load: Settings | None = None):
        self.params = motor.copy()
        for name, value in {**(control or {}), **(load or {})}.items():
            self.params.set(name, value)

    def __repr__(self) -> str:
        return f"Twin({self.params.name!r}, {self.params.drive.kind})"

    def core(self, nominal=None) -> "_core.Twin":
        """The C twin at rest, for stepping by hand; `nominal` (a Derived) is the machine its controller is tuned to."""
        return _core.Twin(self.params, nominal)

    @takes(t_end=NUMBER, record=NAMES, every=whole(1), progress=CALL, fine=whole(1))
    def run(
        self, t_end: float, record=ALL, every: int = 1, progress=None, nominal=None, out=None, fine: int = 1
    ) -> Result:
        """Simulates t_end seconds from rest; one row each `every` control periods, from t = 0 on.

        `progress(done, total)` is called now and then. DivergedError when the run leaves the finite numbers. `out`, a
        float64 array of rows x channels, is filled instead of a new one: many runs in a row save its page faults.
        `fine` > 1 gives that many rows in each period, between the samples by the continuous extension of the adaptive
        steps (drive.rtol > 0). What the run doubts is in its `warnings`; StrictError where pp.strict() is on.
        """
        began = time.time()
        names, columns = channel_columns(record)
        twin = self.core(nominal)
        rows = _row_count(t_end, twin.period, every)
        if fine != 1:
            rows = _fine_rows(rows, every, fine)
        block = _block(rows, len(names), out)
        chunk = max(1, CHUNK_PERIODS // every) * fine
        last = 0
        while last < rows:
            first, last = last, rows if last + chunk >= rows - 1 else last + chunk
            try:
                if fine == 1:
                    twin.run(last - first, every, last == rows, columns, block[first:last])
                else:
                    twin.run_fine((last - first) // fine, fine, last == rows, columns, block[first:last])
            except ArithmeticError as e:
                raise DivergedError(f"{self.params.name}: {e}") from None
            if progress:
                progress(last, rows)
        doubts = warnings.doubts(twin.warnings(), self.params)
        warnings.need_none(self.params.name, doubts)
        period, tuned = twin.period * every / fine, "another machine" if nominal is not None else None
        asked = {"kind": "run", "t_end": t_end, "every": every, "fine": fine, "period": period, "tuned_to": tuned}
        asked["warnings"] = warnings.stored(doubts)
        return Result(names, block, provenance.later(self.params, began, **asked))


def channel_columns(record) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and int32 indices of channels; ValueError for an unknown one."""
    names = (record,) if isinstance(record, str) else tuple(record)
    for name in names:
        if name not in channels():
            raise ValueError(f"record: {name}: no such channel{nearest(name, channels())}")
    if not names:
        raise ValueError("record: expected at least one channel")
    return names, np.array([channels()[n].index for n in names], dtype=np.int32)


def _row_count(t_end: float, period: float, every: int) -> int:
    samples = period_count(t_end, period)
    if not isinstance(every, int) or every < 1:
        raise ValueError(f"every = {every!r}: expected a whole number from 1 up")
    return samples // every + 1


def period_count(t_end: float, period: float) -> int:
    """Control periods of t_end seconds, at least one; ValueError for a time of none, or of too many."""
    if not (math.isfinite(t_end) and t_end / period < 1e10 - 1):
        raise ValueError(f"t_end = {t_end} s: expected less than 1e10 control periods ({1e10 * period:.3g} s)")
    samples = _core.run_samples(t_end, period) if t_end > 0 else 0
    if not samples:
        raise ValueError(f"t_end = {t_end} s: expected more than 0, at least a control period ({period:.6g} s)")
    return samples


def _fine_rows(rows: int, every: int, fine: int) -> int:
    if not isinstance(fine, int) or fine < 1 or every != 1:
        raise ValueError(f"fine = {fine!r}, every = {every}: expected a whole number from 1 up, and every = 1")
    return (rows - 1) * fine + 1


def _block(rows: int, columns: int, out) -> np.ndarray:
    """The array of a run: `out` if it fits, else a new one, told beforehand when it cannot fit in memory."""
    if out is not None:
        if not (
            isinstance(out, np.ndarray) and out.shape == (rows, columns) and out.dtype == float and out.flags.carray
        ):
            raise ValueError(f"out: expected a C-contiguous float64 array of {rows} x {columns}")
        return out
    need = 8.0 * rows * columns
    if need > SMALL and need > 0.8 * free_memory():
        figures = (
            f"{rows:,} rows of {columns} channels need {need / 1e9:.1f} GB and {free_memory() / 1e9:.1f} GB are free"
        )
        raise ValueError(f"t_end: {figures}: expected less time, fewer channels or a larger every")
    return np.empty((rows, columns))
