"""Spin a motor up under field-oriented control and look at what came out."""

import polepair as pp

motor = pp.load("outrunner-12s14p")
twin = pp.Twin(motor, control=pp.Foc(speed=400.0, ramp=5000.0), load=pp.Propeller(k=7e-7))
run = twin.run(0.5)
print(f"{run['omega_m'][-1]:.1f} rad/s, {run['i_s'].max():.2f} A peak, energy balance {run.energy_residual:.0e}")
assert abs(run["omega_m"][-1] - 400) < 1 and abs(run.energy_residual) < 1e-5
