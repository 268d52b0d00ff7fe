"""Units: the doubles that motors have always had, what people write, and nothing that takes long."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import polepair as pp
from polepair.table import parameters
from polepair.units import read_unit, table, to_si

GOLDEN = "tests/golden/units.txt"


def test_the_same_doubles_as_ever(root):
    """Spellings of the catalogue, the docs, the tests and the schema, with the doubles that pint gave."""
    rows = [line.split(" | ") for line in (root / GOLDEN).read_text().splitlines()]
    assert len(rows) > 200
    assert [to_si(text, unit).hex() for text, unit, _ in rows] == [value for *_, value in rows]


def test_the_catalogue_is_in_it(root, monkeypatch):
    import polepair.design.motor as room

    known = {tuple(line.split(" | ")[:2]) for line in (root / GOLDEN).read_text().splitlines()}
    asked = set()
    monkeypatch.setattr(room, "to_si", lambda text, unit: asked.add((text, unit)) or to_si(text, unit))
    for name in pp.catalogue():
        pp.load(name)
    assert asked and asked <= known
    units = {r.unit for r in parameters().values()} - {""}
    assert units <= {unit for text, unit in known if text == f"2 {unit}"}


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("3 mOhm", "ohm", 0.003),
        ("3 mΩ", "ohm", 0.003),
        ("12 Nm", "N*m", 12.0),
        ("5 mNm", "N*m", 0.005),
        ("60 rev/min", "rad/s", 6.283185307179586),
        ("2 kg m²", "kg*m^2", 2.0),
        ("2 g·cm**2", "kg*m^2", 2e-7),
        ("3 V/(rad/s)", "V*s", 3.0),
        ("3 W/(kg T^2 Hz)", "W*s/(T^2*kg)", 3.0),
        ("4 m^-2 * m^3", "m", 4.0),
        ("2 h", "s", 7200.0),
        ("300 K", "degC", 26.85),
        ("-0.12 %/°C", "1/K", -0.0012),
        ("0.0039 1/degC", "1/K", 0.0039),
        ("20 °C", "degC", 20.0),
        ("2 millimeters", "m", 0.002),
        ("0.5 mm/m", "", 5e-4),
        ("1 oz in^2", "kg*m^2", 1.8289978e-5),
    ],
)
def test_what_people_write(text, unit, value):
    assert to_si(text, unit) == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize(
    "text",
    [
        *("1 mm^2^3^4^5", "3 mm*9^9^9", "1 m^7", "1 m^-7", "1 m^99", "1 m*", "1 /m", "1 ()", "1 (m", "1 m)", "1 mmm"),
        *("1 k1", "1 m^", "1 2", "1 m\x1b[2J", "1 " + "m*" * 40, "1 " + "(" * 60, "1 m^1.5", "1 m\nm^9"),
        "1 " + "m" * 10**6,
    ],
)
def test_what_is_no_length(text):
    with pytest.raises(ValueError, match="unit") as e:
        to_si(text, "m")
    assert str(e.value).isprintable() and len(str(e.value)) < 200


def test_exponents_end_at_six():
    assert to_si("2 m^6/m^5", "m") == 2.0
    for text in ("2 m^7/m^6", "2 m^-7*m^8", "2 m^6.5/m^5.5"):
        with pytest.raises(ValueError, match="unknown unit"):
            to_si(text, "m")


def test_one_clear_line_from_the_command():
    command = [sys.executable, "-m", "polepair", "design", "outrunner-12s14p", "--no-cad", "--set"]
    done = subprocess.run([*command, "stator.length=1 mm^2^3^4^5"], capture_output=True, text=True)
    expected = "polepair: --set stator.length=1 mm^2^3^4^5: unknown unit mm^2^3^4^5, expected one that converts to m\n"
    assert (done.returncode, done.stderr) == (2, expected)


@given(st.text("0123456789.eE+- mkgcuN*/^()1²%ΩsV", max_size=80), st.sampled_from(["m", "ohm", "W*s^1.5/(T^1.5*kg)"]))
def test_any_text_is_a_number_or_one_line(text, unit):
    try:
        assert isinstance(to_si(text, unit), float)
    except ValueError as e:
        assert str(e).isprintable()


names = st.sampled_from(sorted(table()))


@given(st.lists(st.tuples(names, st.integers(-6, 6)), min_size=1, max_size=4))
def test_products_add_their_exponents(parts):
    """A unit over itself is 1, however it is spelled."""
    text = "*".join(f"{name}^{exponent}" for name, exponent in parts)
    if len(text) <= 25:
        assert set(read_unit(f"({text})/({text})").exponents) == {0}
        assert to_si(f"2 ({text})/({text})", "1") == pytest.approx(2.0)
        assert read_unit(text).exponents == read_unit(f"1/(1/({text}))").exponents


def test_numpy_alone_carries_a_motor_from_file_to_file(tmp_path):
    """Loads, derives, runs, sweeps and saves every catalogue motor with nothing else installed."""
    code = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "polepair"):
            raise ImportError(f"{name} is not here", name=name)
sys.meta_path.insert(0, Only())
import polepair as pp
for name in pp.catalogue():
    m = pp.load(name)
    m.derive()
    pp.Twin(m).run(20 * m.drive.period).save(sys.argv[1] + "/r.npz")
    assert len(pp.Result.load(sys.argv[1] + "/r.npz")) == 21
    table = pp.sweep(pp.Twin(m), {"control.speed_ref": [90.0, 100.0]}, t_end=20 * m.drive.period)
    table.save(sys.argv[1] + "/s.npz")
    assert len(pp.load_table(sys.argv[1] + "/s.npz")) == 2
    m.save(sys.argv[1] + "/m.toml")
    assert pp.load(sys.argv[1] + "/m.toml") == m
print("all", len(pp.catalogue()))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"all {len(pp.catalogue())}\n", "")


def test_written_toml_is_read_back(tmp_path):
    motor = pp.load("outrunner-12s14p")
    motor.description = 'quotes " and \\ , \x7f, \t, ünïcode, and\nlines'
    motor.save(tmp_path / "m.toml")
    again = pp.load(tmp_path / "m.toml")
    assert again == motor and again.description == motor.description
