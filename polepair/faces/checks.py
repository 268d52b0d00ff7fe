"""What a report checked, each line with the two things that were compared; what was not checked gets no tick."""

from typing import NamedTuple

import numpy as np

from .. import _core
from ..draw.quantities import RPM, quantity
from ..draw.views import NOT_RUN, fates_of
from .cad import compare

ENERGIES = ("in", "copper", "friction", "load", "stored")
BALANCE, SOLIDS, REACHED = 1e-4, 1e-9, 0.02
FILL, TOOTH = 0.6, 1.9


class Check(NamedTuple):
    """One line: good is True, False, or None for a figure that nothing was compared with."""

    good: bool | None
    text: str


def has_speed_control(motor) -> bool:
    """True where the drive follows control.speed_ref."""
    return motor.drive.kind == "foc" or motor.control.closed_loop == "yes"


def end_of(run) -> tuple[float, float]:
    """Mean speed [rad/s] and air-gap torque [N m] over the last twentieth of a run."""
    tail = slice(-max(1, len(run) // 20), None)
    return float(np.mean(run["omega_m"][tail])), float(np.mean(run["torque"][tail]))


def checks_of(motor, run=None, sweep=None, cad=None) -> list[Check]:
    """Every check that can be made of what is there."""
    rows = _of_run(motor, run) if run is not None else []
    rows += _of_sweep(sweep) if sweep is not None else []
    rows += _of_solids(motor, cad) if cad else []
    if motor.has_geometry and motor.stator.slots:
        rows += _of_geometry(motor)
    return rows


def _of_run(motor, run) -> list[Check]:
    if not len(run):
        return [Check(False, "Run: no samples")]
    bad = int((~np.isfinite(run.block)).sum())
    size = f"{len(run):,} samples of {len(run.names)} channels"
    rows = [Check(bad == 0, f"Run: {size}, {'all finite' if not bad else f'{bad:,} values are not finite'}")]
    rows += [Check(False, f"Run: {w}") for w in getattr(run, "warnings", [])]
    rows += _speed(motor, run) + _current(motor, run)
    if not all(f"energy_{n}" in run for n in ENERGIES):
        return [*rows, Check(None, "Run: energy balance not checked, the energies were not recorded")]
    residual = abs(run.energy_residual)
    good = bool(residual < BALANCE)
    verb = "agree" if good else "do not agree"
    text = f"Run: energy taken in, and lost, stored or given to the load {verb}: {residual:.1e} apart"
    return [*rows, Check(good, f"{text} (expected below {BALANCE:.0e})")]


def _speed(motor, run) -> list[Check]:
    if "omega_m" not in run or "torque" not in run or not has_speed_control(motor):
        return []
    speed, wanted = end_of(run)[0], motor.control.speed_ref
    good = bool(abs(speed - wanted) <= REACHED * abs(wanted))
    text = f"Run: speed at its end {speed * RPM:,.0f} rpm, reference {wanted * RPM:,.0f} rpm"
    return [Check(good, text if good else f"{text}: not reached")]


def _current(motor, run) -> list[Check]:
    if "i_s" not in run:
        return []
    peak, limit = float(np.max(run["i_s"])), motor.drive.i_max
    text = f"Run: peak current {quantity(peak, 'A')}, drive limit {quantity(limit, 'A')}"
    return [Check(bool(peak <= 1.05 * limit), text)]


def _of_sweep(table) -> list[Check]:
    fates, _ = fates_of(table)
    refused, left = int((fates > 0).sum()), int((fates == NOT_RUN).sum())
    text = f"Sweep: {len(table) - refused - left:,} of {len(table):,} cases ran"
    text += f", {refused:,} refused" if refused else ""
    text += f", {left:,} not run (interrupted)" if left else ""
    doubts = [Check(False, f"Sweep: {w}") for w in table.warnings]
    return [Check(not refused and not left, text), *doubts]


def _of_solids(motor, cad) -> list[Check]:
    worst = max(compare(motor, cad).values())
    text = "Solids: volume, mass and inertia of rotor and stator, closed form against OpenCASCADE"
    good = bool(worst < SOLIDS)
    rows = [Check(good, f"{text}: {worst:.1e} apart (expected below {SOLIDS:.0e})")]
    valid = bool(cad["valid"])
    verdict = "OpenCASCADE finds all valid" if valid else "OpenCASCADE finds some not valid"
    return [*rows, Check(valid, f"Solids: {cad['solids']}, {verdict}; built in {cad['build_ms']:.0f} ms of CPU time")]


def _of_geometry(motor) -> list[Check]:
    magnet, d, dims = motor.magnet, motor.derive(), motor.dims()
    gap = abs(dims["r_gap"] - dims["r_magnet"])
    naive = _core.naive_gap_field(magnet.Br, magnet.mu_r, magnet.thickness, gap, d.carter, dims["arc"])
    fill = f"Winding: copper fills {100 * d.slot_fill:.0f} % of the slot (by hand up to {100 * FILL:.0f} %)"
    teeth = f"Iron: teeth carry {d.B_tooth:.2f} T, yoke {d.B_yoke:.2f} T without current (unsaturated up to {TOOTH} T)"
    field = f"Gap field: {d.B_gap:.3f} T by the two-dimensional solution, {naive:.3f} T by the one-dimensional formula"
    return [
        Check(bool(d.slot_fill <= FILL), fill),
        Check(bool(max(d.B_tooth, d.B_yoke) <= TOOTH), teeth),
        Check(None, field),
    ]
