"""The observer against a drive simulated by motulator (another model, solver and controller), and what follows."""

import itertools
import time

import numpy as np
import pytest

import polepair as pp
from polepair import _core
from polepair.live.estimation import current_noise, estimate, estimates
from polepair.live.session import Estimator, replay, sensors_of
from polepair.live.sources import Simulated
from polepair.live.streams import Rows


@pytest.fixture(scope="module")
def servo(request):
    root = request.config.rootpath / "tests/data"
    return pp.load(root / "servo-400w.toml"), dict(np.load(root / "servo-400w.npz"))


def errors(result, truth, settled=True):
    """Speed error over the highest speed, and angle error in electrical degrees, rms, once it turns or of every row."""
    top = np.abs(truth["omega_m"]).max()
    turning = (truth["time"] > 0.1) & (np.abs(truth["omega_m"]) > 0.1 * top) if settled else slice(None)
    speed = (result["omega_m"] - truth["omega_m"])[turning] / top
    angle = np.degrees(np.angle(np.exp(1j * (result["theta_e"] - truth["theta_e"]))))[turning]
    return np.sqrt(np.mean(speed**2)), np.sqrt(np.mean(angle**2))


@pytest.mark.parametrize("method", ["ekf", "ukf"])
def test_another_drive(servo, method):
    """Measured: 0.11 % and 0.08 degrees."""
    motor, truth = servo
    result = estimate(motor, truth, method=method)
    speed, angle = errors(result, truth)
    assert speed < 0.003 and angle < 0.15
    band = 1.96 * 2 / np.sqrt(len(result))
    assert abs(result["nis"].mean() - 2) < band
    settled = truth["time"] > 0.1
    for name in ("omega_m", "torque_load"):
        score = ((result[name] - truth[name]) / result[f"{name}_sigma"])[settled]
        assert 0.2 < np.sqrt(np.mean(score**2)) < 1.5, name  # the sigmas mean what they say


def test_wrong_parameters_are_learnt(servo):
    """Rs +20 %, psi -5 % in the motor file: adaptation finds them, fixed parameters do not."""
    motor, truth = servo
    wrong = motor.copy()
    wrong.datasheet.R_phase *= 1.2
    wrong.datasheet.psi_pm *= 0.95
    speed, angle = errors(estimate(wrong, truth), truth)
    assert speed < 0.003 and angle < 0.15
    assert errors(estimate(wrong, truth, adapt=False), truth)[1] > 0.7
    assert estimate(wrong, truth)["psi_pm"][-1] == pytest.approx(motor.datasheet.psi_pm, rel=0.01)


def steady(seconds):
    """A record of the embedded simulation: constant speed for as long as this, its load swinging slowly."""
    source = Simulated(pp.Twin(pp.load("outrunner-12s14p")), pace=0)
    rows = []
    while source.core.sample * source.core.period < seconds:
        source.core.ask(*source.scenario(source.twin.params, source.core.sample * source.core.period))
        rows.append(source.batch(400))
    block = np.vstack(rows)
    names = ("u_alpha", "u_beta", "i_alpha", "i_beta", "omega_m")
    return {"time": np.arange(len(block)) * source.core.period, **dict(zip(names, block.T, strict=False))}


@pytest.mark.parametrize("method", ["ekf", "ukf"])
def test_what_nothing_shows_does_not_wander_off(method):
    """At constant speed and current only one sum of Rs and psi shows: estimates stay within what their sigmas say."""
    motor = pp.load("outrunner-12s14p")
    d, result = motor.derive(), estimate(motor, steady(4.0), method=method)
    for name, true in (("Rs", d.Rs), ("psi_pm", d.psi_pm)):
        off = (result[name][2000:] - true) / result[f"{name}_sigma"][2000:]
        assert np.abs(off).max() < 3 and np.sqrt(np.mean(off**2)) < 1.5, name
        assert result[f"{name}_sigma"][-1] < 0.2 * true
    assert abs(result["temperature_winding"][-1] - motor.winding.temperature) < 40


