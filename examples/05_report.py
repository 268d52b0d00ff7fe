"""A page about one motor: python examples/05_report.py [MOTOR] writes build/MOTOR.html."""

import sys
from pathlib import Path

import polepair as pp

name = sys.argv[1] if len(sys.argv) > 1 else "spmloss-18s16p"
motor = pp.load(name)
Path("build").mkdir(exist_ok=True)
page = pp.write_report(f"build/{name}.html", motor, run=pp.Twin(motor).run(0.3))
print(page)
assert page.stat().st_size > 30_000
