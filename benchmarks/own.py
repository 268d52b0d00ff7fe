"""Figures of polepair alone: cost of calls, import, derive sweep, solids. CPU time, best of several."""

import os
import subprocess
import sys
import time

import numpy as np

import polepair as pp
from polepair import _core


def best(call, count, repeat=7):
    """Least CPU seconds per call."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        for _ in range(count):
            call()
        times.append((time.process_time() - start) / count)
    return min(times)


def show(what: str, seconds: float):
    """One line, in microseconds."""
    print(f"{what}: {1e6 * seconds:.3f} us")


def main():
    """Prints one line per figure."""
    motor = pp.load("outrunner-12s14p")
    core, channels, out = _core.Twin(motor), np.array([1], dtype=np.int32), np.empty((1, 1))
    magnet = motor.magnet
    show("array call (one row, one channel)", best(lambda: core.run(1, 1, True, channels, out), 100_000))
    show("attribute get", best(lambda: magnet.Br, 200_000))
    show("attribute get through the motor", best(lambda: motor.magnet.Br, 200_000))
    show("checked attribute set", best(lambda: setattr(magnet, "Br", 1.3), 200_000))
    show("derive", best(motor.derive, 2000))
    show("fork", best(core.fork, 20_000))
    rng = np.random.default_rng(1)
    n = 20_000
    rows = np.column_stack([rng.uniform(1, 1.4, n), rng.integers(8, 20, n), rng.uniform(5e-3, 2e-2, n)])
    axes = (("magnet.Br", "winding.turns", "stator.length"), rows)
    for name in ("outrunner-12s14p", "spmloss-18s16p", "coreless-printed"):
        m = pp.load(name)
        seconds = best(lambda m=m: pp.derive_sweep(m, axes, ["psi_pm", "J", "mass"]), 1, 5)
        print(f"derive sweep with closed-form mass and inertia, {name}: {n / seconds:,.0f} variants/s per core")
    twin, one = pp.Twin(motor), {"magnet.Br": [1.2]}
    show("pp.sweep of one case of one period", best(lambda: pp.sweep(twin, one, 1e-4, threads=1), 200))
    code = "import time; t = time.perf_counter(); import polepair; print(1e3 * (time.perf_counter() - t))"
    walls = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout) for _ in range(9)
    ]
    print(f"import polepair: {min(walls):.0f} ms best, {sorted(walls)[4]:.0f} ms median (wall)")
    solids()


def solids():
    """Building the 12/14 outrunner's solids, in FreeCAD's Python."""
    if not os.path.isdir("/usr/lib/freecad-python3"):
        return
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = f"""
import sys, time
sys.path[:0] = [{root + "/freecad_wb"!r}, {root!r}]
from freecad.polepair_wb import compat
compat.import_freecad()
from freecad.polepair_wb import solids
import polepair as pp
from polepair.draw.parts import motor_parts
m = pp.load("outrunner-12s14p")
times, parts_times = [], []
for _ in range(40):
    t = time.process_time(); parts = motor_parts(m); parts_times.append(time.process_time() - t)
    t = time.process_time(); shapes = solids.build(parts); times.append(time.process_time() - t)
valid = all(s.isValid() for s in shapes.values())
print(f"12/14 outrunner, {{len(shapes)}} solids: {{1e3 * min(times):.2f}} ms CPU best")
print(f"their outlines: {{1e3 * min(parts_times):.2f}} ms; all valid: {{valid}}")
"""
    env = {**os.environ, "PYTHONPATH": ""}
    print(
        subprocess.run(
            ["/usr/bin/python3", "-c", code], capture_output=True, text=True, env=env, check=True
        ).stdout.strip()
    )


if __name__ == "__main__":
    main()
