"""Instruction counts by callgrind: figures that a machine's load cannot move.

instructions.py            counts every case and prints a JSON line each
instructions.py --gate     counts the plain loops; fails where a count stored for this compiler is left by over 1 %
instructions.py --store    counts the plain loops and stores them for this compiler

A count is instructions per simulated control period (per case and period for sweeps), taken inside one function of the
core only. Stored counts stand in instructions.json, a table for each compiler; another compiler's are only printed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STORED = Path(__file__).with_suffix(".json")
LIMIT = 0.01
PERIODS = 2000
RUN, PLAIN, AVX2, FAST = "pp_twin_run", "pp_kernel_plain", "pp_kernel_avx2", "pp_kernel_fast_avx2"  # what is counted
CASES = {  # name: (function counted, machine, changes, cases of a sweep)
    "foc, 4 substeps": (RUN, "foc", {"drive.substeps": 4}, 0),
    "foc, 1 substep": (RUN, "foc", {"drive.substeps": 1}, 0),
    "foc, adaptive 1e-8": (RUN, "foc", {"drive.rtol": 1e-8}, 0),
    "bldc, 1 substep": (RUN, "bldc", {"drive.substeps": 1}, 0),
    "bldc, adaptive 1e-8": (RUN, "bldc", {"drive.rtol": 1e-8}, 0),
    "foc sweep, plain, 2 substeps": (PLAIN, "foc", {"drive.substeps": 2}, 64),
    "foc sweep, avx2, 2 substeps": (AVX2, "foc", {"drive.substeps": 2}, 64),
    "foc sweep, avx2 fast, 2 substeps": (FAST, "foc", {"drive.substeps": 2}, 64),
    "bldc sweep, avx2, 1 substep": (AVX2, "bldc", {"drive.substeps": 1}, 64),
    "foc, 4 substeps, every channel": (RUN, "foc", {"drive.substeps": 4}, 0),
    "bldc, 1 substep, every channel": (RUN, "bldc", {"drive.substeps": 1}, 0),
    "foc sweep, avx2, 2 substeps, fan": (AVX2, "foc", {"drive.substeps": 2, "load.quadratic": 1e-4}, 64),
}
FEW = ("time", "id", "iq", "omega_m")  # what a run records, but where a case says every channel
GATE = ("foc, 4 substeps", "bldc, 1 substep", "foc sweep, avx2, 2 substeps", "bldc sweep, avx2, 1 substep")


def run_case(name: str, periods: int) -> None:
    """The work of one case, to be run under valgrind."""
    import peer_polepair as peer

    import polepair as pp
    from polepair import _core

    function, kind, changes, cases = CASES[name]
    motor = {"foc": peer.foc_motor, "bldc": peer.bldc_motor}[kind]({"foc": peer.FOC, "bldc": peer.BLDC}[kind], None)
    for key, value in changes.items():
        motor.set(key, value)
    twin, t_end = pp.Twin(motor), periods * motor.drive.period
    if not cases:
        twin.run(t_end, pp.channels() if "every channel" in name else FEW)
        return
    _core.force_isa("plain" if function == PLAIN else "avx2")
    loads = [motor.load.torque * k / cases for k in range(cases)]
    table = pp.sweep(twin, {"load.torque": loads}, t_end, threads=1, mode="fast" if function == FAST else "exact")
    assert not table.failed


def count(name: str, periods: int) -> float:
    """Instructions per period of one case."""
    function, _, _, cases = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect={function}"]
        command += [f"--callgrind-out-file={out}", sys.executable, __file__, "--run", name, "--periods", str(periods)]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        total = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M) if out.exists() else None
    if done.returncode or not total or total[1] == "0":
        raise SystemExit(f"{name}: no count of {function}: {' '.join(done.stderr.strip().splitlines()[-1:])}")
    return round(int(total[1]) / (periods * (cases or 1)), 1)


def counts(names, periods: int) -> dict[str, float]:
    """The counts of several cases, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(lambda name: count(name, periods), names), strict=True))


def compiler() -> str:
    """The compiler that the extension names, as the key of its counts: `gcc 12.2`."""
    text = (next((ROOT / "polepair").glob("_core*.so"))).read_bytes()
    found = re.search(rb"GCC: \([^)]*\) (\d+\.\d+)|clang version (\d+\.\d+)", text)
    return "another compiler" if not found else f"gcc {found[1].decode()}" if found[1] else f"clang {found[2].decode()}"


def stored() -> dict:
    """Counts of every compiler for which some are stored."""
    return json.loads(STORED.read_text()) if STORED.exists() else {}


def gate() -> int:
    """Counts the plain loops beside what is stored; 1 when one of them has moved."""
    own, moved = stored().get(compiler(), {}), 0
    for name, value in counts(GATE, PERIODS).items():
        before = own.get(name)
        away = value / before - 1 if before else 0.0
        moved += abs(away) > LIMIT
        print(f"{name:<28} {value:8.1f}  " + (f"{100 * away:+.2f} % of {before}" if before else "none stored"))
    print(f"instructions: {compiler()}: " + (f"{moved} of {len(GATE)} moved by over 1 %" if own else "printed only"))
    return int(moved > 0)


def main() -> int:
    """Runs a case, counts all of them, or gates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", choices=CASES)
    parser.add_argument("--periods", type=int, default=PERIODS)
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--store", action="store_true")
    args = parser.parse_args()
    if args.run:
        run_case(args.run, args.periods)
    elif args.gate:
        return gate()
    elif args.store:
        table = stored() | {compiler(): counts(GATE, PERIODS)}
        STORED.write_text(json.dumps(table, indent=2, sort_keys=True) + "\n")
    else:
        for name in CASES:
            print(json.dumps({"case": name, "instructions_per_period": count(name, args.periods)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
