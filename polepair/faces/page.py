"""Pieces of a page: pictures that change with its width and theme, tables that stack, sections, a table of contents."""

import base64
import html
import io
from importlib import resources
from typing import NamedTuple

from ..draw import plots

THEMED = {plots.INK: "var(--ink)", plots.GRID: "var(--line)", plots.MUTED: "var(--muted)"}


class Section(NamedTuple):
    """A part of the page: its anchor, heading and HTML; a wide one takes the whole line."""

    anchor: str
    title: str
    body: str
    note: str = ""
    wide: bool = False


def resource(name: str) -> str:
    """Text of a file of the folder web."""
    return resources.files("polepair.faces").joinpath("web", name).read_text(encoding="utf-8")


def svg(fig, title: str, salt: str) -> str:
    """A figure as inline SVG in the page's colours; the same figure gives the same text."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": salt}):
        fig.savefig(buffer, format="svg", transparent=True, dpi=144, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, themed in THEMED.items():
        text = text.replace(colour, themed)
    widest = round(72 * fig.get_figwidth() * 1.25)
    named = html.escape(title, quote=True)
    return text.replace("<svg", f'<svg role="img" aria-label="{named}" style="max-width:{widest}px"', 1)


def png(fig, title: str, dpi: int = 160) -> str:
    """A figure as an image."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=dpi, transparent=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(title, quote=True)}" src="data:image/png;base64,{data}">'


def picture(draw, title: str, width: float = plots.HALF) -> str:
    """`draw(width)` twice: for a wide page, and for a telephone with type of the same size."""
    broad, narrow = (svg(draw(w), title, f"{title} {w}") for w in (width, plots.NARROW))
    return f"<div class=broad>{broad}</div><div class=narrow>{narrow}</div>"


def table(rows) -> str:
    """(name, value, description) in two columns where the page is wide; stacked where it is narrow."""
    rows = [
        f"<tr><td class=k>{html.escape(k)}</td><td class=n>{html.escape(n)}</td><td class=d>{html.escape(d)}</td></tr>"
        for k, n, d in rows
    ]
    half = (len(rows) + 1) // 2
    tables = "".join(f"<table>{''.join(part)}</table>" for part in (rows[:half], rows[half:]))
    return f"<div class=two>{tables}</div>"


def pairs(rows) -> str:
    """(name, HTML) as a list of descriptions."""
    return f"<dl>{''.join(f'<dt>{html.escape(k)}</dt><dd>{v}</dd>' for k, v in rows)}</dl>"


def render(section: Section) -> str:
    """A section as HTML."""
    note = f"<p>{html.escape(section.note)}</p>" if section.note else ""
    wide = " class=wide" if section.wide else ""
    title = html.escape(section.title)
    return f"<section id={section.anchor}{wide}><h2>{title}</h2>{section.body}{note}</section>"


def arranged(figures, tail, wide) -> str:
    """Half-width figures two a line; where one is left over, the half-width tail stands beside it in one column."""
    body = "".join(map(render, figures))
    if len(figures) % 2:
        body += f"<div class=stack>{''.join(map(render, tail))}</div>"
    else:
        body += "".join(map(render, tail))
    return body + "".join(map(render, wide))


def contents(sections) -> str:
    """Links to the sections."""
    links = "".join(f"<a href=#{s.anchor}>{html.escape(s.title)}</a>" for s in sections)
    return f"<nav>{links}</nav>"
