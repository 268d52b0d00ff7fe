"""Instruction counts by callgrind: figures that a machine's load cannot move. instructions.py [CASE]

Without CASE: starts each case under valgrind, counting inside the named function of the core only, and prints one JSON
line each: instructions per simulated control period (per case and period for sweeps).
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import peer_polepair as peer

import polepair as pp
from polepair import _core

PERIODS = 2000
CASES = {  # name: (function counted, machine, changes, cases of a sweep)
    "foc, 4 substeps": ("pp_twin_run", "foc", {"drive.substeps": 4}, 0),
    "foc, 1 substep": ("pp_twin_run", "foc", {"drive.substeps": 1}, 0),
    "foc, adaptive 1e-8": ("pp_twin_run", "foc", {"drive.rtol": 1e-8}, 0),
    "bldc, 1 substep": ("pp_twin_run", "bldc", {"drive.substeps": 1}, 0),
    "bldc, adaptive 1e-8": ("pp_twin_run", "bldc", {"drive.rtol": 1e-8}, 0),
    "foc sweep, plain, 2 substeps": ("pp_kernel_plain", "foc", {"drive.substeps": 2}, 64),
    "foc sweep, avx2, 2 substeps": ("pp_kernel_avx2", "foc", {"drive.substeps": 2}, 64),
    "foc sweep, avx2 fast, 2 substeps": ("pp_kernel_fast_avx2", "foc", {"drive.substeps": 2}, 64),
    "bldc sweep, avx2, 1 substep": ("pp_kernel_avx2", "bldc", {"drive.substeps": 1}, 64),
}


def run_case(name: str) -> None:
    """The work of one case, to be run under valgrind."""
    function, kind, changes, cases = CASES[name]
    motor = {"foc": peer.foc_motor, "bldc": peer.bldc_motor}[kind]({"foc": peer.FOC, "bldc": peer.BLDC}[kind], None)
    for key, value in changes.items():
        motor.set(key, value)
    twin, t_end = pp.Twin(motor), PERIODS * motor.drive.period
    if not cases:
        twin.run(t_end, ("time", "id", "iq", "omega_m"))
        return
    _core.force_isa("plain" if "plain" in function else "avx2")
    loads = [motor.load.torque * k / cases for k in range(cases)]
    table = pp.sweep(twin, {"load.torque": loads}, t_end, threads=1, mode="fast" if "fast" in function else "exact")
    assert not table.failed


def count(name: str) -> dict:
    """Instructions of one case."""
    function, _, _, cases = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect={function}"]
        command += [f"--callgrind-out-file={out}", sys.executable, __file__, name]
        done = subprocess.run(command, capture_output=True, text=True)
        total = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M) if out.exists() else None
    if done.returncode or not total:
        return {"case": name, "error": done.stderr.strip().splitlines()[-1:]}
    return {"case": name, "instructions_per_period": round(int(total[1]) / (PERIODS * (cases or 1)), 1)}


def main():
    """Runs a case, or counts all of them."""
    if len(sys.argv) > 1:
        run_case(sys.argv[1])
        return
    for name in CASES:
        print(json.dumps(count(name)), flush=True)


if __name__ == "__main__":
    main()
