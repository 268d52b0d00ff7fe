"""Density of the C text, counted on what is left without comments and the contents of strings."""

import re
from typing import NamedTuple

from .house import MODEL, PUBLIC, bare, c_names

WIDTH = 100
DIRECTIVE = re.compile(r"^ *#(?:[^\n\\]|\\.|\\\n)*", re.M)
OTHER = r"(?!(?:double|float|int|long|short|char|bool|void|pp_real|pp_mask|struct|union|enum|\w+_t)\b)"
RECORD = re.compile(rf"\({OTHER}[a-z]\w*\)\{{|\b{OTHER}[a-z]\w*\s+\w+(?:\[[^\]]*\])*\s*=\s*\{{")


class Hit(NamedTuple):
    """A place."""

    file: str
    line: int


class Density(NamedTuple):
    """What a set of files holds of each habit; lines counts those that are not blank."""

    lines: int
    joined: list[Hit]
    conditional: list[Hit]
    nested: list[Hit]
    positional: list[Hit]
    wide: list[Hit]


def code(text: str) -> str:
    """C without comments, contents of strings and directives, line by line the same."""
    return DIRECTIVE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), bare(text))


def statements(text: str):
    """Offset and text of what lies between `;`, `{` and `}` outside parentheses; those of a `for` hide its own."""
    depth = start = 0
    for at, c in enumerate(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(c, 0)
        if c in ";{}" and depth <= 0:
            yield start, text[start:at]
            start, depth = at + 1, 0


def outside(text: str) -> str:
    """A statement without what its parentheses hold."""
    depth, kept = 0, []
    for c in text:
        depth -= c in ")]"
        kept.append(c if depth <= 0 else " ")
        depth += c in "(["
    return "".join(kept)


def is_joined(statement: str) -> bool:
    """Two assignments or initialisers joined by a comma."""
    parts = outside(statement).split(",")
    given = [p for p in parts if re.search(r"(?<![=!<>])=(?!=)", p) and not re.match(r"\s*[.\[]", p)]
    return len(given) >= 2 and not all(re.match(r"\s*[A-Z_0-9]+ *=", p) for p in given)


def nested(statement: str) -> bool:
    """A `?:` inside another's condition or branches."""
    stack = [False]
    for c in statement:
        if c in "([":
            stack.append(False)
        elif c in ")]" and len(stack) > 1:
            had = stack.pop()
            stack[-1] = stack[-1] or had
        elif c in ",;":
            stack[-1] = False
        elif c == "?":
            if any(stack):
                return True
            stack[-1] = True
    return False


def elements(text: str, start: int) -> list[str]:
    """What commas part in the braces that open before start."""
    depth, at, parts = 1, start, [""]
    while depth and at < len(text):
        c = text[at]
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(c, 0)
        if c == "," and depth == 1:
            parts.append("")
        elif depth:
            parts[-1] += c
        at += 1
    return [p.strip() for p in parts if p.strip()]


def positional(text: str):
    """Offsets of initialisers of structs, and of rows of them, with more than four fields that are not named."""
    for match in RECORD.finditer(text):
        parts = elements(text, match.end())
        rows = [elements(p, 1) for p in parts if p.startswith("{")]
        for row in [*rows, [] if "[" in match[0] else parts]:
            if len([p for p in row if not p.startswith((".", "["))]) > 4:
                yield match.start()


def density(tree: dict, under: str = "csrc/") -> Density:
    """Every hit below a folder."""
    found = Density(0, [], [], [], [], [])
    lines = 0
    for name in (n for n in c_names(tree) if n.startswith(under)):
        text = code(tree[name])
        lines += sum(1 for line in tree[name].splitlines() if line.strip())
        for start, statement in statements(text):
            at = text.count("\n", 0, start + len(statement) - len(statement.lstrip())) + 1
            if is_joined(statement):
                found.joined.append(Hit(name, at))
            if nested(statement):
                found.nested.append(Hit(name, at))
        found.positional.extend(Hit(name, text.count("\n", 0, at) + 1) for at in positional(text))
        for i, line in enumerate(text.splitlines(), 1):
            if "?" in line:
                found.conditional.append(Hit(name, i))
        found.wide.extend(Hit(name, i) for i, line in enumerate(tree[name].splitlines(), 1) if len(line) > WIDTH)
    return found._replace(lines=lines)


def per_thousand(hits: list, density: Density) -> float:
    """Hits per thousand lines."""
    return 1000 * len(hits) / density.lines


def fields(tree: dict) -> tuple[int, int]:
    """Fields of the structs of the public and the model headers that have a comment on their line or just above, and
    all of them."""
    said = count = 0
    for name in (n for n in c_names(tree) if n.startswith((PUBLIC, MODEL)) and n.endswith(".h")):
        text, plain = tree[name].splitlines(), code(tree[name]).splitlines()
        depth, above = 0, False
        for line, kept in zip(text, plain, strict=True):
            inside = depth > 0
            opens = re.search(r"\b(struct|union)\b[^;()]*\{", kept) is not None
            depth = depth + kept.count("{") - kept.count("}") if inside or opens else 0
            if inside and ";" in kept and "}" not in kept and "{" not in kept:
                count += 1
                said += above or "/*" in line or "*/" in line
            above = line.rstrip().endswith("*/") and not kept.strip()
    return said, count
