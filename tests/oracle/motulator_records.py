"""Records of drives simulated by motulator 0.5 (own model, solver and controller), to judge the estimator by.

motulator_records.py FOLDER: writes NAME.npz (time, u_alpha, u_beta, i_alpha, i_beta measured; omega_m, theta_e,
torque_load true) and NAME.toml per drive; u[k] is the mean over [t[k], t[k+1]). Takes a minute a drive. The records
that ship in tests/data were made by it, in float32.
"""

import sys
from pathlib import Path

import motulator.drive.control.sm as control
import numpy as np
from motulator.drive import model, utils

# Machine, DC voltage, period, speed steps over time (of the base speed) and load steps (of the rated torque).
DRIVES = {
    "ipmsm-2kw": {
        "par": {"n_p": 3, "R_s": 3.6, "L_d": 0.036, "L_q": 0.051, "psi_f": 0.545},
        "J": 0.015, "u_dc": 540, "T_s": 125e-6, "i": 4.3 * 2**0.5, "tau": 14, "base": 157.08,
        "speed": [(0, 0), (0.02, 0.6), (0.6, 1.0), (1.1, -0.6)], "load": [(0.4, 0.7), (0.95, 0.3)],
    },
    "servo-400w": {
        "par": {"n_p": 5, "R_s": 0.9, "L_d": 0.0031, "L_q": 0.0034, "psi_f": 0.062},
        "J": 3.0e-4, "u_dc": 310, "T_s": 100e-6, "i": 4.0, "tau": 1.3, "base": 314.16,
        "speed": [(0, 0), (0.02, 0.5), (0.35, 1.0), (0.7, -0.8)], "load": [(0.25, 0.8), (0.55, 0.2), (0.95, 0.6)],
    },
    "spm-48v": {
        "par": {"n_p": 4, "R_s": 0.35, "L_d": 0.00045, "L_q": 0.00045, "psi_f": 0.0125},
        "J": 3e-5, "u_dc": 48, "T_s": 50e-6, "i": 6.0, "tau": 0.4, "base": 280,
        "speed": [(0, 0), (0.02, 0.6), (0.3, 1.0), (0.6, -0.8)], "load": [(0.2, 0.7), (0.5, 0.2), (0.85, 0.6)],
    },
    "ipmsm-salient": {
        "par": {"n_p": 4, "R_s": 0.2, "L_d": 0.002, "L_q": 0.007, "psi_f": 0.12},
        "J": 0.02, "u_dc": 400, "T_s": 100e-6, "i": 20.0, "tau": 20, "base": 250,
        "speed": [(0, 0), (0.02, 0.5), (0.5, 1.0), (0.9, -0.5)], "load": [(0.3, 0.7), (0.8, 0.2)],
    },
    "heavy": {
        "par": {"n_p": 3, "R_s": 3.6, "L_d": 0.036, "L_q": 0.051, "psi_f": 0.545},
        "J": 0.08, "u_dc": 540, "T_s": 125e-6, "i": 6.1, "tau": 14, "base": 157,
        "speed": [(0, 0), (0.02, 0.4), (0.7, -0.3)], "load": [(0.4, 0.7), (1.1, 0.3)],
    },
    "slow": {
        "par": {"n_p": 5, "R_s": 0.9, "L_d": 0.0031, "L_q": 0.0034, "psi_f": 0.062},
        "J": 3e-4, "u_dc": 310, "T_s": 100e-6, "i": 4.0, "tau": 1.3, "base": 314,
        "speed": [(0, 0), (0.02, 0.15), (0.4, 0.1), (0.8, -0.12)], "load": [(0.25, 0.8), (0.6, 0.2), (1.1, 0.5)],
    },
    "loaded": {
        "par": {"n_p": 4, "R_s": 0.8, "L_d": 0.004, "L_q": 0.006, "psi_f": 0.1},
        "J": 1e-3, "u_dc": 325, "T_s": 100e-6, "i": 8.0, "tau": 4, "base": 300,
        "speed": [(0, 0.4), (0.4, 1.15), (0.8, -0.9)], "load": [(0, 0.5), (0.3, 1.0), (0.6, -0.3), (1.2, 0.5)],
    },
}  # fmt: skip


