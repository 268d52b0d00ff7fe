"""The scanner of the house: rooms from the folders, arrows from includes, calls and imports, sizes of functions.

One scanner for tests/test_house.py and `make house`. A tree is a dict from path to text, so a test plants a breach in a
copy of it. The order of the rooms is read from the two sentences of docs/architecture.md.
"""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = "docs/architecture.md"
PUBLIC, MODEL = "csrc/include/polepair", "csrc/include/polepair/model"
LIBC = {"include": {"stdint.h", "stddef.h", "stdbool.h", "immintrin.h"}}
LIBC["core"] = LIBC["include"] | {"string.h"}
HOMES = {"FreeCAD": "freecad_wb", "FreeCADGui": "freecad_wb", "Part": "freecad_wb", "Import": "freecad_wb"}
HOMES |= {"bpy": "blender_addon", "bpy_extras": "blender_addon"}
PACKAGES = {"freecad.polepair_wb": "freecad_wb", "polepair_blender": "blender_addon"}
NUMPY_ONLY = {"numpy", "dataclasses", "functools", "typing", "math", "re", "textwrap"}
LATER = {"matplotlib"}  # in draw, inside functions


class Function(NamedTuple):
    """A function of either language."""

    file: str
    name: str
    line: int
    lines: int
    arguments: int


def read_tree(root: Path = ROOT) -> dict[str, str]:
    """Every tracked file of the own code, and the sentences."""
    kinds = ("csrc/*", "polepair/*.py", "freecad_wb/*.py", "blender_addon/*.py", SENTENCES)
    done = subprocess.run(["git", "ls-files", *kinds], cwd=root, capture_output=True, text=True, check=True)
    return {name: (root / name).read_text() for name in done.stdout.split() if (root / name).exists()}


def order(tree: dict, language: str) -> dict[str, int]:
    """Floor of every room, from the line `C: a <- {b, c} <- d` of docs/architecture.md."""
    line = re.search(rf"^ *{language}: (.*<-.*)$", tree[SENTENCES], re.M)[1]
    floors = [re.findall(r"[\w/]+", floor) for floor in line.split("<-")]
    return {room: i for i, rooms in enumerate(floors) for room in rooms}


# C ------------------------------------------------------------------------------------------------------------------


@cache
def bare(text: str) -> str:
    """C without comments and the contents of strings, line by line the same."""

    def blank(match):
        token = match[0]
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token[0] + token[0]

    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", blank, text, flags=re.S)


def c_names(tree: dict) -> list[str]:
    """The C files, headers included, tables not."""
    return [n for n in tree if n.startswith("csrc/") and n.endswith((".c", ".h"))]


def folder_room(name: str, floors: dict) -> str | None:
    """The room whose folder holds a C file: the deepest one that the sentence names."""
    folder = str(PurePosixPath(name).parent)
    if folder in (PUBLIC, MODEL):
        return "model" if folder == MODEL else "include"
    return folder.removeprefix("csrc/") if folder.removeprefix("csrc/") in floors else None


def includes(tree: dict, name: str) -> list[str]:
    """Own files that a C file includes, as paths; one that is not there stays as it is written."""
    found = []
    for target in re.findall(r'^ *# *include "([^"]+)"', tree[name], re.M):
        near = PurePosixPath("csrc/include") / target
        if not target.startswith("polepair/"):
            parts = []
            for part in (PurePosixPath(name).parent / target).parts:
                parts = parts[:-1] if part == ".." else [*parts, part]
            near = PurePosixPath(*parts)
        found.append(str(near) if str(near) in tree else target)
    return found


def c_rooms(tree: dict) -> dict[str, str | None]:
    """Room of every C file. A public header stands in the room of the .c of its name, in `include` where that is the
    ground (core/base); one without a .c where the highest header that it includes stands."""
    floors = order(tree, "C")
    rooms = {n: folder_room(n, floors) for n in tree if n.startswith("csrc/")}
    code = {PurePosixPath(n).stem: rooms[n] for n in rooms if n.endswith(".c")}
    headers = [n for n, room in rooms.items() if room == "include" and n.endswith(".h")]
    free = [n for n in headers if PurePosixPath(n).stem not in code]
    for name in set(headers) - set(free):
        room = code[PurePosixPath(name).stem]
        rooms[name] = "include" if room == "core/base" else room
    for name in free:
        below = [rooms.get(target) for target in includes(tree, name)]
        rooms[name] = max((r for r in below if r in floors and r != "model"), key=floors.get, default="include")
    return rooms


