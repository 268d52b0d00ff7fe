"""make house: every row of the figures that the house is held to, measured now (docs/architecture.md keeps the goals).

The long ones are read from what their own commands left: coverage, mutants. Counts of instructions with --long.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

import instructions  # noqa: E402
from support import house, words  # noqa: E402

TORQUE = re.compile(r"(?<![\d.])1\.5(?!\d)[^;\n]*?\b(?:pole_pairs|pp|p)\b(?!->)")
SOURCE_LOOP = re.compile(r"PP_IN_LOOP\(loop\)|pp_loop\w*|(?:run|move)_(?:foc|bldc)|bldc_adaptive")
COMPILED_LOOP = re.compile(r" [tT] (pp_loop_\w+|(?:foc|bldc)_(?:plain|angle|full|adaptive))(?:\.\w+\.\d+)?$", re.M)
IMPORT = "import time; t = time.perf_counter(); import polepair; print(1000 * (time.perf_counter() - t))"
COMMAND = [sys.executable, "-c"]


def out(command: list, **given) -> str:
    """What a command prints."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, **given).stdout


def library() -> Path | None:
    """The extension that is installed beside the sources."""
    return next((ROOT / "polepair").glob("_core*.so"), None)


def loops(tree: dict) -> str:
    """Period loops in the source, and symbols of them in the extension."""
    source = [f for f in house.c_functions(tree) if SOURCE_LOOP.fullmatch(f.name)]
    built = COMPILED_LOOP.findall(out(["nm", str(library())])) if library() else []
    return f"{len(source)}; {len(built)} symbols ({', '.join(sorted(set(built))) or 'none: make build'})"


def torque(tree: dict) -> str:
    """Files that write out 3/2 times the pole pairs."""
    texts = {
        n: house.bare(t) if n.endswith((".c", ".h")) else t for n, t in tree.items() if n.endswith((".c", ".h", ".py"))
    }
    files = sorted({n.rpartition("/")[2] for n, t in texts.items() if TORQUE.search(t)})
    return f"{len(files)} ({', '.join(files)})"


def python_rooms(tree: dict) -> str:
    """Modules directly in polepair/, and arrows between them and the folders."""
    direct = [n for n in tree if re.fullmatch(r"polepair/\w+\.py", n)]
    node = {n: n if n in direct else house.python_room(n) for n in tree if n.startswith("polepair/")}
    graph = house.python_graph(tree)
    arrows = {(node[a], node[b]) for a in node if a in graph for b in graph[a] if b in node and node[a] != node[b]}
    folders = sorted(set(node.values()) - set(direct))
    return f"{len(direct)} and {len(folders)} folders; {len(arrows)}"


def sizes(tree: dict) -> str:
    """The longest function, the longest file, the most arguments."""
    functions = house.c_functions(tree) + house.python_functions(tree)
    longest, widest = max(functions, key=lambda f: f.lines), max(functions, key=lambda f: f.arguments)
    lines = {n: t.count("\n") for n, t in tree.items() if n.startswith(("csrc/", "polepair/", "freecad", "blender"))}
    file = max(lines, key=lines.get)
    return f"{longest.lines} {longest.name} / {lines[file]} {file}; {widest.arguments} {widest.name}"


def density(tree: dict) -> str:
    """The habits of the C text."""
    parts = []
    for folder in ("csrc/", "csrc/core"):
        d = words.density(tree, folder)
        joined, questions = words.per_thousand(d.joined, d), words.per_thousand(d.conditional, d)
        parts.append(f"{folder} {joined:.1f}; {questions:.1f}, {len(d.nested)} nested")
    said, count = words.fields(tree)
    d = words.density(tree)
    return (
        f"{' | '.join(parts)} | {len(d.positional)} positional, {len(d.wide)} wide, {said} of {count} fields documented"
    )


def coverage() -> str:
    """Share of lines that the tests run, as `make coverage` found it."""
    file = ROOT / "build/coverage.txt"
    return file.read_text().splitlines()[0].split(": ")[1] if file.exists() else "not measured: make coverage"