def steps(points, scale):
    """A staircase over time."""

    at, values = np.array(points).T
    return lambda t: scale * np.where(np.asarray(t) < at[0], 0.0, values[np.searchsorted(at, t, "right") - 1])


def record(name, seconds=1.5, noise=0.01):
    """Simulates one drive; noise: rms over the rated current."""
    d = DRIVES[name]
    rng = np.random.default_rng(7)
    par = utils.SynchronousMachinePars(**d["par"])
    load = steps(d["load"], d["tau"])
    mechanics = model.StiffMechanicalSystem(J=d["J"], tau_L=load)
    drive = model.Drive(model.VoltageSourceConverter(u_dc=d["u_dc"]), model.SynchronousMachine(par), mechanics)
    ref = control.CurrentReferenceCfg(par, nom_w_m=par.n_p * d["base"], max_i_s=2 * d["i"])
    ctrl = control.CurrentVectorControl(par, ref, J=d["J"], T_s=d["T_s"], sensorless=False)
    speed = steps(d["speed"], d["base"] * par.n_p)
    ctrl.ref.w_m = speed
    true_currents, rows, volts = drive.machine.meas_currents, [], []

    def measured():
        i = true_currents()
        n = rng.normal(0, noise * d["i"], 2)
        noisy = np.array(i) + np.array([n[0], -n[0] / 2 + n[1] * 3**0.5 / 2, -n[0] / 2 - n[1] * 3**0.5 / 2])
        rows.append((drive.t0, noisy[0], (noisy[1] - noisy[2]) / 3**0.5, mechanics.meas_speed(),
                     par.n_p * mechanics.meas_position(), load(drive.t0)))  # fmt: skip
        return noisy

    drive.machine.meas_currents = measured
    pwm = drive.pwm

    def logged(period, duty):
        times, q = pwm(period, duty)
        volts.append(np.sum(np.array(times) * np.array(q)) / period * d["u_dc"])
        return times, q

    drive.pwm = logged
    model.Simulation(drive, ctrl).simulate(t_stop=seconds)
    t, ia, ib, w, theta, tl = np.array(rows[: len(volts)]).T
    u = np.array(volts)
    columns = (t, u.real, u.imag, ia, ib, w, theta, tl)
    names = ["time", "u_alpha", "u_beta", "i_alpha", "i_beta", "omega_m", "theta_e", "torque_load"]
    return dict(zip(names, columns, strict=True))


def motor_file(name):
    """The motor file that belongs to a drive."""
    d, p = DRIVES[name], DRIVES[name]["par"]
    return "\n".join([
        "schema = 1", "[motor]", f'description = "{name}, a drive of tests/oracle/motulator_records.py"',
        "[rotor]", f"pole_pairs = {p['n_p']}",
        "[datasheet]", f"R_phase = {p['R_s']}", f"Ld = {p['L_d']}", f"Lq = {p['L_q']}",
        f"psi_pm = {p['psi_f']}", f"J = {d['J']}",
        "[drive]", f"u_dc = {d['u_dc']}", f"period = {d['T_s']}", f"i_max = {2 * d['i']}", "",
    ])  # fmt: skip


def main():
    """Every drive into the folder."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in DRIVES:
        data = record(name)
        data["theta_e"] = (data["theta_e"] + np.pi) % (2 * np.pi) - np.pi
        np.savez_compressed(
            out / f"{name}.npz", **{k: v.astype(np.float64 if k == "time" else np.float32) for k, v in data.items()}
        )
        (out / f"{name}.toml").write_text(motor_file(name))
        print(name, len(data["time"]), "rows; speed", data["omega_m"].min(), data["omega_m"].max())


if __name__ == "__main__":
    main()
