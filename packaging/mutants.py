"""make mutants: changes lines of the product one at a time and asks the tests whether they notice.

python packaging/mutants.py [ROOM] [--seed N] [--count N] [--only GLOB] [--list] [--again] writes
build/mutants/ROOM-SEED.json and lists the survivors. A second start goes on where the first one stopped. Rows of
mutants-known.txt (changes that once went unnoticed) are asked before what is drawn, beyond the count.
"""

import argparse
import ast
import fnmatch
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from queue import Queue

from mutants_build import HERE, ROOT, Build, Sanitized, Tree, run
from mutate import Mutant, applied, of_file

LIVE = [
    "store",
    "database",
    "backlog",
    "chunks",
    "recorder",
    "streams",
    "mqtt",
    "broker",
    "sinks",
    "sources",
    "wire",
    "verify",
    "export",
]
ROOMS = {
    "core": ["csrc/core/*", "csrc/include/polepair/model/*"],
    "sweep": ["csrc/host/sweep/*"],
    "python": ["polepair/design/*", "polepair/run/*", "polepair/draw/*"],
    "live": ["csrc/host/stream/*", "csrc/mqtt/*", *(f"polepair/live/{name}.py" for name in LIVE)],
}
SPREAD = {  # groups of a room's files that are drawn from in turn
    "live": [
        ["*/journal.c", "*/segment.*", "*/drain.*", "*/decoder.c", "*/describe.c", "*/config.c"],
        ["*/stream.c", "*/decode_*.c", "*/number.*", "*/lines.c"],
        ["*/sequence.*"],
        [f"*/{name}.py" for name in ("store", "database", "backlog", "chunks", "recorder", "verify", "export")],
        ["csrc/mqtt/*", "*/mqtt.py"],
        ["*/broker.py", "*/wire.py"],
        ["*/sinks.py", "*/sources.py", "*/streams.py"],
    ]
}
TESTS = {  # folders whose tests a room has to answer to
    "core": ["tests/core", "tests/run"],
    "sweep": ["tests/run"],
    "python": ["tests/core", "tests/run", "tests/draw", "tests/faces", "tests/cli"],
    "live": ["tests/live"],
}
SLOWEST = {"live": "20"}  # seconds: a test beyond is not asked; 2 elsewhere
SEQUENCES = "60"  # of the acknowledgement oracle
C_ASKED = ("csrc/core/*", "csrc/include/polepair/*", "csrc/host/stream/*")  # of what the C programs are made
BROKERS = ("csrc/mqtt/*", "polepair/live/mqtt.py")  # whose tests start brokers, and are asked for nothing else
EQUIVALENT = ROOT / "packaging/mutants-equivalent.txt"  # file, tab, line before, tab, line after, tab, the argument
EQUIVALENT_MAX = 8
KNOWN = ROOT / "packaging/mutants-known.txt"  # file, tab, line before, tab, line after
ONLY_TESTS: list[str] = []  # from the command line, instead of the room's


def tests_of(room: str) -> list[str]:
    """Folders of a room's tests that are there."""
    return ONLY_TESTS or [t for t in TESTS[room] if list((ROOT / t).glob("test_*.py"))]


def pytest(tree: Tree, room: str, limit, **env):
    """Runs the room's tests on a tree; the plugin checks the hash of the library."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    command += ["-p", "mutants_plugin", "-m", "not slow", "--tb=line", *tests_of(room)]
    command += [
        "--ignore-glob=*test_golden.py",
        "--ignore-glob=*test_unit.py",
    ]  # c_checks has asked those
    paths = os.pathsep.join([str(tree.path), str(ROOT / "packaging")])
    env |= {"MUTANT_HASH": tree.hash(), "MUTANT_TREE": str(tree.path), "PYTHONPATH": paths}
    env |= {"MUTANT_SLOWEST": slowest(room), "ORACLE_SEQUENCES": SEQUENCES} | env
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "POLEPAIR_SHARED": str(ROOT.parent / "shared")}
    return run(command + env.pop("MORE", "").split(), tree.path, limit, **env)


def slowest(room: str) -> str:
    """Seconds of the slowest test that a room asks."""
    return os.environ.get("MUTANT_SLOWEST", SLOWEST.get(room, "2"))


def measure(tree: Tree, room: str) -> tuple[Path, float]:
    """Times of the room's tests on the unchanged tree; what fails there judges no mutant."""
    times = HERE / f"times-{room}.json"
    env = {"MUTANT_CLOCK": str(times), "MUTANT_SLOWEST": "1e9"}
    files = [p for item in ("csrc", "polepair", "tests") for p in (ROOT / item).rglob("*.[cdhp]*") if p.is_file()]
    if not times.exists() or times.stat().st_mtime < max(p.stat().st_mtime for p in files):
        code, text = pytest(tree, room, 900, **env)
        if not times.exists() or code == 97:
            sys.exit(f"mutants: the tests do not run on the unchanged tree: {text[-2000:]}")
    took = json.loads(times.read_text())
    failed = [n for n, t in took.items() if t < 0]
    most = float(slowest(room))
    total = sum(t for t in took.values() if 0 <= t <= most)
    print(f"{room}: {len(took)} tests, {sum(t > most for t in took.values())} too slow, {total:.0f} s", flush=True)
    for name in failed:
        print(f"  fails unchanged, not asked: {name}")
    return times, total


