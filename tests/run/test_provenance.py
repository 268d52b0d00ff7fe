"""What results say they are of: complete, true after changes, the same on every platform, and compared by values."""

import json
import pickle

import numpy as np
import pytest

import polepair as pp
from polepair.run import provenance
from polepair.run.provenance import first_difference, motor_of

MOTOR = "outrunner-12s14p"


def run(**settings):
    motor = pp.load(MOTOR)
    for name, value in settings.items():
        motor.set(name.replace("__", "."), value)
    return pp.Twin(motor, pp.Foc(speed=300.0), pp.Load(torque=0.01)).run(0.01, ["time", "iq"], every=2)


def test_a_run_says_what_it_is_of():
    about = run(stator__length=0.015).about
    assert about["motor"] == MOTOR and about["kind"] == "run" and about["t_end"] == 0.01 and about["every"] == 2
    assert about["settings"]["stator.length"] == 0.015 and about["settings"]["load.torque"] == 0.01
    assert about["settings"]["control.speed_ref"] == 300.0 and "drive.kind" not in about["settings"]
    assert about["version"] == pp.__version__ and about["date"].endswith("Z") and about["duration"] >= 0
    assert "command" not in about


def test_a_run_says_what_it_was_of_not_what_the_motor_became():
    twin = pp.Twin(pp.load(MOTOR))
    result = twin.run(0.01, ["iq"])
    length = twin.params.stator.length
    twin.params.stator.length, twin.params.name = 2 * length, "other"
    assert result.about["settings"]["stator.length"] == length and result.about["motor"] == MOTOR
    assert pickle.loads(pickle.dumps(twin.run(0.01, ["iq"]))).about["motor"] == "other"


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_files_keep_it(tmp_path, suffix):
    result = run()
    result.save(tmp_path / f"r{suffix}")
    assert result.about.items() <= pp.Result.load(tmp_path / f"r{suffix}").about.items()
    plan = pp.plans.sobol({"magnet.Br": (1.0, 1.4)}, 8, seed=5)
    table = pp.sweep(pp.Twin(pp.load(MOTOR)), plan, 0.01, mode="fast", out=tmp_path / f"s{suffix}")
    about = pp.load_table(tmp_path / f"s{suffix}").about
    assert about["plan"] == {"kind": "sobol", "seed": 5} and about["mode"] == "fast" and about["complete"] is True
    assert about["axes"] == ["magnet.Br"] and about["digest"] == table.about["digest"]
    derived = pp.derive_sweep(pp.load(MOTOR), {"magnet.Br": [1.0, 1.4]}, ["Kt"])
    derived.save(tmp_path / f"d{suffix}")
    about = pp.load_table(tmp_path / f"d{suffix}").about
    assert about["kind"] == "derive" and about["fields"] == ["Kt"] and about["settings"]["stator.length"]


@pytest.mark.parametrize(
    "make, kind",
    [
        (lambda tmp: pp.plans.random({"magnet.Br": (1.0, 1.4)}, 3, seed=2), {"kind": "random", "seed": 2}),
        (lambda tmp: {"magnet.Br": [1.0]}, {"kind": "grid"}),
        (lambda tmp: (("magnet.Br",), [[1.0]]), {"kind": "cases"}),
        (lambda tmp: pp.plans.table(tmp), {"kind": "table"}),
    ],
)
def test_plans_say_how_they_came(tmp_path, make, kind):
    path = tmp_path / "cases.csv"
    path.write_text("magnet.Br\n1.1\n")
    table = pp.sweep(pp.Twin(pp.load(MOTOR)), make(path), 0.001)
    assert kind.items() <= table.about["plan"].items()
    plan = make(path)
    if hasattr(plan, "about"):
        assert pickle.loads(pickle.dumps(plan)).about == plan.about


def test_the_digest_of_a_motor_is_the_same_everywhere():
    motor = pp.Motor()
    values = np.array([p.choices.index(p.default) if p.choices else p.default for p in pp.parameters().values()], ">f8")
    assert provenance.parameters_digest(values) == provenance.parameters_digest(motor.values())
    assert provenance.parameters_digest(-0.0 * values) == provenance.parameters_digest(0 * values)
    motor.magnet.Br = np.nextafter(motor.magnet.Br, 2)
    assert provenance.parameters_digest(values) != provenance.parameters_digest(motor.values())


@pytest.mark.parametrize("name", list(pp.catalogue()))
def test_every_motor_comes_back_from_its_description(name):
    motor = pp.load(name)
    again = motor_of(json.loads(json.dumps(provenance.describe(motor))), "x")
    assert again == motor and again.name == name and first_difference(provenance.describe(motor), again) is None


def test_the_first_difference_is_named():
    about, motor = (
        run(stator__length=0.015).about,
        pp.Twin(pp.load(MOTOR), pp.Foc(speed=300.0), pp.Load(torque=0.01)).params,
    )
    said = first_difference(about, motor, "run.parquet")
    assert said == "stator.length = 0.015 m in run.parquet, 0.01 m in the motor"
    assert first_difference(about, motor, without=("stator",)) is None
    assert first_difference(about, motor, without=("stator.length",)) is None
    said = first_difference(about, pp.load("spmloss-18s16p"), "r")
    assert said == f"stator.slots = 12 in r of {MOTOR}, 18 in the motor"
    motor.set("rotor.topology", "inner")
    assert first_difference(run().about, motor, "r") == "rotor.topology = outer in r, inner in the motor"


def test_a_name_alone_is_no_difference():
    motor = pp.load(MOTOR)
    about = provenance.describe(motor)
    motor.name = "mine"
    assert first_difference(about, motor) is None


def test_old_descriptions_are_compared_by_name():
    old = {"motor": MOTOR, "period": 5e-5}
    assert first_difference(old, pp.load(MOTOR)) is None and first_difference({}, pp.load(MOTOR)) is None
    assert "is of outrunner-12s14p, expected one of spmloss-18s16p" in first_difference(old, pp.load("spmloss-18s16p"))
    with pytest.raises(pp.FileError, match="r.npz: does not say which values its motor had"):
        motor_of(old, "r.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"settings": 5},
        {"settings": {"magnet.Br": "\x1b[2J"}},
        {"settings": {"magnet.Br": [1]}},
        {"settings": {"magnet.Br": None}},
        {"settings": {"no.such": 1}},
        {"settings": {}},
        {"digest": 5},
        {"digest": "0" * 32},
        {"motor": 5, "settings": {"magnet.Br": 99}},
    ],
)
def test_descriptions_by_strangers(change):
    about = {**run().about, **change}
    said = first_difference(about, pp.load("spmloss-18s16p"))
    assert said is None or said.isprintable()
    with pytest.raises(pp.FileError) as e:
        motor_of(about, "r.npz")
    assert str(e.value).isprintable() and "r.npz: " in str(e.value)


def test_date_and_command_are_in_no_digest_of_channels():
    first = run()
    before = provenance.channels_digest(first.names, first.block)
    token = provenance.COMMAND.set("polepair run")
    try:
        second = run()
    finally:
        provenance.COMMAND.reset(token)
    second.about["date"] = "another day"
    assert second.about["command"] == "polepair run"
    assert provenance.channels_digest(second.names, second.block) == before