def test_beginning_is_found(servo):
    """In motion from the first row on, and at rest with any rotor angle."""
    motor, truth = servo
    moving = {k: v[9000:] for k, v in truth.items()}
    result = estimate(motor, moving)
    assert np.abs(result["omega_m"] - moving["omega_m"])[300:].max() < 0.03 * np.abs(moving["omega_m"]).max()
    for turn in (1.0, 2.5, -2.0):
        u, i = ((truth[f"{n}_alpha"] + 1j * truth[f"{n}_beta"]) * np.exp(1j * turn) for n in "ui")
        turned = {**truth, "u_alpha": u.real, "u_beta": u.imag, "i_alpha": i.real, "i_beta": i.imag}
        turned["theta_e"] = truth["theta_e"] + turn
        result = estimate(motor, turned)
        assert errors(result, turned)[1] < 0.2 and errors(result, turned, settled=False)[1] < 0.3


def test_noise_from_the_record(servo):
    assert current_noise(servo[1]["i_alpha"], servo[1]["i_beta"]) == pytest.approx(0.04, rel=0.15)


def rows_of(record, first, last):
    channels = ("u_alpha", "u_beta", "i_alpha", "i_beta")
    ns = np.rint(record["time"][first:last] * 1e9).astype(np.int64) + 1_700_000_000 * 10**9
    return Rows(channels, ns, ns, ns, [record[c][first:last].astype(float) for c in channels])


def test_same_bits_however_the_rows_are_cut(servo):
    motor, truth = servo
    whole = Estimator(motor, ("u_alpha", "u_beta", "i_alpha", "i_beta")).feed(rows_of(truth, 0, 9000))
    cut, parts = Estimator(motor, ("u_alpha", "u_beta", "i_alpha", "i_beta")), []
    edges = [0, 1, 2, 100, 255, 256, 257, 2048, 2049, 5000, 9000]
    for a, b in itertools.pairwise(edges):
        parts.append(cut.feed(rows_of(truth, a, b)))
    assert np.array_equal(whole, np.vstack(parts), equal_nan=True)


def test_replay_has_the_same_bits_at_any_pace(servo):
    motor, truth = servo
    short = {k: truth[k][:3000] for k in ("time", "u_alpha", "u_beta", "i_alpha", "i_beta")}
    blocks = []
    for pace in (0.0, 2.0):
        view, parts = replay(short, motor, pace), []
        with view:
            while view.source.running:
                parts.append(view.update(0.05)[1])
        blocks.append(np.vstack(parts))
    assert len(blocks[0]) == 3000 and np.array_equal(*blocks, equal_nan=True)


def test_missing_and_mad_rows_do_not_poison(servo):
    motor, truth = servo
    bad = {k: v.astype(float) for k, v in truth.items()}
    bad["i_alpha"][3000:3005] = np.nan
    bad["u_beta"][5000] = np.nan
    bad["i_beta"][7000] = 1e6
    e = Estimator(motor, ("u_alpha", "u_beta", "i_alpha", "i_beta"))
    out = e.feed(rows_of(bad, 0, 15000))
    speed = out[:, e.names.index("omega_m")]
    assert np.isfinite(speed[-2000:]).all() and np.abs(speed - bad["omega_m"][:15000])[-2000:].max() < 10
    assert np.abs(speed - bad["omega_m"][:15000])[7000:7050].max() < 10  # a lone mad sample is passed over


