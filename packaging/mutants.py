"""make mutants: changes lines of the product one at a time and asks the tests whether they notice.

python packaging/mutants.py [ROOM] [--seed N] [--count N] [--only GLOB] [--list] [--again] writes
build/mutants/ROOM-SEED.json and lists the survivors. A second start goes on where the first one stopped.
"""

import argparse
import ast
import contextlib
import fnmatch
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from queue import Queue

from mutate import Mutant, applied, of_file

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "build/mutants"
ROOMS = {
    "core": ["csrc/core/*", "csrc/include/polepair/model/*"],
    "sweep": ["csrc/host/sweep/*"],
    "python": ["polepair/design/*", "polepair/run/*", "polepair/draw/*"],
}
TESTS = {  # folders whose tests a room has to answer to
    "core": ["tests/core", "tests/run"],
    "sweep": ["tests/run"],
    "python": ["tests/core", "tests/run", "tests/draw", "tests/faces", "tests/cli"],
}
COPIED = [
    "csrc",
    "polepair",
    "tests",
    "docs",
    "examples",
    "freecad_wb",
    "blender_addon",
    "setup.py",
    "pyproject.toml",
    "LICENSE",
]
EQUIVALENT = ROOT / "packaging/mutants-equivalent.txt"  # file, tab, line before, tab, line after, tab, the argument
EQUIVALENT_MAX = 4
INCLUDES = ["-Icsrc/include"]
ONLY_TESTS: list[str] = []  # from the command line, instead of the room's


def run(command, cwd, limit=None, **env):
    """Exit status and output of a command; a command that runs out of time is killed with its children."""
    env = {**os.environ, **env}
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as child:
        try:
            text = child.communicate(timeout=limit)[0]
            return child.returncode, text
        except subprocess.TimeoutExpired:
            return "hang", ""
        finally:  # what a test has started and left behind goes too
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


class Build:
    """How setup.py builds the extension, object by object and cheaply: the bits do not hang on the optimiser."""

    def __init__(self):
        import setuptools

        made, setuptools.setup = [], lambda **k: made.append(k)
        before = os.getcwd()
        os.chdir(ROOT)
        space = {"__name__": "setup"}
        exec(compile((ROOT / "setup.py").read_text(), "setup.py", "exec"), space)
        os.chdir(before)
        core = made[0]["ext_modules"][0]
        self.lanes, self.sources = space["LANES"], core.sources
        import sysconfig

        python = [f"-I{p}" for p in (*core.include_dirs, sysconfig.get_path("include")) if p.startswith("/")]
        macros = [f"-D{k}" if v is None else f"-D{k}={v}" for k, v in core.define_macros]
        flags = [f for f in core.extra_compile_args if f not in ("-O3", "-Wall", "-Wextra", "-Wshadow")]
        self.flags = [*flags, "-fPIC", "-DPP_ASSERTS", *INCLUDES]  # a failed assertion is a killed mutant
        self.python = [*python, *macros]
        self.units = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests/c").glob("unit*.c"))
        self.quick = [*self.units, "tests/c/golden.c"]

    def compile(self, tree: Path, source: str, out: Path):
        """One object; a lane kernel is large and gets no optimiser."""
        name = Path(source).name
        fast = ["-O0"] if name in self.lanes or name.startswith("kernel") else ["-O1"]
        if source.startswith("csrc/python"):
            fast = ["-O2", *self.python]
        command = ["gcc", *self.flags, *fast, *self.lanes.get(name, []), "-MMD", "-c", source, "-o", str(out)]
        code, text = run(command, tree, 60)
        return code == 0, text

    def alias(self, source: str) -> str | None:
        """The kernel that stands for another one in a mutant, so that three are compiled, not seven: -O0 fuses nothing
        and lanes of any width give the same bits."""
        best = next((b for b in ("avx512", "avx2") if b in BEST), None)
        name = Path(source).stem
        if not best or not name.startswith("kernel_") or name.endswith("plain"):
            return None
        kept = f"kernel_single_{best}" if "single" in name else f"kernel_{best}"
        path = str(Path(source).with_name(kept + ".c"))
        return path if name != kept and path in self.sources else None

    def rename(self, tree: Path, source: str, made: Path, out: Path) -> bool:
        """The object of another kernel, made from its stand-in's."""
        old, new = made.stem.split("kernel_")[-1], Path(source).stem.removeprefix("kernel_")
        names = [f"--redefine-sym={w}_{old}={w}_{new}" for w in ("pp_kernel", "pp_width")]
        return run(["objcopy", *names, str(made), str(out)], tree, 20)[0] == 0

    def link(self, tree: Path, objects: dict[str, Path]) -> bool:
        """The extension and the quick C checks of a tree from these objects."""
        core = [str(objects[s]) for s in self.sources if s.startswith("csrc/core/")]
        library = tree / "polepair/_core.abi3.so"
        library.unlink(missing_ok=True)
        jobs = [["-shared", *(str(objects[s]) for s in self.sources), "-o", str(library), "-lpthread"]]
        if self.units:
            jobs.append([*(str(objects[s]) for s in self.units), *core, "-o", str(tree / "unit"), "-lm"])
        jobs.append([str(objects["tests/c/golden.c"]), *core, "-o", str(tree / "golden"), "-lm"])
        return all(run(["gcc", *job], tree, 60)[0] == 0 for job in jobs)