def mutants() -> str:
    """Killed of all, for each room and seed that `make mutants` left."""
    rows = []
    for file in sorted(ROOT.glob("build/mutants/*-*.json")):
        read = json.loads(file.read_text())
        if "mutants" in read:
            judged = [m["verdict"] for m in read["mutants"].values() if m]
            rows.append(f"{file.stem}: {sum(v != 'survived' for v in judged)} of {len(judged)}")
    return "; ".join(rows) or "not measured: make mutants"


def golden(tree: dict) -> str:
    """The hash of the core as gcc -O2 builds it, and the public names, beside what is stored."""
    flags = re.search(r"^SAME_BITS = (\[.*\])", (ROOT / "setup.py").read_text(), re.M)[1]
    with tempfile.TemporaryDirectory() as folder:
        sources = ["tests/c/golden.c", *(n for n in tree if n.startswith("csrc/core/") and n.endswith(".c"))]
        binary = f"{folder}/golden"
        fixed = ["gcc", "-std=c11", "-O1", "-fno-math-errno", "-Icsrc/include", *re.findall(r"-[\w=-]+", flags)]
        out([*fixed, *sources, "-o", binary, "-lm"])
        same = out([binary]).strip() == (ROOT / "tests/golden/double.txt").read_text().strip()
    names = out([*COMMAND, "import polepair; print(*polepair.__all__)"]).split()
    kept = (ROOT / "tests/golden/names.txt").read_text().split()
    gone = sorted(set(names) ^ set(kept))
    return f"{'unchanged' if same else 'CHANGED'}; {len(names)} names, " + (f"CHANGED {gone}" if gone else "unchanged")


def counted() -> str:
    """Instructions of the plain loops: stored ones, or counted with --long."""
    if "--long" in sys.argv:
        found, how = instructions.counts(instructions.GATE, instructions.PERIODS), "counted"
    else:
        found, how = instructions.stored().get(instructions.compiler(), {}), "stored; --long counts"
    told = ", ".join(f"{n} {found[n]}" for n in instructions.GATE if n in found) or "none stored"
    return f"{told} ({instructions.compiler()}, {how})"


def binary() -> str:
    """Text and size of the extension."""
    text = int(out(["size", str(library())]).splitlines()[1].split()[0])
    return f"{text / 1e6:.2f} MB; {library().stat().st_size / 1e6:.2f} MB"


def times() -> str:
    """Import, and the build where its log has a time."""
    best = min(float(out([*COMMAND, IMPORT], env=None)) for _ in range(7))
    log = ROOT / "build/log/build.txt"
    found = re.search(r"built in (\d+) s", log.read_text()) if log.exists() else None
    return f"{best:.0f} ms; " + (f"{found[1]} s" if found else "not measured: make build")


def main() -> None:
    """Prints the table."""
    tree = house.read_tree()
    circles, up = house.all_circles(tree), house.c_breaches(tree) + house.python_breaches(tree)
    rows = {
        "circles; arrows back up": lambda: f"{len(circles)}; {len(up)}" + "".join(f"\n    {line}" for line in up[:20]),
        "period loops in the source; compiled": lambda: loops(tree),
        "files that state the machine's torque": lambda: torque(tree),
        "joined assignments per 1000 lines; lines with ?: per 1000, nested": lambda: density(tree),
        "modules directly in polepair/; arrows between its rooms": lambda: python_rooms(tree),
        "longest function / file; arguments": lambda: sizes(tree),
        "line coverage of csrc/core + host": coverage,
        "mutants killed": mutants,
        "golden hash; public Python names": lambda: golden(tree),
        "instructions per period of the plain loops": counted,
        "text of _core.abi3.so; installed file": binary,
        "import polepair; make build": times,
    }
    for name, measure in rows.items():
        try:
            print(f"{name}: {measure()}", flush=True)
        except (OSError, subprocess.CalledProcessError, AttributeError, TypeError) as error:
            print(f"{name}: not measured: {error}", flush=True)


if __name__ == "__main__":
    main()
