"""Motors as objects and files, the efficiency map by its definition."""

import math
import pickle

import pytest

import polepair as pp
from polepair.design import generate
from polepair.table import parameters


def odd_motor():
    """Every parameter another than its default, where it can be."""
    motor = pp.Motor("odd", "all values differ", "made up")
    for row in parameters().values():
        if row.choices:
            value = row.choices[-1] if row.default == row.choices[0] else row.choices[0]
        elif row.kind == "int":
            value = int(row.default) + 1 if row.default < row.max else int(row.default) - 1
        else:
            value = row.default * 0.9 + 0.1 * (row.max if row.default < 0.5 * row.max else row.min)
        motor.set(row.name, value)
    return motor


def test_changed_is_what_differs():
    motor = pp.Motor()
    assert motor.changed() == {} and repr(motor) == "Motor('unnamed': )"
    motor.magnet.Br = 1.25
    motor.rotor.topology = "inner"
    motor.winding.turns = 12
    assert motor.changed() == {"rotor.topology": "inner", "magnet.Br": 1.25, "winding.turns": 12}
    assert repr(motor) == "Motor('unnamed': rotor.topology=inner, magnet.Br=1.25, winding.turns=12)"
    odd = odd_motor()
    assert set(odd.changed()) == set(parameters())
    assert type(odd.get("winding.turns")) is int and type(odd.get("magnet.Br")) is float


def test_copies_are_whole_and_apart():
    odd = odd_motor()
    other = odd.copy()
    assert other == odd and (other.name, other.description, other.source) == ("odd", "all values differ", "made up")
    other.magnet.Br = 1.0
    assert other != odd
    back = pickle.loads(pickle.dumps(odd))
    assert back == odd and type(back) is pp.Motor and back.source == "made up"
    assert back.changed() == odd.changed()


def test_text_and_back():
    motor = pp.load("ipmsm-2k2")
    motor.description, motor.source = "d", "s"
    again = pp.loads(motor.dumps(), name="ipmsm-2k2")
    assert again == motor and (again.description, again.source) == ("d", "s")
    text = motor.dumps()
    assert text.startswith("schema = 1\n") and '[motor]\nname = "ipmsm-2k2"' in text
    assert "None" not in text and text.count("[rotor]") == 1


@pytest.mark.parametrize("name", list(pp.catalogue()))
def test_files_and_back(tmp_path, name):
    motor = pp.load(name)
    motor.save(tmp_path / f"{name}.toml")
    again = pp.load(tmp_path / f"{name}.toml")
    assert again == motor and again.name == name and again.derive().as_dict() == motor.derive().as_dict()
    assert motor.has_geometry == (motor.datasheet.R_ll == 0 and motor.datasheet.R_phase == 0)


def test_either_resistance_is_a_datasheet():
    for field in ("R_ll", "R_phase"):
        motor = pp.Motor()
        assert motor.has_geometry
        motor.set(f"datasheet.{field}", 1.0)
        assert not motor.has_geometry


def test_where_motors_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("schema = 1\n[magnet]\nBr = '1100 mT'\n")
    assert pp.load("mine.toml").magnet.Br == pytest.approx(1.1) and pp.load("mine.toml").name == "mine"
    (tmp_path / "named.toml").write_text("schema = 1\n[motor]\nname = 'other'\ndescription = 'x'\n")
    assert pp.load("named.toml").name == "other" and pp.load("named.toml").description == "x"
    assert pp.load("outrunner-12s14p").name == "outrunner-12s14p"
    names = list(pp.catalogue())
    files = [p.name for p in pp.catalogue().values()]
    assert files == sorted(files) == [f"{n}.toml" for n in names]
    with pytest.raises(pp.FileError, match="did you mean outrunner-12s14p"):
        pp.load("outrunner-12s14")
    assert pp.loads("schema = 1\n[magnet]\nBr = 1\n").name == "unnamed"


