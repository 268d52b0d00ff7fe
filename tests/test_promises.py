"""docs/reliability.md names machines that are there."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "packaging"))
from promises import promises  # noqa: E402


def test_every_promise_has_its_machine():
    rows = promises()
    lines = [x for x in (ROOT / "docs/reliability.md").read_text(encoding="utf-8").splitlines() if x.startswith("| ")]
    assert len(rows) == len(lines) - 1 >= 15, "a row that is not read"
    for row in rows:
        assert row.machines, row
        for machine in row.machines:
            file, _, name = machine.partition("::")
            assert (ROOT / file).exists(), machine
            assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), machine