PREFIX = r"[A-Za-z_](?:[\w *\n]|__attribute__\(\([\w, ]+\)\))*?"
DEFINITION = re.compile(rf"^((?:{PREFIX})\b(?!__attribute__)(\w+(?:\(\w+\))?)\(([^;{{}}]*)\))\s*\{{", re.M)


@cache
def bodies(text: str) -> list[tuple[re.Match, int]]:
    """Every function definition of a bare C text: its match, and where its body ends."""
    found = []
    for match in DEFINITION.finditer(text):
        depth, at = 1, match.end()
        while depth and at < len(text):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        found.append((match, at))
    return found


@cache
def words(text: str) -> set[str]:
    """What may be a function in a bare C text: called, or named as a value."""
    return set(re.findall(r"\b\w+\b(?= *[(,;)}])", text))


def c_functions(tree: dict) -> list[Function]:
    """Every function defined in a C file or header."""
    found = []
    for name in c_names(tree):
        text = bare(tree[name])
        for match, end in bodies(text):
            first = text.count("\n", 0, match.start())
            given = re.sub(r"\([^()]*\)", "", match[3]).strip()
            arguments = 0 if given in ("", "void") else given.count(",") + 1
            found.append(Function(name, match[2], first + 1, text.count("\n", 0, end) - first + 1, arguments))
    return found


def seen(tree: dict, name: str, found: set | None = None) -> set[str]:
    """A C file and everything that it includes."""
    found = set() if found is None else found
    found.add(name)
    for target in includes(tree, name):
        if target in tree and target not in found:
            seen(tree, target, found)
    return found


def calls(tree: dict) -> dict[str, set[str]]:
    """C file -> files that define a function it names: no artefacts of headers, as a header that only declares names
    nothing, and a public header and the .c of its name are one."""
    code = {PurePosixPath(n).stem: n for n in c_names(tree) if n.endswith(".c")}
    text = {n: bare(tree[n]) for n in c_names(tree)}
    node = {n: code.get(PurePosixPath(n).stem, n) if n.startswith(PUBLIC + "/") else n for n in text}
    homes, graph = {}, {n: set() for n in node.values()}
    for name in text:
        for match, _ in bodies(text[name]):
            if name.endswith(".h") or (match[2].startswith("pp_") and not match[1].startswith(("static", "PP_INLINE"))):
                homes.setdefault(match[2], set()).add(name)
    for name in text:
        used, near = text[name], seen(tree, name)
        if name.endswith(".h"):
            used = " ".join(used[match.end() : end] for match, end in bodies(used))
        for word in words(used) & homes.keys():
            there = {node[n] for n in homes[word] if n.endswith(".c") or n in near}
            graph[node[name]] |= there - {node[name]} if len(there) == 1 else set()
    return graph


def c_breaches(tree: dict) -> list[str]:
    """What breaks the C sentence, a line each."""
    floors, rooms, found = order(tree, "C"), c_rooms(tree), []
    found += [f"{n}: its folder is no room of {SENTENCES}" for n, room in rooms.items() if room is None]
    found += [f"{SENTENCES}: the room {r} is empty" for r in floors if r not in rooms.values()]
    known = {n: r for n, r in rooms.items() if r is not None}
    graph = calls(tree)
    for name in c_names(tree):
        own = known.get(name, "include")
        for target in sorted({*includes(tree, name), *graph.get(name, ())}):
            other = known.get(target, "include")
            if target not in tree:
                found.append(f"{name} includes {target}, which is not there")
            elif not (floors[other] < floors[own] or other == own):
                found.append(f"{name} ({own}) knows {target} ({other})")
        for header in re.findall(r"^ *# *include <([^>]+)>", tree[name], re.M):
            allowed = LIBC.get("core" if own.startswith("core/") else folder_kind(name))
            if allowed and header not in allowed:
                found.append(f"{name} includes <{header}>")
            if re.match(r"Python|numpy|structmember", header) and own not in ("python", "mqtt"):
                found.append(f"{name} includes <{header}>")
    return found


def folder_kind(name: str) -> str:
    """`include` for a file of the public folders, whatever room it stands in."""
    return "include" if name.startswith(PUBLIC) else "other"