@pytest.mark.parametrize(
    "text, why",
    [
        ("schema = '1'\n", "expected schema = 1 at the top"),
        ("schema = 1\n[motor]\nnme = 'x'\n", r"motor.nme: unknown key, did you mean name"),
        ("schema = 1\n[magnet]\nshape = 3.0\n", "magnet.shape"),
        ("schema = 1\n[magnet]\nshape = true\n", "expected one of arc, flat_base"),
        ("schema = 1\n[magnet]\nBr = '1 T/T'\n", "magnet.Br"),
        ("schema = 1\n[winding]\nturns = '3.5'\n", "winding.turns"),
        ("schema = 1\n[datasheet]\nR_ll = 1\nR_phase = 1\n", "both R_ll and R_phase given"),
    ],
)
def test_texts_that_are_no_motors(text, why):
    with pytest.raises(pp.FileError, match=why):
        pp.loads(text, "there")


def test_iron_loss_is_the_constants():
    motor = pp.load("outrunner-12s14p")
    d, m = motor.derive(), motor.material
    loss = 0
    f = 200 * 7 / (2 * math.pi)
    for mass, B in ((d.mass_teeth, d.B_tooth), (d.mass_stator - d.mass_teeth, d.B_yoke)):
        loss += mass * (m.hysteresis * f * B**2 + m.eddy * (f * B) ** 2 + m.excess * (f * B) ** 1.5)
    assert motor.iron_loss(200) == pytest.approx(loss, rel=1e-12) and motor.iron_loss(0) == 0


@pytest.mark.parametrize("name", ["outrunner-12s14p", "ipmsm-2k2", "maxon-ec45flat-70w-24v"])
def test_the_map_cell_by_cell(name):
    """Every cell from the operating point's own balance of power."""
    motor = pp.load(name)
    motor.rotor.coulomb_friction = 1e-3
    d, found = motor.derive(), pp.efficiency_map(motor, speeds=40, shares=7)
    u_max = motor.drive.u_dc / math.sqrt(3)
    rows, columns = found.torque.shape
    assert rows == 7 and found.omega_m.shape == found.torque_limit.shape == (columns,)
    assert found.omega_m[0] == 0 and found.omega_m[1] == pytest.approx(2 * u_max / (d.pole_pairs * d.psi_pm) / 39)
    for k in range(columns):
        w = found.omega_m[k]
        torque, id_, iq, _, _, reachable = d.torque_limit([w], motor.drive.i_max, u_max)[0]
        assert found.torque_limit[k] == (torque if reachable else 0)
        for row in range(rows):
            share = row / 6
            o = d.operating_point(share * id_, share * iq, w)
            copper, iron = d.copper_loss(share * id_, share * iq), motor.iron_loss(w)
            friction = (d.B * w + d.T_coulomb) * w
            assert found.copper_loss[row, k] == pytest.approx(copper, rel=1e-12)
            assert found.iron_loss[row, k] == pytest.approx(iron, rel=1e-12)
            assert found.friction_loss[row, k] == pytest.approx(friction, rel=1e-12)
            if found.torque_limit[k] > 0:
                assert found.torque[row, k] == pytest.approx(o["torque"], rel=1e-9, abs=1e-15)
                shaft = max(o["torque"] * w - friction, 0)
                spent = o["torque"] * w + copper + iron
                assert found.efficiency[row, k] == pytest.approx(shaft / max(spent, 1e-12), rel=1e-9, abs=1e-12)


def test_the_map_ends_where_the_torque_does():
    motor = pp.load("outrunner-12s14p")
    found = pp.efficiency_map(motor, i_max=5, u_max=10, speeds=300)
    top = found.torque_limit.max()
    assert (found.torque_limit[:-1] > 1e-3 * top).all() and found.torque_limit[-1] <= 1e-3 * top
    assert found.torque_limit[0] == pytest.approx(motor.derive().Kt * 5, rel=1e-6)
    assert found.torque.shape == (60, len(found.omega_m))
    for kw in ({"i_max": 0}, {"u_max": 0}, {"i_max": -1}, {"u_max": float("nan")}):
        with pytest.raises(ValueError, match="expected more than 0"):
            pp.efficiency_map(motor, **kw)


def test_generated_files_are_written_where_told(tmp_path, root):
    generate.main(tmp_path)
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert written == sorted(generate.files())
    assert all((tmp_path / name).read_text() == text for name, text in generate.files().items())
