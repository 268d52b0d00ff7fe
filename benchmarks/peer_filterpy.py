"""filterpy's extended Kalman filter on the same record and model, 5 states: updates per CPU second."""

import sys
import time

import numpy as np
from filterpy.kalman import ExtendedKalmanFilter

R, LD, LQ, PSI, P, J = 0.9, 0.0031, 0.0034, 0.062, 5, 3e-4
UPDATES = 3000


def measured(x):
    """Both currents in the stator's frame."""
    c, s = np.cos(x[3, 0]), np.sin(x[3, 0])
    return np.array([[c * x[0, 0] - s * x[1, 0]], [s * x[0, 0] + c * x[1, 0]]])


def by_state(x):
    """Their derivatives."""
    c, s, d, q = np.cos(x[3, 0]), np.sin(x[3, 0]), x[0, 0], x[1, 0]
    return np.array([[c, -s, 0, -s * d - c * q, 0], [s, c, 0, c * d - s * q, 0]])


def rates(x, ud, uq):
    """Derivatives of the states and their Jacobian."""
    i, q, w, _, load = x
    f = [
        (ud - R * i + w * LQ * q) / LD,
        (uq - R * q - w * (LD * i + PSI)) / LQ,
        P * (1.5 * P * PSI * q - load) / J,
        w,
        0.0,
    ]
    jacobian = [
        [-R / LD, w * LQ / LD, LQ * q / LD, uq / LD, 0],
        [-w * LD / LQ, -R / LQ, -(LD * i + PSI) / LQ, -ud / LQ, 0],
        [0, 1.5 * P * P * PSI / J, 0, 0, -P / J],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    return np.array(f).reshape(5, 1), np.array(jacobian)


def main():
    """One pass over the record's beginning."""
    z = np.load(sys.argv[1])
    t, ua, ub, ia, ib = (z[k].astype(float) for k in ("time", "u_alpha", "u_beta", "i_alpha", "i_beta"))
    f = ExtendedKalmanFilter(5, 2)
    f.P *= 0.1
    f.R *= 1e-3
    noise = np.diag([1e-4, 1e-4, 1.0, 1e-8, 1e-3])
    began = time.process_time()
    for k in range(1, UPDATES):
        dt, c, s = t[k] - t[k - 1], np.cos(f.x[3, 0]), np.sin(f.x[3, 0])
        ud, uq = c * ua[k - 1] + s * ub[k - 1], c * ub[k - 1] - s * ua[k - 1]
        slope, jacobian = rates(f.x[:, 0], ud, uq)
        f.x = f.x + dt * slope
        step = np.eye(5) + dt * jacobian
        f.P = step @ f.P @ step.T + noise
        f.update(np.array([[ia[k]], [ib[k]]]), by_state, measured)
    print((UPDATES - 1) / (time.process_time() - began))


if __name__ == "__main__":
    main()
