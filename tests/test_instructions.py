"""The gate of instruction counts: refuses what moved, only prints what it does not know, never stores by itself."""

import sys

import pytest


@pytest.fixture
def gate(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    sys.modules.pop("instructions", None)
    import instructions

    before = instructions.STORED.read_text()

    def run(factor, compiler):
        kept = next(iter(instructions.stored().values()))
        moved = {name: kept[name] * (factor if i == 0 else 1) for i, name in enumerate(instructions.GATE)}
        monkeypatch.setattr(instructions, "counts", lambda names, periods: {n: moved[n] for n in names})
        monkeypatch.setattr(instructions, "compiler", lambda: compiler)
        return instructions.gate()

    yield run
    assert instructions.STORED.read_text() == before


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1.009, 0), (1.02, 1), (0.98, 1)])
def test_a_moved_count_is_refused(gate, factor, code, capsys):
    assert gate(factor, "gcc 12.2") == code
    assert f"{code} of 4 moved" in capsys.readouterr().out


def test_an_unknown_compiler_is_only_printed(gate, capsys):
    assert gate(2.0, "gcc 99.1") == 0
    assert "printed only" in capsys.readouterr().out
