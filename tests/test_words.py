"""The words of the C text: one assignment a line, few `?:`, named fields, what a reader can take in at once."""

import pytest
from support import house, words

FIELDS = 0.75  # share of struct fields of the public and model headers that say what they hold


@pytest.fixture(scope="module")
def tree():
    return house.read_tree()


def test_the_text_stays_light(tree):
    found = words.density(tree)
    assert found.lines > 8000
    assert words.per_thousand(found.joined, found) <= 5, found.joined
    assert words.per_thousand(found.conditional, found) <= 20
    assert not found.nested and not found.positional and not found.wide


def test_fields_say_what_they_hold(tree):
    said, count = words.fields(tree)
    assert count > 150 and said / count >= FIELDS, (said, count)


@pytest.mark.parametrize(
    ("line", "habit"),
    [
        ("a = 1, b = 2;", "joined"),
        ("double a = 1, b = f(2, 3);", "joined"),
        ("m->x *= s, m->y *= s;", "joined"),
        ("double a = 1,\n  b = 2;", "joined"),
        ("x = a ? b : c ? d : e;", "nested"),
        ("x = a ? f(b ? c : d) : e;", "nested"),
        ("x = (a ? b : c) > 0 ? d : e;", "nested"),
        ("pp_body b = {1, 2, 3, 4, 5};", "positional"),
        ("return (body){1, 2, f(3, 4), 5, 6};", "positional"),
        ("const pp_row rows[] = {{1, 2, 3}, {1, 2, 3, 4, 5}};", "positional"),
        ("x = 1; /*" + "-" * 100 + "*/", "wide"),
    ],
)
def test_a_planted_habit_is_found(line, habit):
    found = words.density({"csrc/planted.c": f"static void f(void)\n{{\n{line}\n}}\n"})
    hits = {name: len(getattr(found, name)) for name in ("joined", "nested", "positional", "wide")}
    assert hits == {name: int(name == habit) for name in hits}


@pytest.mark.parametrize(
    "line",
    [
        "for (int i = 0, j = n; i < j; i++, j--)",
        "double a, b;",
        "f(a = 1, b = 2);",
        'text("a = 1, b = 2 ? 3 : 4 ? 5 : 6");',
        "/* a = 1, b = 2; x = a ? b : c ? d : e */",
        "pp_body b = {.mass = 1, .z = 2, .J = 3, .spin = 4, .tilt = 5};",
        "double a[] = {1, 2, 3, 4, 5, 6};",
        "static const double k[2][5] = {{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}};",
        "f(a ? b : c, d ? e : g);",
    ],
)
def test_plain_text_is_not_accused(line):
    found = words.density({"csrc/plain.c": f"static void f(void)\n{{\n{line}\n}}\n"})
    assert not (found.joined or found.nested or found.positional or found.wide)
