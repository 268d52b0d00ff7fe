"""Arguments of the wrong kind: one line that says where, what came and what was expected."""

from concurrent.futures import Executor

import numpy as np
import pytest

import polepair as pp
from polepair.live.streams import Stream

M = "outrunner-12s14p"


@pytest.fixture(scope="module")
def made():
    motor = pp.load(M)
    twin = pp.Twin(motor)
    return motor, twin, twin.run(0.01)


CALLS = {
    "load": (lambda m, tw, r: pp.load(None), "load: name_or_path = None: expected the name of a motor"),
    "load of a number": (lambda m, tw, r: pp.load(5), "load: name_or_path = 5: expected"),
    "loads": (lambda m, tw, r: pp.loads(5), "loads: text = 5: expected text"),
    "twin": (lambda m, tw, r: pp.Twin(m, 5), "Twin: control = 5: expected settings of control.FIELD or drive.FIELD"),
    "twin of a name": (lambda m, tw, r: pp.Twin(M), f"Twin: motor = '{M}': expected a Motor, as pp.load gives it"),
    "a function for settings": (lambda m, tw, r: pp.Twin(m, pp.Foc), "Twin: control = <function Foc"),
    "control and load swapped": (lambda m, tw, r: pp.Twin(m, pp.Load(0.1), pp.Foc(400)), "as pp.Foc(...) or"),
    "load for control": (lambda m, tw, r: pp.Twin(m, load=pp.Foc(400)), "expected settings of load.FIELD"),
    "strategy in the ramp's place": (lambda m, tw, r: pp.Foc(400, "mtpa"), "Foc: ramp = 'mtpa': expected a number"),
    "speed as text": (lambda m, tw, r: pp.Foc("400"), "Foc: speed = '400': expected a number"),
    "load torques": (lambda m, tw, r: pp.Load(torque=[1, 2]), "Load: torque = [1, 2]: expected a number"),
    "duty": (lambda m, tw, r: pp.SixStep(duty="1"), "SixStep: duty = '1': expected a number"),
    "propeller": (lambda m, tw, r: pp.Propeller(None), "Propeller: k = None: expected a number"),
    "time as text": (lambda m, tw, r: tw.run("0.1"), "Twin.run: t_end = '0.1': expected a number"),
    "every": (lambda m, tw, r: tw.run(0.1, every=0.5), "Twin.run: every = 0.5: expected a whole number from 1 up"),
    "progress": (lambda m, tw, r: tw.run(0.1, progress=5), "Twin.run: progress = 5: expected a function"),
    "record": (lambda m, tw, r: tw.run(0.1, record=5), "Twin.run: record = 5: expected a name, or several"),
    "names of numbers": (lambda m, tw, r: tw.run(0.1, record=[1]), "Twin.run: record = [1]: expected a name"),
    "report of a name": (lambda m, tw, r: pp.write_report("x.html", M), f"write_report: motor = '{M}': expected a M"),
    "report of a file": (
        lambda m, tw, r: pp.write_report("x.html", m, run="x.parquet"),
        "write_report: run = 'x.parquet': expected a Result",
    ),
    "report into nothing": (lambda m, tw, r: pp.write_report(None, m), "write_report: path = None: expected the name"),
    "map of a twin": (lambda m, tw, r: pp.efficiency_map(tw), "efficiency_map: motor = Twin("),
    "map without speeds": (lambda m, tw, r: pp.efficiency_map(m, speeds=0), "speeds = 0: expected a whole number from"),
    "map of one share": (lambda m, tw, r: pp.efficiency_map(m, shares=1), "shares = 1: expected a whole number from 2"),
    "map's current": (lambda m, tw, r: pp.efficiency_map(m, i_max=-1), "i_max = -1: expected more than 0"),
    "replay of a file": (lambda m, tw, r: pp.replay("x.npz"), "replay: record = 'x.npz': expected columns by name"),
    "replay backwards": (lambda m, tw, r: pp.replay({}, pace=-1), "replay: pace = -1: expected a number from 0 up"),
    "simulate backwards": (lambda m, tw, r: pp.simulate(tw, pace=-1), "simulate: pace = -1: expected a number from 0"),
    "simulate no time": (lambda m, tw, r: pp.simulate(tw, seconds=-1), "simulate: seconds = -1: expected a number"),
    "simulate a name": (lambda m, tw, r: pp.simulate(M), "expected a Twin or a Motor"),
    "connect": (lambda m, tw, r: pp.connect(5), "connect: url = 5: expected text"),
    "format": (lambda m, tw, r: pp.Format("yaml"), "format: kind = 'yaml': expected one of frame, json"),
    "format's unit": (lambda m, tw, r: pp.Format(time_unit="h"), "format: time_unit = 'h': expected one of ns"),
    "format's names": (lambda m, tw, r: pp.Format(names=5), "Format: names = 5: expected columns by name"),
    "stream": (lambda m, tw, r: Stream(5), "Stream: channels = 5: expected a name, or several"),
    "sweep of a motor": (lambda m, tw, r: pp.sweep(m, {"magnet.Br": [1]}, 0.1), "expected a Twin, as pp.Twin(motor)"),
    "sweep's time": (
        lambda m, tw, r: pp.sweep(tw, {"magnet.Br": [1]}, t_end="0.1"),
        "sweep: t_end = '0.1': expected a",
    ),
    "sweep's executor": (lambda m, tw, r: pp.sweep(tw, {"magnet.Br": [1]}, 0.1, executor=5), "executor = 5: expected"),
    "an executor's class": (
        lambda m, tw, r: pp.sweep(tw, {"magnet.Br": [1]}, 0.1, executor=Executor),
        "expected an executor, as concurrent.futures has them",
    ),
    "values of None": (lambda m, tw, r: pp.sweep(tw, {"magnet.Br": [None]}, 0.1), "magnet.Br: expected numbers"),
    "values True": (lambda m, tw, r: pp.sweep(tw, {"magnet.Br": [True]}, 0.1), "magnet.Br: expected numbers"),
    "derive_sweep": (lambda m, tw, r: pp.derive_sweep(tw, {"magnet.Br": [1]}), "derive_sweep: motor = Twin("),
    "estimate": (lambda m, tw, r: pp.estimate(m, 5), "estimate: record = 5: expected columns by name in a dict, or a"),
    "noise": (lambda m, tw, r: pp.estimate(m, {}, noise="x"), "estimate: noise = 'x': expected a number above 0"),
    "load_table": (lambda m, tw, r: pp.load_table(None), "load_table: path = None: expected the name of a file"),
    "save": (lambda m, tw, r: r.save(None), "Result.save: path = None: expected the name of a file"),
    "a flag for a number": (lambda m, tw, r: setattr(m.magnet, "Br", True), "magnet.Br = True: expected a number in T"),
    "a number for a choice": (lambda m, tw, r: setattr(m.magnet, "shape", 1), "magnet.shape = 1: expected one of"),
    "a motor's name": (lambda m, tw, r: setattr(m, "name", 5), "motor.name = 5: expected text"),
    "a channel": (lambda m, tw, r: r["omega"], "omega: not recorded, did you mean omega_m?"),
    "a row": (lambda m, tw, r: r[0], "0: not recorded"),
    "rows": (lambda m, tw, r: r[:3], "slice(None, 3, None): not recorded"),
    "what a motor lacks": (lambda m, tw, r: setattr(m, "Br", 0.6), "did you mean motor.magnet.Br?"),
    "a group in the plural": (
        lambda m, tw, r: m.magnets,
        "motor.magnets: no such attribute, did you mean motor.magnet?",
    ),
    "a group itself": (lambda m, tw, r: setattr(m, "magnet", 5), "motor.magnet: expected an assignment to one of its"),
    "control's own": (lambda m, tw, r: setattr(m, "speed_ref", 10), "did you mean motor.control.speed_ref?"),
    "what a group lacks": (lambda m, tw, r: setattr(m.magnet, "brr", 1), "did you mean magnet.Br?"),
    "read of a group": (lambda m, tw, r: m.magnet.thicknes, "did you mean magnet.thickness?"),
}