SANITIZERS = {
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "thread": ["-fsanitize=thread"],
}


class Sanitized:
    """tests/c/sweep.c over the sweep's own objects, once for memory and once for threads."""

    def __init__(self, build: Build, tree: Path):
        self.build = build
        core = [
            s for s in build.sources if s.startswith(("csrc/core/", "csrc/host/sweep/")) or s == "csrc/host/clock.c"
        ]
        self.sources, self.objects = ["tests/c/sweep.c", *core], {}
        for kind in SANITIZERS:
            (tree / kind).mkdir()
            self.objects[kind] = {s: self.compile(tree, s, kind) for s in self.sources}

    def compile(self, tree: Path, source: str, kind: str) -> Path:
        """One object with counters of a sanitizer."""
        (tree / kind).mkdir(exist_ok=True)
        out, lanes = tree / kind / object_name(source), self.build.lanes.get(Path(source).name, [])
        flags = [*self.build.flags, "-O0", "-g", *SANITIZERS[kind], *lanes]
        run(["gcc", *flags, "-c", source, "-o", str(out)], tree, 60)
        return out

    def passes(self, tree: Path, users: list[str]) -> bool:
        """Whether it holds with these sources compiled anew; of the kernels the plain one alone is asked."""
        for kind in SANITIZERS:
            new = [s for s in users if s in self.sources and not (s.count("kernel_") and "plain" not in s)]
            objects = self.objects[kind] | {s: self.compile(tree, s, kind) for s in new}
            linked = [
                "gcc",
                *SANITIZERS[kind],
                *map(str, objects.values()),
                "-lm",
                "-lpthread",
                "-o",
                str(tree / kind / "run"),
            ]
            if (
                run(linked, tree, 60)[0] != 0
                or run(["setarch", "-R", str(tree / kind / "run"), "plain"], tree, 30)[0] != 0
            ):
                return False
        return True


def instruction_sets() -> set[str]:
    """Of the lane kernels, those that this machine runs."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return set()
    return ({"avx512"} if "avx512f" in words else set()) | ({"avx2"} if {"avx2", "fma"} <= words else set())


BEST = instruction_sets()


def object_name(source: str) -> str:
    """Name of the object of a source."""
    return source.replace("/", "_").removesuffix(".c") + ".o"


class Tree:
    """A scratch copy of the product with objects and library of its own."""

    def __init__(self, build: Build, name: str, base: "Tree | None" = None):
        self.build, self.path, self.base = build, HERE / name, base
        shutil.rmtree(self.path, ignore_errors=True)
        (self.path / "objects").mkdir(parents=True)
        ignore = shutil.ignore_patterns("__pycache__", "_core.abi3.so")
        for item in COPIED:
            if (ROOT / item).is_dir():
                shutil.copytree(ROOT / item, self.path / item, ignore=ignore)
            elif (ROOT / item).exists():
                shutil.copy(ROOT / item, self.path / item)
        (self.path / "README.md").write_text("")
        self.objects = dict(base.objects) if base else {}
        if base is None:
            for source in [*build.sources, *build.quick]:
                out = self.path / "objects" / object_name(source)
                good, text = build.compile(self.path, source, out)
                if not good:
                    sys.exit(f"mutants: {source}: {text}")
                self.objects[source] = out
        if not build.link(self.path, self.objects):
            sys.exit("mutants: the unchanged tree does not link")
        self.sanitized = base.sanitized if base else None

    def users(self, file: str) -> list[str]:
        """Sources that a changed file enters, by the compiler's own lists. The Python layer sees only prototypes."""
        if file.endswith(".c"):
            return [file]
        found = []
        for source, out in self.base.objects.items():
            names = out.with_suffix(".d").read_text().split()
            if any(os.path.normpath(n) == file for n in names) and not source.startswith("csrc/python"):
                found.append(source)
        return found

    def hash(self) -> str:
        """SHA-256 of the library."""
        return hashlib.sha256((self.path / "polepair/_core.abi3.so").read_bytes()).hexdigest()

    def build_mutant(self, m: Mutant) -> bool:
        """Compiles and links; False where it does not compile or no object differs."""
        objects, differs = dict(self.base.objects), False
        users = self.users(m.file)
        for source in sorted(users, key=lambda s: self.build.alias(s) in users):
            out, alias = self.path / "objects" / object_name(source), self.build.alias(source)
            if alias in users:
                good = self.build.rename(self.path, source, objects[alias], out)
            else:
                good = self.build.compile(self.path, source, out)[0]
            if not good:
                return False
            objects[source] = out
            if alias not in users:
                differs = differs or out.read_bytes() != self.base.objects[source].read_bytes()
        return differs and self.build.link(self.path, objects)

    def restore(self, file: str):
        """The unchanged file and library again."""
        shutil.copy(self.base.path / file, self.path / file)
        shutil.copy(self.base.path / "polepair/_core.abi3.so", self.path / "polepair/_core.abi3.so")