@pytest.mark.parametrize("sensors", ["speed", "position"])
def test_fewer_sensors(sensors):
    """Speed and bus current, or the position alone: the mechanics are followed, the currents are not claimed."""
    motor = pp.load("outrunner-12s14p")
    run = pp.Twin(motor, control=pp.Foc(speed=300.0), load=pp.Load(torque=0.1, t_on=0.2)).run(0.6, every=20)
    ns = np.rint(run["time"] * 1e9).astype(np.int64)
    names = ("omega_m", "i_bus") if sensors == "speed" else ("theta_m",)
    e = Estimator(motor, names)
    assert e.sensors == sensors
    out = e.feed(Rows(names, ns, ns, ns, [run[n] for n in names]))
    speed = out[:, e.names.index("omega_m")]
    assert np.abs(speed - run["omega_m"])[-100:].max() < 3
    if sensors == "speed":
        torque = out[-1, e.names.index("torque")]
        assert torque == pytest.approx(run["torque"][-1], rel=0.15)


def test_sensor_sets():
    assert sensors_of(("ia", "ib", "u_alpha", "u_beta")) == "currents" and sensors_of(("temperature",)) is None


def test_standing_still_is_not_observable():
    motor = pp.load("outrunner-12s14p")
    time_, zero = np.arange(1000) * 1e-4, np.zeros(1000)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.05, (2, 1000))
    record = {"time": time_, "u_alpha": zero, "u_beta": zero, "i_alpha": noise[0], "i_beta": noise[1]}
    result = estimate(motor, record)
    assert result["quality"][-1] == 2


def test_futures_from_the_live_state():
    motor = pp.load("outrunner-12s14p")
    view = pp.Live(Simulated(pp.Twin(motor), pace=0, seconds=0.6, noise=0.002), motor)
    with view:
        while view.source.running:
            view.update(0.05)
    truth = view.source.core
    now = view.values["est.omega_m"]
    assert now == pytest.approx(view.values["omega_m"], rel=0.01)
    ahead = view.ahead(0.2, speed=300.0)
    assert ahead["omega_m"][0] == pytest.approx(now) and ahead["omega_m"][-1] == pytest.approx(300.0, rel=0.05)
    began = time.process_time()
    ends = view.futures([(200.0 + k / 10, 0.1) for k in range(1000)], 0.05)
    assert ends.shape == (1000, 3) and (np.diff(ends[:, 0]) > 0).all() and truth.sample > 0
    assert time.process_time() - began < 60  # a hang, not a speed


def test_six_step_cannot_be_placed():
    motor = pp.load("maxon-ec45flat-70w-24v")
    with pytest.raises(ValueError, match="foc"):
        pp.Twin(motor, control=pp.SixStep(duty=0.5)).core().place(0, 0, 1, 0, 0)


BAD = {
    "no column": (lambda r: r.pop("u_beta"), "u_beta"),
    "nan": (lambda r: r["i_alpha"].__setitem__(5, np.nan), r"i_alpha\[5\]"),
    "time back": (lambda r: r["time"].__setitem__(5, 0.0), r"time\[5\]"),
    "lengths": (lambda r: r.update(u_alpha=r["u_alpha"][:-1]), "u_alpha"),
    "two rows": (lambda r: [r.update({k: v[:2]}) for k, v in list(r.items())], "at least 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_records(servo, name):
    motor, truth = servo
    record = {k: v[:100].astype(float) for k, v in truth.items()}
    BAD[name][0](record)
    with pytest.raises(ValueError, match=BAD[name][1]):
        estimate(motor, record)


def test_another_motor_is_told(servo):
    with pytest.raises(pp.DivergedError, match="expected the motor that was recorded"):
        estimate(pp.load("maxon-ec45flat-70w-24v"), servo[1])


def test_core_refuses():
    motor = pp.load("outrunner-12s14p")
    with pytest.raises(ValueError):
        _core.Observer(motor, -1.0)
    o, z = _core.Observer(motor), np.zeros(3)
    with pytest.raises(ValueError, match="same length"):
        o.run(z, z, z, z, np.zeros(2), [0])
    with pytest.raises(ValueError, match="estimate 99"):
        o.run(z, z, z, z, z, [99])
    assert len(estimates()) == len(o.estimates())