def c_checks(tree: Tree) -> dict[str, bool]:
    """The quick C checks: unit tests, and the hash of the bits; True where the tree passes."""
    passed = {}
    if tree.build.units:
        passed["unit"] = run([str(tree.path / "unit")], tree.path, 20)[0] == 0
    with tempfile.TemporaryDirectory() as folder:
        passed["stream"] = run([str(tree.path / "stream"), folder], tree.path, 20)[0] == 0
    code, text = run([str(tree.path / "golden")], tree.path, 20)
    want = (ROOT / "tests/golden/double.txt").read_text().strip()
    passed["golden"] = code == 0 and text.strip().endswith(want)
    return passed


def judge(tree: Tree, room: str, m: Mutant, times: Path, limit: float) -> dict | None:
    """The verdict on a mutant: who noticed it. None where there is nothing to notice."""
    start = time.monotonic()
    target = tree.path / m.file
    target.write_text(applied(target.read_text(), m))
    try:
        if m.file.endswith(".py"):
            before, after = (tree.base.path / m.file).read_text(), target.read_text()
            if not other_python(before, after):
                return None
        elif not tree.build_mutant(m):
            return None
        built = time.monotonic() - start
        verdict = ask(tree, room, m, times, limit)
    finally:
        tree.restore(m.file)
    return {**asdict(m), "verdict": verdict, "built_s": round(built, 1), "s": round(time.monotonic() - start, 1)}


def other_python(before: str, after: str) -> bool:
    """True where the changed text compiles to another program."""
    try:
        return ast.dump(ast.parse(before)) != ast.dump(ast.parse(after)) and bool(compile(after, "mutant", "exec"))
    except SyntaxError:
        return False


def ask(tree: Tree, room: str, m: Mutant, times: Path, limit: float) -> str:
    """unit, stream, tests: NAME, hang, golden (nothing but the hash) or survived."""
    checks = c_checks(tree) if matches(m.file, C_ASKED) else {}
    for name in ("unit", "stream"):
        if not checks.get(name, True):
            return name
    if room == "sweep" and m.file.endswith((".c", ".h")) and not tree.sanitized.passes(tree.path, tree.users(m.file)):
        return "sanitized"
    brokers = "" if room != "live" or matches(m.file, BROKERS) else " --ignore-glob=*test_mqtt*.py"
    code, text = pytest(tree, room, limit, MORE="-x" + brokers, MUTANT_TIMES=str(times))
    if code == 97:
        sys.exit(f"mutants: {text}")
    if code == "hang":
        return "hang"
    if code != 0:
        named = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return f"tests: {named[0].split(' - ')[0] if named else f'exit {code}'}"
    return "survived" if checks.get("golden", True) else "golden"


def matches(file: str, patterns) -> bool:
    """True where one of the patterns fits."""
    return any(fnmatch.fnmatch(file, p) for p in patterns)


def room_of(file: str) -> str | None:
    """The room of a file, by its folder."""
    for room, patterns in ROOMS.items():
        if matches(file, patterns):
            return room
    return "python" if file.endswith(".py") else "core"


