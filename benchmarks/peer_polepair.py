"""polepair as a peer: peer_polepair.py CASE [--step SECONDS] [--params FILE.json] [--out FILE.npy].

CASE is foc, bldc or sweep. Prints one JSON line per configuration (CPU seconds; errors against the harness' references
when its folder is beside the checkout). --params holds the machine under the harness' key names, --out writes the rows
that the references hold.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

import polepair as pp
from polepair import _core

HARNESS = Path(os.environ.get("POLEPAIR_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "bench/solver_peers"
FOC = {"Rs": 3.6, "Ld": 0.036, "Lq": 0.051, "psi": 0.545, "J": 0.015, "B": 0.0, "np": 3, "TL": 14.0, "Udc": 540.0}
FOC |= {"Ts": 1e-4, "alpha_c": 2 * np.pi * 300, "alpha_s": 2 * np.pi * 4, "Tmax": 22.0, "ramp": 700.0, "w_ref": 140.0}
FOC |= {"t_load": 0.6, "t_end": 1.0}
BLDC = {"Rp": 0.304, "Lp": 0.2315e-3, "ke": 18.45e-3, "J": 1.81e-5, "B": 1.35e-5, "Vdc": 24.0, "Vd": 0.7, "np": 8}
BLDC |= {"TL": 0.1, "t_load": 0.1, "t_end": 0.2, "dt_out": 2e-5}
SWEEP = {
    "n": 10000,
    "t_load": 0.3,
    "t_end": 0.5,
    "lo": [0.7, 0.8, 0.8, 0.9, 0.5, 0.0],
    "hi": [1.3, 1.2, 1.2, 1.1, 2.0, 1.0],
}
SWEEP |= {"vary": ["Rs", "Ld", "Lq", "psi", "J", "TL"]}
RECURRENCE = np.array([0.8986537126, 0.8075784952, 0.7257334129, 0.6521830259, 0.5860866976, 0.5266889867])
TABLE = {"Rs": "datasheet.R_phase", "Ld": "datasheet.Ld", "Lq": "datasheet.Lq", "psi": "datasheet.psi_pm"}
TABLE |= {"J": "datasheet.J", "TL": "load.torque", "B": "rotor.viscous_friction"}


def substeps(period: float, step: float | None) -> int:
    """RK4 steps per period for a step; the step has to divide the period."""
    n = 1 if step is None else max(1, round(period / step))
    if step is not None and abs(period / n - step) > 1e-6 * step:
        sys.exit(f"--step {step}: expected a divisor of {period}")
    return n


def foc_motor(v, step):
    """The FOC case as a polepair motor."""
    m = pp.Motor("foc")
    values = {TABLE[k]: v[k] for k in ("Rs", "Ld", "Lq", "psi", "J", "B", "TL")}
    values |= {"rotor.pole_pairs": v["np"], "load.t_on": v["t_load"], "drive.u_dc": v["Udc"], "drive.period": v["Ts"]}
    values |= {"control.alpha_c": v["alpha_c"], "control.alpha_s": v["alpha_s"], "control.torque_max": v["Tmax"]}
    values |= {
        "control.speed_ref": v["w_ref"],
        "control.speed_ramp": v["ramp"],
        "drive.substeps": substeps(v["Ts"], step),
    }
    for name, value in values.items():
        m.set(name, value)
    return m


def bldc_motor(v, step):
    """The six-step case as a polepair motor."""
    m = pp.Motor("bldc")
    values = {
        "datasheet.R_phase": v["Rp"],
        "datasheet.Ld": v["Lp"],
        "datasheet.Kt_block": 2 * v["ke"],
        "datasheet.J": v["J"],
    }
    values |= {"datasheet.emf": "trapezoid", "rotor.viscous_friction": v["B"], "rotor.pole_pairs": v["np"]}
    values |= {
        "drive.kind": "six_step",
        "drive.u_dc": v["Vdc"],
        "drive.diode_drop": v["Vd"],
        "drive.period": v["dt_out"],
        "drive.i_max": 100,  # the harness' drive has no current limit
    }
    values |= {"load.torque": v["TL"], "load.t_on": v["t_load"], "drive.substeps": substeps(v["dt_out"], step)}
    for name, value in values.items():
        m.set(name, value)
    return m


def errors(case, rows, default):
    """Errors against the harness' reference, for the default machine only."""
    name = "sweep_s100" if case == "sweep" else case
    path = HARNESS / "ref" / f"{name}.bin"
    if not default or not path.exists():
        return {}
    sys.path.insert(0, str(HARNESS))
    import common

    speed, current = common.err(case, rows)
    return {"err_speed": speed, "err_current": current}


