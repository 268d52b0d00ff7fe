"""Scratch trees of the product for mutants.py: built object by object, relinked for a mutant."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from mutate import Mutant

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "build/mutants"
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
INCLUDES = ["-Icsrc/include"]


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
        core, *others = made[0]["ext_modules"]
        self.mqtt = others[0] if others else None  # None: where paho is not
        self.lanes, self.sources = space["LANES"], core.sources
        import sysconfig

        python = [f"-I{p}" for p in (*core.include_dirs, sysconfig.get_path("include")) if p.startswith("/")]
        macros = [f"-D{k}" if v is None else f"-D{k}={v}" for k, v in core.define_macros]
        flags = [f for f in core.extra_compile_args if f not in ("-O3", "-Wall", "-Wextra", "-Wshadow")]
        self.flags = [*flags, "-fPIC", "-DPP_ASSERTS", *INCLUDES]  # a failed assertion is a killed mutant
        self.python = [*python, *macros]
        self.broker = [*self.python, *(f for f in self.mqtt_of("extra_compile_args") if f.startswith("-ftls"))]
        self.units = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests/c").glob("unit*.c"))
        parts = ("stream_numbers", "stream_describe", "stream_decode", "stream_json", "stream_disk", "stream_sync")
        self.streams = [f"tests/c/{p}.c" for p in parts]
        self.quick = [*self.units, "tests/c/golden.c", *self.streams]

    def mqtt_of(self, name: str) -> list[str]:
        """A list of the MQTT extension's; empty without one."""
        return list(getattr(self.mqtt, name)) if self.mqtt else []

    def compile(self, tree: Path, source: str, out: Path):
        """One object; a lane kernel is large and gets no optimiser."""
        name = Path(source).name
        fast = ["-O0"] if name in self.lanes or name.startswith("kernel") else ["-O1"]
        if source.startswith("csrc/python"):
            fast = ["-O2", *self.python]
        if source.startswith("csrc/mqtt"):
            fast = ["-O1", *self.broker]
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
        """The extensions and the quick C checks of a tree from these objects."""
        core = [str(objects[s]) for s in self.sources if s.startswith("csrc/core/")]
        for library in (tree / "polepair").glob("*.abi3.so"):
            library.unlink()
        library = str(tree / "polepair/_core.abi3.so")
        jobs = [["-shared", *(str(objects[s]) for s in self.sources), "-o", library, "-lpthread"]]
        if self.mqtt:
            parts = [str(objects[s]) for s in self.mqtt.sources]
            jobs.append(["-shared", *parts, "-o", str(tree / "polepair/_mqtt.abi3.so"), *self.mqtt.extra_link_args])
        if self.units:
            jobs.append([*(str(objects[s]) for s in self.units), *core, "-o", str(tree / "unit"), "-lm"])
        jobs.append([str(objects["tests/c/golden.c"]), *core, "-o", str(tree / "golden"), "-lm"])
        below = ("csrc/host/stream/", "csrc/host/clock.c", "csrc/core/wire/")
        parts = [*self.streams, *(s for s in self.sources if s.startswith(below))]
        jobs.append([*(str(objects[s]) for s in parts), "-o", str(tree / "stream"), "-lm", "-lpthread"])
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
        ignore = shutil.ignore_patterns("__pycache__", "*.abi3.so")
        for item in COPIED:
            if (ROOT / item).is_dir():
                shutil.copytree(ROOT / item, self.path / item, ignore=ignore)
            elif (ROOT / item).exists():
                shutil.copy(ROOT / item, self.path / item)
        (self.path / "README.md").write_text("")
        self.objects = dict(base.objects) if base else {}
        if base is None:
            for source in dict.fromkeys([*build.sources, *build.quick, *build.mqtt_of("sources")]):
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
        """SHA-256 of each library, by name."""
        made = sorted((self.path / "polepair").glob("*.abi3.so"))
        return " ".join(f"{p.name}={hashlib.sha256(p.read_bytes()).hexdigest()}" for p in made)

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
        """The unchanged file and libraries again."""
        shutil.copy(self.base.path / file, self.path / file)
        for library in (self.base.path / "polepair").glob("*.abi3.so"):
            shutil.copy(library, self.path / "polepair" / library.name)