def draw(rooms: list[str], only: list[str], seed: int) -> list[Mutant]:
    """Every line that can change, in an order that the seed fixes, each with one change."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    patterns = only or [p for r in rooms for p in ROOMS[r]]
    files = [f for f in listed if matches(f, patterns) and f.endswith((".c", ".h", ".py"))]
    dice, lines = random.Random(seed), {}
    for file in sorted(files):
        for m in of_file(file, (ROOT / file).read_text()):
            lines.setdefault((m.file, m.line), {}).setdefault(m.kind, []).append(m)
    order = sorted(lines)
    dice.shuffle(order)
    drawn = [dice.choice(lines[at][dice.choice(sorted(lines[at]))]) for at in order]
    return in_turn(drawn, SPREAD[rooms[0]]) if len(rooms) == 1 and rooms[0] in SPREAD else drawn


def in_turn(drawn: list[Mutant], groups: list[list[str]]) -> list[Mutant]:
    """One of each group after the other, in the order of the draw within a group."""
    rows = [[m for m in drawn if matches(m.file, g)] for g in groups]
    turns = zip_longest(*rows)
    return [m for turn in turns for m in turn if m]


def once_unnoticed(room: str) -> list[Mutant]:
    """The mutants of mutants-known.txt in a room."""
    found = []
    for row in KNOWN.read_text().splitlines():
        file, _, rest = row.partition("\t")
        if row.startswith("#") or not matches(file, ROOMS[room]):
            continue
        before, _, after = rest.partition("\t")
        lines = (ROOT / file).read_text().split("\n")
        at = [i for i, line in enumerate(lines) if line.strip() == before]
        if len(at) != 1:
            print(f"{KNOWN.name}: {file}: {before}: expected one such line, there are {len(at)}: not asked")
            continue
        indent = lines[at[0]][: -len(lines[at[0]].lstrip())]
        found.append(Mutant(file, at[0] + 1, "known", lines[at[0]], indent + after))
    return found


def argued() -> set[tuple[str, str, str]]:
    """Mutants that change nothing anyone can see, each with its argument."""
    if not EQUIVALENT.exists():
        return set()
    rows = [r.split("\t") for r in EQUIVALENT.read_text().splitlines() if r and not r.startswith("#")]
    if len(rows) > EQUIVALENT_MAX or any(len(r) != 4 or len(r[3]) < 20 for r in rows):
        sys.exit(f"{EQUIVALENT}: expected at most {EQUIVALENT_MAX} rows of file, before, after, argument")
    return {(f, a.strip(), b.strip()) for f, a, b, _ in rows}


def judge_all(todo: list[Mutant], known: dict, count: int, jobs: int, keep) -> None:
    """Judges the first `count` mutants of the list that build, `jobs` side by side."""
    build = Build()
    base = Tree(build, "base")
    rooms = sorted({room_of(m.file) for m in todo[: 3 * count]})
    if "sweep" in rooms:
        base.sanitized = Sanitized(build, base.path)
        if not base.sanitized.passes(base.path, []):
            sys.exit("mutants: tests/c/sweep.c does not pass on the unchanged tree")
    clocks = {room: measure(base, room) for room in rooms}
    trees = Queue()
    for k in range(jobs):
        trees.put(Tree(build, f"tree{k}", base))

    def one(m: Mutant):
        tree, (times, total) = trees.get(), clocks[room_of(m.file)]
        try:
            return m, judge(tree, room_of(m.file), m, times, 30 + 3 * total)
        finally:
            trees.put(tree)

    valid, waiting, rest = 0, set(), iter(todo)
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            while valid + len(waiting) < count and len(waiting) < jobs and (m := next(rest, None)):
                if m.key in known:
                    valid += known[m.key] is not None
                else:
                    waiting.add(pool.submit(one, m))
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                m, verdict = future.result()
                valid += verdict is not None
                known[m.key] = verdict
                keep(known)
                if verdict:
                    print(f"{valid:3d} {verdict['s']:5.1f} s  {m.key}: {verdict['verdict']}", flush=True)


def report(todo: list[Mutant], known: dict, count: int) -> int:
    """Prints the count by verdict and the survivors; 1 where one survived."""
    equal = argued()
    judged = [known[m.key] for m in todo if known.get(m.key)][:count]
    excused = [v for v in judged if (v["file"], v["before"].strip(), v["after"].strip()) in equal]
    left = [v for v in judged if v["verdict"] == "survived" and v not in excused]
    by = {}
    for v in judged:
        by.setdefault(v["verdict"].split(":")[0], []).append(v)
    print(f"\n{len(judged)} mutants: " + ", ".join(f"{len(v)} {k}" for k, v in sorted(by.items())))
    print(f"killed {len(judged) - len(left)} of {len(judged)}, {len(excused)} of them argued to be equivalent")
    print(f"slowest build {max((v['built_s'] for v in judged), default=0)} s")
    for v in left:
        print(f"\nsurvived: {v['file']}:{v['line']} ({v['kind']})")
        for mark, text in (("-", v["before"]), ("+", v["after"])):
            print("\n".join(f"{mark} {line}" for line in text.splitlines() or [""]))
    return len(left)


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("room", nargs="?", default="all", choices=["all", *ROOMS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--only", nargs="+", default=[], help="files to draw from, globs")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="print the draw, judge nothing")
    parser.add_argument("--again", action="store_true", help="judge survivors once more (after new tests)")
    parser.add_argument("--tests", nargs="*", default=[], help="files or folders of tests instead of the room's")
    o = parser.parse_args()
    ONLY_TESTS.extend(o.tests)
    todo = draw(list(ROOMS) if o.room == "all" else [o.room], o.only, o.seed)
    if o.room != "all" and not o.only:
        first = once_unnoticed(o.room)
        todo, o.count = first + todo, o.count + len(first)
    if o.list:
        for m in todo[: o.count]:
            print(f"{m.kind:13} {m.key}")
        return 0
    HERE.mkdir(parents=True, exist_ok=True)
    name = "-".join([o.room, *("".join(c if c.isalnum() else "_" for c in g) for g in o.only)])[:100]
    path = HERE / f"{name}-{o.seed}.json"
    known = json.loads(path.read_text())["mutants"] if path.exists() else {}
    if o.again:
        known = {k: v for k, v in known.items() if v is None or v["verdict"] not in ("survived", "golden")}

    def keep(known):
        path.write_text(json.dumps({"seed": o.seed, "count": o.count, "room": o.room, "mutants": known}, indent=1))

    judge_all(todo, known, o.count, o.jobs, keep)
    return 1 if report(todo, known, o.count) else 0


if __name__ == "__main__":
    sys.exit(main())
