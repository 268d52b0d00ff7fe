"""What does a longer stack do? Geometry gives the constants, so change a dimension and derive again."""

import polepair as pp

motor = pp.load("outrunner-12s14p")
for length in (0.008, 0.010, 0.015):
    motor.stator.length = length
    d = motor.derive()
    speed, resistance = d.Kv * 9.5493, 1e3 * d.Rs
    print(f"{1e3 * length:4.0f} mm: {speed:5.0f} rpm/V, {resistance:5.1f} mohm, Km {d.Km:.3f}, {1e3 * d.mass:.0f} g")
assert abs(motor.derive().psi_pm / pp.load("outrunner-12s14p").derive().psi_pm - 1.5) < 1e-9
