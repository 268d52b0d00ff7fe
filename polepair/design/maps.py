"""Steady states over speed and torque, without stepping through time."""

from dataclasses import dataclass

import numpy as np

from ..arguments import number, takes, whole
from ..table import parameters
from .motor import MOTOR


@dataclass(frozen=True, repr=False)
class OperatingMap:
    """Speeds (n,) [rad/s] with the torque limit there [N m], and grids (m, n) of torque, losses [W] and efficiency.

    Rows of the grids are even shares, 0 to 1, of the limit's current; field weakening is part of the limit, but not of
    the control: `needs_field_weakening` (bool, m x n) marks what no run of the motor's drive holds, and `torque_reach`
    (n,) is the most torque [N m] of the others; the drive's strategy and torque_max count. `omitted` names the losses
    that the motor's file does not give, which the efficiency therefore leaves out.
    """

    omega_m: np.ndarray
    torque_limit: np.ndarray
    torque: np.ndarray
    copper_loss: np.ndarray
    iron_loss: np.ndarray
    friction_loss: np.ndarray
    efficiency: np.ndarray
    needs_field_weakening: np.ndarray
    torque_reach: np.ndarray
    omitted: tuple[str, ...] = ()

    def __repr__(self) -> str:
        top, reach = self.torque_limit.max(initial=0), self.torque_reach.max(initial=0)
        left = f", without {' and '.join(self.omitted)}" if self.omitted else ""
        return (
            f"OperatingMap(0 to {self.omega_m[-1]:.4g} rad/s, {top:.4g} N m ({reach:.4g} without field weakening), "
            f"efficiency to {self.efficiency.max():.1%}{left})"
        )


LIMIT = number(0.0, 1e9, wanted="more than 0, at most 1e9")


@takes(motor=MOTOR, i_max=LIMIT, u_max=LIMIT, speeds=whole(3, 100_000), shares=whole(2, 100_000))
def efficiency_map(
    motor, i_max: float | None = None, u_max: float | None = None, speeds: int = 160, shares: int = 60
) -> OperatingMap:
    """The motor's map within |i| <= i_max and |u| <= u_max (phase, peak; default: the drive's i_max and u_dc/sqrt 3).

    Counts copper, iron (Bertotti, open-circuit flux) and friction; the inverter is ideal. Ends where the torque does.
    """
    d = motor.derive()
    i_max = motor.drive.i_max if i_max is None else i_max
    u_max = motor.drive.u_dc / np.sqrt(3) if u_max is None else u_max
    if not (i_max > 0 and u_max > 0):
        raise ValueError(f"i_max = {i_max} A, u_max = {u_max} V: expected more than 0")
    omega = np.linspace(0, 2 * u_max / (d.pole_pairs * d.psi_pm), speeds)
    limit = d.torque_limit(omega, i_max, u_max)
    torque = np.where(limit[:, 5] > 0, limit[:, 0], 0.0)
    if not torque.max() > 0:
        raise ValueError(f"efficiency_map: no torque within {i_max:g} A and {u_max:g} V: expected more of them")
    end = min(np.flatnonzero(torque > 1e-3 * torque.max())[-1] + 2, speeds)
    omega, torque, limit = omega[:end], torque[:end], limit[:end]
    share = np.linspace(0, 1, shares)[:, None]
    id_, iq = share * limit[:, 1], share * limit[:, 2]
    load = d.torque(id_, iq)
    load = np.where(torque > 0, load, 0.0)
    copper = d.copper_loss(id_, iq)
    iron = np.broadcast_to([d.iron_loss(motor, w) for w in omega], load.shape)
    friction = np.broadcast_to((d.B * omega + d.T_coulomb) * omega, load.shape)
    shaft = np.maximum(load * omega - friction, 0)
    efficiency = shaft / np.maximum(load * omega + copper + iron, 1e-12)
    weak = d.reach(_limited(motor, i_max, u_max), np.ascontiguousarray(np.broadcast_to(omega, load.shape)), load) > 0
    reach = np.where(weak, 0, load).max(axis=0)
    return OperatingMap(omega, torque, load, copper, iron, friction, efficiency, weak, reach, omitted(motor))


def _limited(motor, i_max: float, u_max: float):
    """The motor with the limits of a map for its drive's, as near to them as a drive may have."""
    limited = motor.copy()
    for name, value in (("drive.i_max", i_max), ("drive.u_dc", u_max * np.sqrt(3))):
        row = parameters()[name]
        limited.set(name, float(np.clip(value, row.min, row.max)))
    return limited


def omitted(motor) -> tuple[str, ...]:
    """Losses that are 0 because the motor's file does not give them: they are missing from every efficiency."""
    d = motor.derive()
    coefficients = motor.material.hysteresis + motor.material.eddy + motor.material.excess
    iron = "iron loss" if not motor.has_geometry or coefficients == 0 else ""
    friction = "friction" if d.B == 0 and d.T_coulomb == 0 else ""
    return tuple(name for name in (iron, friction) if name)
