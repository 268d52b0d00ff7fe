"""The house rules: who includes, calls and imports whom, what the core may need, how long things get."""

import re
import shutil
import subprocess

import pytest
from support import house

FUNCTION, FILE, ARGUMENTS = 60, 450, 8


@pytest.fixture(scope="module")
def tree():
    return house.read_tree()


@pytest.fixture(scope="module")
def known(tree):
    return set(house.breaches(tree))


def tracked(root, *patterns):
    names = subprocess.run(
        ["git", "ls-files", *patterns], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    return [n for n in names if (root / n).exists()]


def test_c_rooms_know_only_what_lies_below(tree):
    assert not house.c_breaches(tree)


def test_python_rooms_know_only_what_lies_below(tree):
    assert not house.python_breaches(tree)


def test_there_are_no_circles(tree):
    assert not house.all_circles(tree)


C, PY = "csrc/core/", "polepair/"
A_CALLS_B = "void pp_planted_b(void);\nvoid pp_planted_a(void)\n{\n    pp_planted_b();\n}\n"
PLANTS = {  # what: (file: its new last lines), what the report has to name
    "C up": ({C + "base/math.c": '#include "polepair/twin.h"\n'}, ("base/math.c", "twin.h")),
    "C up, from the interface": (
        {"csrc/include/polepair/params.h": '#include "polepair/machine.h"\n'},
        ("params.h", "machine.h"),
    ),
    "C up, from the equations": (
        {"csrc/include/polepair/model/real.h": '#include "polepair/twin.h"\n'},
        ("real.h", "twin.h"),
    ),
    "C up, a private header": ({C + "drive/twin.c": '#include "../../host/clock.h"\n'}, ("twin.c", "clock.h")),
    "C up, a call without an include": (
        {C + "base/math.c": A_CALLS_B, C + "design/losses.c": "void pp_planted_b(void)\n{\n}\n"},
        ("base/math.c", "losses.c"),
    ),
    "C sideways": ({C + "design/winding.c": '#include "polepair/frame.h"\n'}, ("winding.c", "frame.h")),
    "C sideways, drive and observe": ({C + "observe/ekf.c": '#include "polepair/twin.h"\n'}, ("twin.h",)),
    "C sideways, on the host": ({"csrc/host/sweep/sweep.c": '#include "../stream/number.h"\n'}, ("number.h",)),
    "C, a folder without a room": ({"csrc/core/attic/old.c": "int pp_old;\n"}, ("attic", "no room")),
    "C, a header that is not there": ({C + "wire/cobs.c": '#include "gone.h"\n'}, ("gone.h", "not there")),
    "C, libc in the core": ({C + "design/machine.c": "#include <stdlib.h>\n"}, ("machine.c", "stdlib.h")),
    "C, libc in the interface": ({"csrc/include/polepair/twin.h": "#include <stdio.h>\n"}, ("twin.h", "stdio.h")),
    "C, Python below the bindings": ({"csrc/host/clock.c": "#include <Python.h>\n"}, ("clock.c", "Python.h")),
    "C, a circle": (
        {
            C + "design/winding.c": A_CALLS_B,
            C + "design/losses.c": "void pp_planted_a(void);\nvoid pp_planted_b(void)\n{\n    pp_planted_a();\n}\n",
        },
        ("circle", "winding.c", "losses.c"),
    ),
    "Python up": ({PY + "run/result.py": "from ..faces import report\n"}, ("run/result.py", "faces/report.py")),
    "Python up, inside a function": (
        {PY + "table.py": "def f():\n    from .design import motor\n"},
        ("table.py", "design/motor.py"),
    ),
    "Python up, by the whole name": ({PY + "units.py": "import polepair.run.twin\n"}, ("units.py", "run/twin.py")),
    "Python up, the facade": ({PY + "errors.py": "import polepair\n"}, ("errors.py", "facade")),
    "Python sideways": ({PY + "draw/pose.py": "from ..design import maps\n"}, ("pose.py", "maps.py")),
    "Python sideways, live and faces": ({PY + "live/store.py": "from ..faces.cad import compare\n"}, ("store.py",)),
    "Python, a folder without a room": ({PY + "attic/old.py": "import json\n"}, ("attic", "no room")),
    "Python, FreeCAD outside its face": ({PY + "faces/cad.py": "import FreeCAD\n"}, ("cad.py", "FreeCAD")),
    "Python, bpy in the other face": ({"freecad_wb/Init.py": "import bpy\n"}, ("Init.py", "bpy")),
    "Python, one face and the other": (
        {"blender_addon/bake.py": "from freecad.polepair_wb import solids\n"},
        ("bake.py", "solids.py"),
    ),
    "Python, a face from inside": ({PY + "faces/film.py": "import polepair_blender.bake\n"}, ("film.py", "bake.py")),
    "Python, Matplotlib at the head": ({PY + "draw/plots.py": "import matplotlib\n"}, ("plots.py", "matplotlib")),
    "Python, SciPy in draw": ({PY + "draw/pose.py": "def f():\n    import scipy\n"}, ("pose.py", "scipy")),
    "Python, a circle": (
        {PY + "run/plans.py": "from . import twin\n", PY + "run/memory.py": "from . import plans\n"},
        ("circle", "plans.py", "memory.py"),
    ),
}


@pytest.mark.parametrize("what", PLANTS)
def test_a_planted_breach_is_found(tree, known, what):
    added, names = PLANTS[what]
    planted = tree | {file: tree.get(file, "") + "\n" + lines for file, lines in added.items()}
    new = set(house.breaches(planted)) - known
    assert any(all(name in line for name in names) for line in new), new


def test_a_new_room_needs_its_name_in_the_sentence_only(tree, known):
    sentences = tree[house.SENTENCES].replace("core/design, ", "core/design, core/health, ")
    sentences = sentences.replace("{live, faces}", "{live, faces, optimise}")
    grown = tree | {
        house.SENTENCES: sentences,
        "csrc/core/health/health.c": '#include "polepair/math.h"\n',
        "polepair/optimise/search.py": "from ..run.twin import Twin\n",
    }
    assert set(house.breaches(grown)) <= known
    grown["csrc/core/health/health.c"] += '#include "polepair/winding.h"\n'
    grown["polepair/optimise/search.py"] += "from ..live import store\n"
    new = set(house.breaches(grown)) - known
    assert any("winding.h" in line for line in new) and any("store.py" in line for line in new)


def test_headers_stand_alone(root, tmp_path):
    for name in tracked(root, "csrc/include/polepair/*.h"):
        if "#ifndef POLEPAIR_" not in (root / name).read_text():
            assert "No guard" in (root / name).read_text(), f"{name}: no guard, and does not say why"
            continue  # a template: its includers compile it
        probe = tmp_path / "probe.c"
        probe.write_text(f'#include "{name.removeprefix("csrc/include/")}"\n')
        subprocess.run(
            ["gcc", "-std=c11", "-Wall", "-Werror", "-fsyntax-only", f"-I{root}/csrc/include", str(probe)], check=True
        )


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_core_is_freestanding(root, tmp_path, compiler):
    """Compiled alone, the core needs mem* and its own functions, nothing else."""
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
    sources = tracked(root, "csrc/core/*.c")
    assert len(sources) >= 20
    objects = []
    for name in sources:
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


def test_files_and_functions_stay_short(root, tree):
    for name in tracked(root, "*.c", "*.h", "*.py", "*.def", "*.js", "*.sh"):
        assert len((root / name).read_text().splitlines()) <= FILE, name
    functions = house.c_functions(tree) + house.python_functions(tree)
    assert len(functions) > 800
    assert not [f for f in functions if f.lines > FUNCTION or f.arguments > ARGUMENTS]


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


def test_public_names_stay(root):
    """A name more is a line more in tests/golden/names.txt; a name less is a promise broken."""
    import polepair

    assert sorted(polepair.__all__) == (root / "tests/golden/names.txt").read_text().split()
    assert all(getattr(polepair, name) is not None for name in polepair.__all__)
