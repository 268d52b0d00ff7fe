"""make promises: runs the machines that look for breaches of the promises of docs/reliability.md, in their short form,
and prints its table with what they found. promises.py --list prints the tests and scripts it names."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(
    r"^\| (?P<promise>[^|]+) \| (?P<property>[^|]+) \| (?P<machine>[^|]*`[^|]+) \| (?P<trials>[^|]+) \| \d+ \|$", re.M
)
REPORT = ROOT / "build/promises.xml"


class Promise(NamedTuple):
    """A row of the table. machines: tests (file or file::name) and scripts."""

    promise: str
    property: str
    machines: tuple[str, ...]
    trials: str


def promises() -> list[Promise]:
    """The rows of docs/reliability.md."""
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    return [
        Promise(m["promise"], m["property"], tuple(re.findall(r"`([^`]+)`", m["machine"])), m["trials"])
        for m in ROW.finditer(text)
    ]


def tests_run(named: list[str]) -> list[tuple[str, bool]]:
    """Runs those tests; (file::name, whether it passed) of each."""
    REPORT.parent.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        "--dist",
        "loadfile",
    ]
    subprocess.run([*command, "--tb=short", f"--junitxml={REPORT}", *named], cwd=ROOT)
    out = []
    for case in ET.parse(REPORT).iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        good = case.find("failure") is None and case.find("error") is None
        out.append((f"{file}::{case.get('name', '').split('[')[0]}", good))
    return out


def belongs(test: str, machine: str) -> bool:
    """Whether a test is one of a machine's."""
    return test == machine or test.startswith(machine + "::")


def main() -> int:
    """Prints the table; the number of breaches."""
    rows = promises()
    named = sorted({m for row in rows for m in row.machines})
    if sys.argv[1:] == ["--list"]:
        print("\n".join(named))
        return 0
    scripts = {m: subprocess.run([ROOT / m], cwd=ROOT).returncode for m in named if m.endswith(".sh")}
    results = tests_run([m for m in named if m not in scripts])
    found = 0
    print("| promise | machine | trials, short / long | ran | breaches |\n|---|---|---|---|---|")
    for row in rows:
        mine = [good for test, good in results if any(belongs(test, m) for m in row.machines)]
        mine += [code == 0 for m, code in scripts.items() if m in row.machines]
        breaches = mine.count(False) + (not mine)
        found += breaches
        print(f"| {row.promise} | {', '.join(row.machines)} | {row.trials} | {len(mine)} | {breaches} |")
    return min(found, 125)


if __name__ == "__main__":
    sys.exit(main())