@pytest.mark.parametrize("call, text", CALLS.values(), ids=CALLS)
def test_one_line_says_what_was_expected(call, text, made, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError)) as e:
        call(*made)
    assert text in str(e.value) and "\n" not in str(e.value) and len(str(e.value)) < 600
    assert not list(tmp_path.iterdir())


def test_what_fits_is_taken(made):
    motor, twin, run = made
    assert len(twin.run(np.float64(0.001), ("omega_m",), 2)) == 11
    assert pp.Twin(motor, None, pp.Load(np.float32(0.25))).params.load.torque == 0.25
    assert pp.Twin(motor, {"drive.kind": "six_step"}).params.drive.kind == "six_step"
    assert pp.efficiency_map(motor, speeds=3, shares=2).torque.shape[0] == 2
    assert len(pp.sweep(twin, {"magnet.Br": np.array([1.0, 1.1])}, 1, record="omega_m")) == 2
    assert pp.simulate(motor, pace=0, seconds=1).motor == motor
    assert run["omega_m"] is not None and "omega" not in run and 5 not in run


def test_names_that_a_motor_has(made):
    """Copies, pickles and subclasses with attributes of their own that begin with _."""
    import copy
    import pickle

    motor = made[0]
    assert copy.deepcopy(motor) == pickle.loads(pickle.dumps(motor)) == motor
    assert not hasattr(motor, "Br") and hasattr(motor, "magnet")
    motor._mark = 1
    assert motor._mark == 1


@pytest.mark.parametrize("huge", [10**400, -(10**400)])
def test_a_whole_number_beyond_any_float(huge):
    twin = pp.Twin(pp.load("outrunner-12s14p"))
    for call in (
        lambda: twin.run(huge),
        lambda: pp.sweep(twin, {"magnet.Br": [1.0]}, huge),
        lambda: pp.Foc(speed=huge),
    ):
        with pytest.raises(TypeError, match="expected a number"):
            call()
