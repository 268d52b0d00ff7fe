"""A motor from a maker's datasheet, in a file with units, driven by six-step commutation."""

import polepair as pp

motor = pp.loads(
    """
schema = 1
[rotor]
pole_pairs = 8
[datasheet]
R_ll = "0.573 ohm"
L_ll = "0.301 mH"
Kt_block = "40.4 mN*m/A"
J = "181 g*cm^2"
I_no_load = "270 mA"
n_no_load = "5600 rpm"
emf = "trapezoid"
[drive]
kind = "six_step"
u_dc = 24
period = "20 us"
"""
)
run = pp.Twin(motor, load=pp.Load(torque=0.1, t_on=0.1)).run(0.3)
print(f"{run['omega_m'][-1] * 9.5493:.0f} rpm under 0.1 N m, stall current {24 / (2 * motor.derive().Rs):.1f} A")
assert 4500 < run["omega_m"][-1] * 9.5493 < 5500
