"""A running motor: what it measures, what it cannot measure, and what would happen next. Simulated, no broker."""

import polepair as pp

motor = pp.load("outrunner-12s14p")
with pp.simulate(pp.Twin(motor), pace=0, seconds=1.0) as live:  # pp.connect("mqtt://host/bench1", motor) for a real one
    while live.source.running:
        live.update(timeout=0.1)
v = live.values
print(f"{v['est.omega_m']:.1f} +- {v['est.omega_m_sigma']:.1f} rad/s, measured {v['omega_m']:.1f}; {live.quality}")
print(f"load {v['est.torque_load']:.3f} +- {v['est.torque_load_sigma']:.3f} N m, which no sensor shows")
ahead = live.ahead(0.2, load=2 * v["est.torque_load"])
print(f"with twice the load: down to {ahead['omega_m'].min():.1f} rad/s, {ahead['i_s'].max():.1f} A peak")
assert abs(v["est.omega_m"] - v["omega_m"]) < 5 and live.stats["lost"] == 0