def emit(case, **values):
    """One JSON line, four digits."""
    line = {"peer": "polepair", "case": case, **values}
    print(json.dumps({k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in line.items()}), flush=True)


def best_of(repeat, call):
    """Least CPU and wall seconds over the repeats, and the last result."""
    cpu, wall, result = 1e99, 1e99, None
    for _ in range(repeat):
        w, c = time.perf_counter(), time.process_time()
        result = call()
        cpu, wall = min(cpu, time.process_time() - c), min(wall, time.perf_counter() - w)
    return cpu, wall, result


def single(case, v, step, default, out):
    """The foc and bldc cases: one run from Python, every sample recorded."""
    foc = case == "foc"
    make, period = (foc_motor, v["Ts"]) if foc else (bldc_motor, v["dt_out"])
    names = ["id", "iq", "omega_m"] if foc else ["ia", "ib", "omega_m"]
    for h in [step] if step else [period, period / 2, period / 10]:
        twin = pp.Twin(make(v, h))
        block = twin.run(v["t_end"], names).block
        cpu, wall, run = best_of(
            20 if foc else 10, lambda twin=twin, block=block: twin.run(v["t_end"], names, out=block)
        )
        figures = {"sim_s_per_wall_s": v["t_end"] / wall, "sim_s_per_cpu_s": v["t_end"] / cpu}
        emit(case, **figures, **errors(case, run.block, default), step_us=h * 1e6)
        if out:
            np.save(out, run.block)


def variants(v, base):
    """Rows of the sweep: an additive recurrence between lo and hi times the nominal values."""
    n, names = v["n"], v["vary"]
    z = 0.5 + (np.arange(n)[:, None] + 1.0) * RECURRENCE[: len(names)]
    lo, hi = np.array(v["lo"][: len(names)]), np.array(v["hi"][: len(names)])
    return np.array([base[k] for k in names]) * (lo + (z - np.floor(z)) * (hi - lo))


def sweep(v, base, step, default, out):
    """The sweep case: variants keep the nominal tuning; final id, iq, speed and peak current."""
    axes = (tuple(TABLE[k] for k in v["vary"]), variants(v, base))
    record = ["id.final", "iq.final", "omega_m.final", "i_s.peak"]
    stride = 1 if v["n"] <= 1000 else 100
    for h in [step] if step else [5e-5, 1e-4]:
        twin = pp.Twin(foc_motor({**base, "t_load": v["t_load"]}, h))
        for threads in (1, 2):
            call = lambda twin=twin, threads=threads: pp.sweep(twin, axes, v["t_end"], record, False, threads)  # noqa: E731
            cpu, wall, table = best_of(2, call)
            rows = np.column_stack([table[r] for r in record])[::stride]
            rate = {"variants_per_s": v["n"] / wall, "variants_per_s_ideal": v["n"] * threads / cpu, "threads": threads}
            emit(
                "sweep",
                **rate,
                sim_s_per_wall_s=v["t_end"] * v["n"] / wall,
                **errors("sweep", rows, default),
                step_us=h * 1e6,
                note=_core.isa(),
            )
        if out:
            np.save(out, rows)


def main():
    """Reads the arguments and runs the case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=["foc", "bldc", "sweep"])
    parser.add_argument("--step", type=float)
    parser.add_argument("--params", type=Path)
    parser.add_argument("--out", type=Path)
    a = parser.parse_args()
    given = json.loads(a.params.read_text()) if a.params else {}
    values = {"foc": FOC, "bldc": BLDC, "sweep": SWEEP}
    merged = {case: {**v, **given.get(case, {})} for case, v in values.items()}
    default = merged == values
    if a.case == "sweep":
        sweep(merged["sweep"], merged["foc"], a.step, default, a.out)
    else:
        single(a.case, merged[a.case], a.step, default, a.out)


if __name__ == "__main__":
    main()