# Python -------------------------------------------------------------------------------------------------------------


def python_names(tree: dict) -> list[str]:
    """The Python files of the package and the two faces."""
    return [n for n in tree if n.endswith(".py")]


def python_room(name: str) -> str:
    """A folder of polepair/ is a room, files directly in it are the ground; each face is one."""
    parts = PurePosixPath(name).parts
    if parts[0] != "polepair":
        return parts[0]
    if parts[-1] == "__main__.py":
        return "cli"
    return parts[1] if len(parts) > 2 else "ground"


def imports(tree: dict, name: str) -> list[tuple[str, bool]]:
    """Modules that a Python file imports by absolute dotted names, and whether only inside a function."""
    return imported(tree[name], ".".join(PurePosixPath(name).parent.parts))


@cache
def imported(text: str, package: str) -> list[tuple[str, bool]]:
    """As imports, of a text in a package."""
    parsed = ast.parse(text)
    inner = {id(n) for f in ast.walk(parsed) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    found = []
    for node in ast.walk(parsed):
        later = id(node) in inner
        if isinstance(node, ast.Import):
            found += [(a.name, later) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) + 1 - node.level]
                base = ".".join([*above, base] if base else above)
            found += [(f"{base}.{a.name}", later) for a in node.names]
    return found


def module_file(tree: dict, module: str) -> str | None:
    """File of an own module, or of the module that holds an imported name."""
    for package, folder in PACKAGES.items():
        if module.startswith(package):
            module = module.replace(package, "freecad_wb.freecad.polepair_wb" if "wb" in folder else folder)
    path = module.replace(".", "/")
    for candidate in (f"{path}.py", f"{path}/__init__.py"):
        if candidate in tree:
            return candidate
    return module_file(tree, module.rpartition(".")[0]) if "." in module else None


def python_graph(tree: dict) -> dict[str, set[str]]:
    """Python file -> own files that it imports; the facade polepair/__init__.py imports everything by name."""
    graph = {}
    for name in python_names(tree):
        files = {module_file(tree, module) for module, _ in imports(tree, name)}
        graph[name] = files - {None, name}
    graph["polepair/__init__.py"] = set()
    return graph


def python_breaches(tree: dict) -> list[str]:
    """What breaks the Python sentence, a line each."""
    floors, graph, found = order(tree, "Python"), python_graph(tree), []
    for name in python_names(tree):
        own = python_room(name)
        if own not in floors:
            found.append(f"{name}: its folder is no room of {SENTENCES}")
            continue
        for target in sorted(graph[name]):
            other = python_room(target)
            if other not in floors or not (floors[other] < floors[own] or other == own):
                found.append(f"{name} ({own}) imports {target} ({other})")
        for module, later in imports(tree, name):
            if module == "polepair" and name.startswith("polepair/"):
                found.append(f"{name} imports the facade")
            top = module.split(".")[0]
            home = HOMES.get(top)
            if home not in (None, own):
                found.append(f"{name} imports {module} outside {home}")
            foreign = top not in NUMPY_ONLY and not (later and top in LATER)
            if own == "draw" and foreign and not module.startswith("polepair"):
                found.append(f"{name} imports {module}: draw needs NumPy only")
    found += [f"{SENTENCES}: the room {r} is empty" for r in floors.keys() - {python_room(n) for n in graph}]
    return found


# both ---------------------------------------------------------------------------------------------------------------


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def all_circles(tree: dict) -> list[list[str]]:
    """Circles of calls between C files and of imports between Python files."""
    return circles(calls(tree)) + circles(python_graph(tree))


def breaches(tree: dict) -> list[str]:
    """Everything that is wrong with a tree's rooms."""
    return c_breaches(tree) + python_breaches(tree) + [f"a circle: {' '.join(c)}" for c in all_circles(tree)]


def python_functions(tree: dict) -> list[Function]:
    """Every function of the Python files; a command's arguments are its options and are not counted."""
    found = []
    for name in python_names(tree):
        for node in ast.walk(ast.parse(tree[name])):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                a = node.args
                given = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
                command = any("click." in ast.unparse(d) or "command" in ast.unparse(d) for d in node.decorator_list)
                count = 0 if command else len([x for x in given if x not in ("self", "cls")])
                found.append(Function(name, node.name, node.lineno, node.end_lineno - node.lineno + 1, count))
    return found
