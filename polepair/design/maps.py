"""Steady states over speed and torque, without stepping through time."""

from dataclasses import dataclass

import numpy as np

from ..arguments import number, takes, whole
from .motor import MOTOR


@dataclass(frozen=True)
class OperatingMap:
    """Speeds (n,) [rad/s] with the torque limit there [N m], and grids (m, n) of torque, losses [W] and efficiency.

    Rows of the grids are even shares, 0 to 1, of the limit's current; field weakening is part of the limit.
    """

    omega_m: np.ndarray
    torque_limit: np.ndarray
    torque: np.ndarray
    copper_loss: np.ndarray
    iron_loss: np.ndarray
    friction_loss: np.ndarray
    efficiency: np.ndarray


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
    return OperatingMap(omega, torque, load, copper, iron, friction, efficiency)
