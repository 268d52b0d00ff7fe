"""Mutants of a source file: every way to change one of its lines that a test ought to notice."""

import ast
import io
import re
import tokenize
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One changed line (or a check of two lines): `before` and `after` are whole lines, `line` counts from 1."""

    file: str
    line: int
    kind: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """What names it in a file of verdicts."""
        return f"{self.file}:{self.line}: {self.before.strip()} => {self.after.strip()}"


SIGNS = {" + ": " - ", " - ": " + ", "+=": "-=", "-=": "+="}
SWAPS = {" * ": " / ", " / ": " * ", "&&": "||", "||": "&&", "==": "!=", "!=": "==", " & ": " | ", " | ": " & "}
SWAPS |= {"*=": "/=", " and ": " or ", " or ": " and "}
EDGES = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > "}
NUMBER = re.compile(r"(?<![\w.])(?<!e-)(?<!e\+)(\d+\.?\d*)(?=[eE)\];,:/*+\- }]|$)(?![\w.]*x)")


def _at(line: str, start: int, end: int, new: str) -> str:
    return line[:start] + new + line[end:]


def _one_more(text: str) -> str:
    whole, dot, rest = text.partition(".")
    return f"{int(whole) + 1}{dot}{rest}"


def _edits(line: str, mask: str):
    """(kind, new line) of the operators and constants of a line; `mask` is the line without comments and texts."""
    for kind, table in (("sign", SIGNS), ("operator", SWAPS), ("off by one", EDGES)):
        for old, new in table.items():
            for m in re.finditer(re.escape(old), mask):
                yield kind, _at(line, m.start(), m.end(), new)
    for m in re.finditer(r"(?<=[(,=?:] )-(?=[\w(])|(?<=[({\[])-(?=[\w(])|(?<=return )-(?=[\w(])", mask):
        yield "sign", _at(line, m.start(), m.end(), "")
    for m in re.finditer(r"!(?=[\w(])", mask):
        yield "operator", _at(line, m.start(), m.end(), "")
    for m in NUMBER.finditer(mask):
        room = mask[: m.start()].endswith("[") and re.match(r"\s*(static|const|\w+ \*?\w+\[)", mask)  # of an array
        if float(m.group()) < 100 and not room:  # one more than 362880 is no other number to a test
            yield "off by one", _at(line, m.start(), m.end(), _one_more(m.group()))


def _blanked(text: str) -> str:
    """C text with comments, texts and preprocessor lines turned to spaces."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S | re.M)


KEYWORDS = r"(?:return|break|continue|goto|case|default|typedef|extern|static|enum|struct|const|else|do)\b"
CALL_OR_SET = re.compile(rf"^\s*(?!{KEYWORDS})[\w*(][\w\s.\[\]>*&(),+-]*(?:[-+*/|&^]?=[^=].*|\(.*\)|\+\+|--);\s*$")


def of_c(file: str, text: str):
    """Every mutant of a C file."""
    lines, masks = text.split("\n"), _blanked(text).split("\n")
    for i, (line, mask) in enumerate(zip(lines, masks, strict=True)):
        if not mask.strip() or "PP_ASSERT" in mask:  # an assertion is a check of its own, not what the product does
            continue

        def make(kind, after, n=1, i=i):
            return Mutant(file, i + 1, kind, "\n".join(lines[i : i + n]), after)

        for kind, after in _edits(line, mask):
            yield make(kind, after)
        leaves = r"(return\b.*|continue|break);\s*$"
        if re.match(r"\s*if \(.*\)\s*$", mask) and i + 1 < len(masks) and re.match(r"\s*" + leaves, masks[i + 1]):
            yield make("dropped check", "\n", 2)
        elif re.match(r"\s*if \(.*\) " + leaves, mask):
            yield make("dropped check", "")
        before = next((m.rstrip() for m in reversed(masks[:i]) if m.strip()), "")
        if CALL_OR_SET.match(mask) and (not before or before[-1] in ";{}:"):
            yield make("dropped line", "")


def _python_masks(text: str) -> list[str]:
    """Lines of a Python file with texts, comments and annotations' bars turned to spaces."""
    lines = [list(line) for line in text.split("\n")]
    strings = {tokenize.STRING, tokenize.COMMENT}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in strings:
            for row in range(token.start[0], token.end[0] + 1):
                first = token.start[1] if row == token.start[0] else 0
                last = token.end[1] if row == token.end[0] else len(lines[row - 1])
                lines[row - 1][first:last] = " " * (last - first)
    return ["".join(line).replace(" | ", "   ") for line in lines]


def of_python(file: str, text: str):
    """Every mutant of a Python file."""
    lines, masks = text.split("\n"), _python_masks(text)
    for i, mask in enumerate(masks):
        if mask.strip() and not re.match(r"\s*(import|from|class|@)\b", mask):
            for kind, after in _edits(lines[i], mask):
                yield Mutant(file, i + 1, kind, lines[i], after)
    for node in ast.walk(ast.parse(text)):
        i = getattr(node, "lineno", 1) - 1
        one_line = i + 1 == getattr(node, "end_lineno", 0)
        indent = re.match(r"\s*", lines[i]).group()
        plain = isinstance(node, (ast.Assign, ast.AugAssign)) or (
            isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        )
        if plain and one_line and lines[i].strip() == ast.get_source_segment(text, node):
            yield Mutant(file, i + 1, "dropped line", lines[i], indent + "pass")
        leaves = isinstance(node, ast.If) and isinstance(node.body[0], (ast.Raise, ast.Return, ast.Continue))
        if leaves and re.match(r"\s*if .*:$", lines[i]) and node.test.lineno == node.test.end_lineno:
            yield Mutant(file, i + 1, "dropped check", lines[i], indent + "if False:")


def of_file(file: str, text: str) -> list[Mutant]:
    """Every mutant of a file by its ending."""
    return list(of_python(file, text) if file.endswith(".py") else of_c(file, text))


def applied(text: str, m: Mutant) -> str:
    """The file's text with the mutant's line in it."""
    lines, old, new = text.split("\n"), m.before.split("\n"), m.after.split("\n")
    at = slice(m.line - 1, m.line - 1 + len(old))
    if lines[at] != old:
        raise ValueError(f"{m.file}:{m.line} has changed since the draw")
    lines[at] = new
    return "\n".join(lines)