def tests_of(room: str) -> list[str]:
    """Folders of a room's tests that are there."""
    return ONLY_TESTS or [t for t in TESTS[room] if list((ROOT / t).glob("test_*.py"))]


def pytest(tree: Tree, room: str, limit, **env):
    """Runs the room's tests on a tree; the plugin checks the hash of the library."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    command += ["-p", "mutants_plugin", "-m", "not slow", "--tb=line", *tests_of(room)]
    paths = os.pathsep.join([str(tree.path), str(ROOT / "packaging")])
    env |= {"MUTANT_HASH": tree.hash(), "MUTANT_TREE": str(tree.path), "PYTHONPATH": paths}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "POLEPAIR_SHARED": str(ROOT.parent / "shared")}
    return run(command + env.pop("MORE", "").split(), tree.path, limit, **env)


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
    slowest = float(os.environ.get("MUTANT_SLOWEST", "2"))
    total = sum(t for t in took.values() if 0 <= t <= slowest)
    print(f"{room}: {len(took)} tests, {sum(t > slowest for t in took.values())} too slow, {total:.0f} s", flush=True)
    for name in failed:
        print(f"  fails unchanged, not asked: {name}")
    return times, total


def c_checks(tree: Tree) -> dict[str, bool]:
    """The quick C checks: unit tests, and the hash of the bits; True where the tree passes."""
    passed = {}
    if tree.build.units:
        passed["unit"] = run([str(tree.path / "unit")], tree.path, 20)[0] == 0
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
    """unit, tests: NAME, hang, golden (nothing but the hash) or survived."""
    checks = c_checks(tree) if "csrc/" in m.file and "/host/" not in m.file else {}
    if not checks.get("unit", True):
        return "unit"
    if room == "sweep" and m.file.endswith((".c", ".h")) and not tree.sanitized.passes(tree.path, tree.users(m.file)):
        return "sanitized"
    code, text = pytest(tree, room, limit, MORE="-x", MUTANT_TIMES=str(times))
    if code == 97:
        sys.exit(f"mutants: {text}")
    if code == "hang":
        return "hang"
    if code != 0:
        named = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return f"tests: {named[0].split(' - ')[0] if named else f'exit {code}'}"
    return "survived" if checks.get("golden", True) else "golden"


def room_of(file: str) -> str | None:
    """The room of a file, by its folder."""
    for room, patterns in ROOMS.items():
        if any(fnmatch.fnmatch(file, p) for p in patterns):
            return room
    return "python" if file.endswith(".py") else "core"


def draw(rooms: list[str], only: list[str], seed: int) -> list[Mutant]:
    """Every line that can change, in an order that the seed fixes, each with one change."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    patterns = only or [p for r in rooms for p in ROOMS[r]]
    files = [f for f in listed if any(fnmatch.fnmatch(f, p) for p in patterns) and f.endswith((".c", ".h", ".py"))]
    dice, lines = random.Random(seed), {}
    for file in sorted(files):
        for m in of_file(file, (ROOT / file).read_text()):
            lines.setdefault((m.file, m.line), {}).setdefault(m.kind, []).append(m)
    order = sorted(lines)
    dice.shuffle(order)
    return [dice.choice(lines[at][dice.choice(sorted(lines[at]))]) for at in order]


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
