"""Explore tolerances with a Sobol plan, keep an interrupted sweep, and look at the traces of a few cases."""

import numpy as np

import polepair as pp

twin = pp.Twin(pp.load("outrunner-12s14p"))
ranges = {"magnet.Br": (1.22, 1.32), "rotor.gap": (0.4e-3, 0.6e-3), "winding.wire_diameter": (0.60e-3, 0.66e-3)}
table = pp.sweep(twin, pp.plans.sobol(ranges, 256), t_end=0.3, record="i_s.rms", resume="tolerances.npz")
low, middle, high = np.percentile(table["i_s.rms"], [5, 50, 95])
print(f"current {middle:.2f} A rms, 90 % of the motors between {low:.2f} and {high:.2f} A")
few = pp.sweep(twin, {"magnet.Br": [1.22, 1.27, 1.32]}, 0.1, trace=["time", "i_s"], every=10)
print("current at 0.1 s:", [f"{few.run(k)['i_s'][-1]:.2f} A" for k in range(3)])
assert table.complete and low < middle < high and few.trace.shape == (3, 201, 2)
