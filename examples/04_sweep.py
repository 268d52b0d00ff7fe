"""Which winding reaches the speed with the least current? 400 closed-loop runs in C, bad cases named."""

import numpy as np

import polepair as pp

twin = pp.Twin(pp.load("outrunner-12s14p"))
axes = {"winding.turns": range(8, 28), "magnet.Br": np.linspace(1.0, 1.4, 20)}
table = pp.sweep(twin, axes, t_end=0.3, record=["omega_m.final", "i_s.rms"])
good = (table["status"] == 0) & (table["omega_m.final"] > 0.99 * twin.params.control.speed_ref)
best = np.flatnonzero(good)[np.argmin(table["i_s.rms"][good])]
print(f"{len(table)} runs, {len(table.failed)} refused, {good.sum()} reach the speed")
turns, remanence, current = (table[n][best] for n in ("winding.turns", "magnet.Br", "i_s.rms"))
print(f"best: {turns:.0f} turns, Br {remanence:.2f} T, {current:.2f} A rms")
assert len(table) == 400 and good.any()
