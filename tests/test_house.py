"""The house rules: who includes and imports whom, what the core may need, how long things get."""

import ast
import re
import subprocess

import pytest

C_LAYERS = {"csrc/include/polepair": 1, "csrc/core": 2, "csrc/host": 3, "csrc/python": 4, "csrc/mqtt": 4}
HEADER_ONLY = {"stdint.h", "stddef.h", "stdbool.h", "immintrin.h"}
CORE_ONLY = HEADER_ONLY | {"string.h"}
FACES = {
    "FreeCAD": "freecad_wb",
    "Part": "freecad_wb",
    "Import": "freecad_wb",
    "FreeCADGui": "freecad_wb",
    "bpy": "blender_addon",
}
PLAIN = {"polepair/section.py", "polepair/pose.py", "polepair/parts.py", "polepair/keyframes.py"}
MODULES = [  # a module may import those of its own row and of the rows before it, never of those after it
    ["errors", "plots", "section", "pose", "maps"],
    ["table", "files", "units", "streams"],
    ["motor", "result", "parts", "keyframes", "plans", "executors", "wire", "store"],
    ["twin", "mqtt", "broker"],
    ["sweeps", "cad", "generate", "estimation", "sources"],
    ["report", "film", "live", "sinks"],
    ["screen"],
    ["cli_common"],
    ["cli_live"],
    ["cli"],
    ["__main__"],
]


def tracked(root, *patterns):
    names = subprocess.run(
        ["git", "ls-files", *patterns], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    return [n for n in names if (root / n).exists()]


def c_files(root):
    return tracked(root, "csrc/**/*.c", "csrc/**/*.h")


def layer_of(name):
    return next(v for k, v in C_LAYERS.items() if name.startswith(k))


def test_includes_go_down(root):
    for name in c_files(root):
        text = (root / name).read_text()
        for include in re.findall(r'#include "([^"]+)"', text):
            if include.startswith("polepair/"):
                continue
            assert (root / name).parent.joinpath(include).exists(), f"{name} includes {include} of another layer"
        allowed = {1: HEADER_ONLY, 2: CORE_ONLY}.get(layer_of(name))
        for include in re.findall(r"#include <([^>]+)>", text):
            assert allowed is None or include in allowed, f"{name} includes <{include}>"
            assert layer_of(name) == 4 or not re.match(r"Python|numpy|structmember", include), name


def test_sweep_header_stays_out_of_the_core(root):
    for name in tracked(root, "csrc/core/*", "csrc/include/polepair/*"):
        assert 'include "polepair/sweep.h"' not in (root / name).read_text(), name


def test_headers_stand_alone(root, tmp_path):
    for name in tracked(root, "csrc/include/polepair/*.h"):
        probe = tmp_path / "probe.c"
        probe.write_text(f'#include "polepair/{name.split("/")[-1]}"\n')
        subprocess.run(
            ["gcc", "-std=c11", "-Wall", "-Werror", "-fsyntax-only", f"-I{root}/csrc/include", str(probe)], check=True
        )


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_core_is_freestanding(root, tmp_path, compiler):
    """Compiled alone, the core needs mem* and its own functions, nothing else."""
    import shutil

    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    flags = [
        "-std=c11",
        "-O2",
        "-fno-pic",
        "-ffreestanding",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-Werror",
        "-Wall",
        "-Wextra",
    ]
    objects = []
    for name in tracked(root, "csrc/core/*/*.c"):
        objects.append(tmp_path / (name.replace("/", "_") + ".o"))
        subprocess.run(
            [compiler, *flags, f"-I{root}/csrc/include", "-c", str(root / name), "-o", str(objects[-1])], check=True
        )
    symbols = subprocess.run(["nm", *map(str, objects)], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in symbols.splitlines() if line.strip() and not line.endswith(":")]
    defined = {r[-1] for r in rows if r[-2] in "TtDdBbRrWw"}
    needed = {r[-1] for r in rows if r[-2] == "U"} - defined
    assert needed <= {"memcpy", "memset", "memmove", "memcmp", "sqrt", "sqrtf"}, needed
    assert not {r[-1] for r in rows if r[-2] in "DdBb"}, "the core keeps no state"
    assert all(r[-1].startswith("pp_") for r in rows if r[-2] == "T"), "every public symbol starts with pp_"


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((a.name, 0) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module is None:
                yield from ((a.name, node.level) for a in node.names)
            else:
                yield (node.module, node.level)


def test_faces_are_imported_only_in_their_homes(root):
    for name in tracked(root, "*.py"):
        for module, _ in imports(root / name):
            home = FACES.get(module.split(".")[0])
            assert home is None or name.startswith((home, "tests/")), f"{name} imports {module}"
        if name.startswith("blender_addon"):
            assert "freecad" not in (root / name).read_text().lower(), name
        if name.startswith("freecad_wb"):
            assert "bpy" not in {m.split(".")[0] for m, _ in imports(root / name)}, name


def test_python_modules_import_downwards(root):
    rank = {m: i for i, row in enumerate(MODULES) for m in row}
    for name in tracked(root, "polepair/*.py"):
        own = name.split("/")[-1].removesuffix(".py")
        if own == "__init__":
            continue
        for module, level in imports(root / name):
            target = module.split(".")[0]
            if level == 1 and target in rank:
                assert rank[target] <= rank[own] and target != own, f"{name} imports {target}, a floor above"


def test_plain_modules_need_numpy_only(root):
    for name in PLAIN:
        for module, level in imports(root / name):
            assert level or module.split(".")[0] in {"numpy", "dataclasses"}, f"{name} imports {module}"


def test_files_and_functions_stay_short(root):
    for name in tracked(root, "*.c", "*.h", "*.py", "*.def", "*.js", "*.sh"):
        assert len((root / name).read_text().splitlines()) <= 500, name
    for name in tracked(root, "polepair/*.py", "freecad_wb/**/*.py", "blender_addon/*.py"):
        for node in ast.walk(ast.parse((root / name).read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno - node.lineno < 80, f"{name}: {node.name}"


def test_public_c_functions_are_documented(root):
    for name in tracked(root, "csrc/include/polepair/*.h"):
        lines = (root / name).read_text().splitlines()
        for i, line in enumerate(lines):
            if re.match(r"^[a-z].*\bpp_\w+\(.*[;,]$", line) and not line.startswith(("typedef", "static")):
                above = next((x for x in reversed(lines[:i]) if x.strip()), "")
                same_block = above.rstrip().endswith(("*/", ";", ","))
                assert same_block, f"{name}:{i + 1}: {line}"


def test_no_fast_math(root):
    flags = (root / "setup.py").read_text()
    assert "ffast-math" not in flags and "-ffp-contract=off" in flags and "march" not in flags
    exact = [line for line in flags.splitlines() if "kernel_avx" in line]
    assert exact and not any("FUSED" in line for line in exact)
