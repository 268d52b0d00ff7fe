"""Six-step sweeps against single runs: 512 cases of 0.2 s at 20 us, events located, one core. CPU time, interleaved."""

import time

import numpy as np
import peer_polepair as peer

import polepair as pp

CASES, T_END = 512, 0.2
NAMES = ("datasheet.R_phase", "datasheet.Ld", "datasheet.Kt_block", "datasheet.J", "load.torque")


def spent(call) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def plan(motor, names):
    """Each of these parameters within 20 % of the motor's value, at random."""
    dice = np.random.default_rng(1)
    return {n: float(motor.get(n)) * dice.uniform(0.8, 1.2, CASES) for n in names}


def singles(motor, columns, count):
    """The first cases, one after the other."""
    for k in range(count):
        m = motor.copy()
        for n, values in columns.items():
            m.set(n, values[k])
        pp.Twin(m).run(T_END, ("omega_m",), every=10_000)


def swept(motor, columns, mode):
    """All cases on the lanes."""
    cases = list(columns), np.column_stack(list(columns.values()))
    assert not pp.sweep(pp.Twin(motor), cases, T_END, ["omega_m.final"], threads=1, mode=mode).failed


def main():
    """One line per plan: runs per CPU second alone and in the modes of a sweep, and how many times faster those are."""
    motor = peer.bldc_motor(peer.BLDC, 20e-6)
    for what, names in (("all within 20 %", NAMES), ("load alone", ("load.torque",))):
        columns = plan(motor, names)
        best = dict.fromkeys(("single run", "exact", "fast", "single"), 1e9)
        for _ in range(5):
            best["single run"] = min(best["single run"], spent(lambda c=columns: singles(motor, c, 64)) / 64)
            for mode in ("exact", "fast", "single"):
                best[mode] = min(best[mode], spent(lambda c=columns, m=mode: swept(motor, c, m)) / CASES)
        alone = best["single run"]
        print(what, ", ".join(f"{k}: {1 / t:.0f}/s ({alone / t:.2f} x)" for k, t in best.items()))


if __name__ == "__main__":
    main()
