"""Keep a stream where a kill cannot hurt it, read it back, and estimate from the recording."""

import numpy as np

import polepair as pp
from polepair.live.store import Recorder, Store

motor = pp.load("outrunner-12s14p")
live = pp.simulate(pp.Twin(motor), pace=0, seconds=0.5)
recorder = Recorder("motor.ppdb", live.stream)  # journals each message before it is acknowledged
with live:
    while live.source.running:
        live.update(timeout=0.1)
recorder.close()
with Store("motor.ppdb") as store:
    record = store.record()
result = pp.estimate(motor, record)
error = np.abs(result["omega_m"] - record["omega_m"])[2000:].max()
print(f"{len(result)} rows; speed within {error:.1f} rad/s of the sensor's; mean NIS {result['nis'].mean():.2f}")
assert error < 10 and len(result) == live.stream.head
