"""Pictures of sweeps: maps, curves, points and strips. Every case is on them, the refused and the missing ones too."""

import textwrap

import numpy as np

from .plots import FULL, HALF, INK, LINE, MUTED, figure, legend, plain_ticks
from .quantities import label, shown
from .views import NOT_RUN, RAN, View, fates_of, limits_of, panels_of

HATCHES = ("////", "xxxx", "||||", "----", "\\\\\\\\")
SERIES = ("#2f6fd6", "#d97706", "#2f9e6e", "#b83280", "#6b5b95", "#0e7490", "#b45309")
CROWD = 1500  # artists beyond this become one picture inside the drawing


class _Canvas:
    """What every panel of an output shares: the table, its fates, the output's unit and limits."""

    def __init__(self, table, view: View, output: str, width: float):
        self.table, self.view, self.output, self.width = table, view, output, width
        self.fates, self.reasons = fates_of(table)
        ran = np.where(self.fates == RAN, table[output], np.nan)
        self.unit = shown(table.unit(output), ran, output)
        self.values = self.unit.of(ran)
        self.limits = limits_of(self.values)
        self.crowded = len(table) > CROWD

    def groups(self, rows):
        """(words, look, rows) of the cases that have no value: refused by reason, not finite, not run."""
        fates = self.fates[rows]
        for k, reason in enumerate(self.reasons):
            if (fates == k + 1).any():
                yield f"refused: {reason}", k % len(HATCHES), rows[fates == k + 1]
        lost = rows[(fates == RAN) & ~np.isfinite(self.values[rows])]
        if len(lost):
            yield "ran, but the value is not finite", "..", lost
        if (fates == NOT_RUN).any():
            yield "not run: the sweep was interrupted", "o", rows[fates == NOT_RUN]


def sweep_plot(table, view: View, output: str, width: float | None = None):
    """One output of a sweep over its axes, as the view says; hatches and crosses tell what did not run and why."""
    canvas = _Canvas(table, view, output, width or (FULL if view.panel or view.kind == "strips" else HALF))
    draw = {"map": _map, "curves": _curves, "points": _points}.get(view.kind)
    if draw is None:
        return _strips(canvas)
    panels = panels_of(table, view)
    fig, axes = _panels(canvas, len(panels))
    cells = axes.flat
    for ax, (title, rows) in zip(cells, panels, strict=False):
        drawn = draw(canvas, ax, rows)
        ax.set_title(textwrap.fill(title, max(18, int(canvas.width / axes.shape[1] / 7))), loc="left", fontsize=10)
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    _words(canvas, fig, axes, len(panels))
    if view.kind != "curves":
        _colour_bar(canvas, fig, axes, drawn)
    _legend(canvas, fig, axes)
    _centred(fig, list(axes.flat[: len(panels)]), axes[-1, 0])
    return fig


def _panels(canvas, count: int):
    """A figure with room for the panels, the words and the legend."""
    width = canvas.width
    columns = min(count, 3 if width > HALF else 2 if count > 1 else 1)
    rows = -(-count // columns)
    each = 0.75 * width if count == 1 else 0.7 * width / columns + 20
    shared = {"sharex": True, "sharey": True} if count > 1 else {}
    return figure(width, rows * each + _below(canvas) + 40, rows, columns, **shared)


def _below(canvas) -> float:
    """Height of the legend, 15 points a line."""
    second = canvas.view.axes[1:2] if canvas.view.kind == "curves" else ()
    lines = sum(len(axis.values) for axis in second)
    for words, _, _ in canvas.groups(np.arange(len(canvas.table))):
        lines += len(textwrap.wrap(words, _letters(canvas)))
    return 15 * lines + 10


def _letters(canvas) -> int:
    """Letters in a line of the legend."""
    return int(canvas.width / 6.2) - 4


def _wrapped(text: str, points: float) -> str:
    """A label broken where the axis ends, 6 points a letter; its unit does not stand alone in a line."""
    wide = max(16, int(points / 6))
    tied = "),\N{NO-BREAK SPACE}".join(text.rsplit("), ", 1))
    fits = max(map(len, tied.split(" "))) <= wide
    lines = textwrap.fill(tied if fits else text, wide, break_long_words=False)
    return lines.replace("\N{NO-BREAK SPACE}", " ")


def _axis_ticks(axis, of) -> None:
    """Ticks of an axis of the view: names, all of a few values, or round numbers."""
    if of.names:
        axis.set_ticks(range(len(of.names)), [n.replace("_", " ") for n in of.names])
    elif len(of.values) <= FEW_TICKS:
        axis.set_ticks(of.places(of.values), [f"{v:.4g}" for v in of.places(of.values)])
    else:
        plain_ticks(axis)


FEW_TICKS = 4


def _words(canvas, fig, axes, count: int) -> None:
    """The words of the axes, once for all panels; ticks of choices by name."""
    view = canvas.view
    up = view.axes[1].label if view.kind != "curves" else label(canvas.output, canvas.unit.text)
    for k, ax in enumerate(axes.flat[:count]):
        _axis_ticks(ax.xaxis, view.axes[0])
        if view.kind != "curves":
            _axis_ticks(ax.yaxis, view.axes[1])
        if k + axes.shape[1] >= count:
            ax.xaxis.set_tick_params(labelbottom=True)
    rows = axes.shape[0]
    corner, across = axes[-1, 0], count - (rows - 1) * axes.shape[1]
    corner.set_xlabel(_wrapped(view.axes[0].label, 0.8 * canvas.width * across / axes.shape[1]))
    corner.set_ylabel(_wrapped(up, 72 * fig.get_figheight() - _below(canvas) - 60))


def _centred(fig, panels, corner, along: bool = True) -> None:
    """Moves the words of the corner panel to the middle of all panels, once these stand where they stay."""
    fig.draw_without_rendering()
    fig.set_layout_engine("none")
    own = corner.get_position()
    boxes = [ax.get_position() for ax in panels]
    low, high = min(b.y0 for b in boxes), max(b.y1 for b in boxes)
    corner.yaxis.label.set_y(((low + high) / 2 - own.y0) / own.height)
    right = max(b.x1 for b in boxes if abs(b.y0 - own.y0) < 0.01)
    if along:
        corner.xaxis.label.set_x(((own.x0 + right) / 2 - own.x0) / own.width)


def _colour_bar(canvas, fig, axes, drawn) -> None:
    """The scale of a map, with its words above the picture."""
    bar = fig.colorbar(drawn, ax=axes.ravel().tolist(), pad=0.02, aspect=28)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=10, colors=INK, length=0)
    plain_ticks(bar.ax.yaxis)
    fig.suptitle(_wrapped(label(canvas.output, canvas.unit.text), canvas.width), fontsize=11, color=INK)


def _legend(canvas, fig, axes) -> None:
    """What the hatches, crosses and lines mean, below the picture."""
    seen = {}
    for ax in axes.flat:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            seen.setdefault(text, handle)
    if not seen:
        return
    texts = [textwrap.fill(t, _letters(canvas)) for t in seen]
    columns = max(1, min(len(texts), _letters(canvas) // (max(map(len, texts)) + 5)))
    where = {"loc": "outside lower left", "ncols": columns}
    legend(fig, handles=list(seen.values()), labels=texts, **where)


def _cells(canvas, rows):
    """Mean of the finite cases of every cell (y, x) and whether it has one, by sums and counts."""
    x, y = canvas.view.axes[:2]
    rows = rows[np.isfinite(canvas.values[rows])]
    flat = _index(canvas, rows)
    size = len(x.values) * len(y.values)
    sums = np.bincount(flat, canvas.values[rows], size)
    counts = np.bincount(flat, minlength=size)
    shape = len(y.values), len(x.values)
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, sums / counts, np.nan).reshape(shape)


def _index(canvas, rows):
    """Position of each case in the flattened grid of cells."""
    x, y = canvas.view.axes[:2]
    column = np.searchsorted(x.values, canvas.table[x.name][rows])
    return np.searchsorted(y.values, canvas.table[y.name][rows]) * len(x.values) + column


def _map(canvas, ax, rows):
    """Cells by colour; every cell with a refused or a missing case is hatched."""
    x, y = canvas.view.axes[:2]
    low, high = canvas.limits
    across, up = x.edges(), y.edges()
    ax.grid(False)
    rows = _placed(canvas, rows)
    mesh = ax.pcolormesh(across, up, _cells(canvas, rows), vmin=low, vmax=high, cmap="viridis", rasterized=True)
    for words, look, those in canvas.groups(rows):
        hit = np.zeros((len(y.values), len(x.values)), bool)
        hit.flat[_index(canvas, those)] = True
        _hatched(ax, across, up, hit, words, look)
    return mesh


def _placed(canvas, rows):
    """The rows whose values stand on the axes: a table of cases may hold what is no number."""
    inside = [np.isfinite(canvas.table[a.name][rows]) for a in canvas.view.axes[:2]]
    return rows[np.all(inside, axis=0)]


def _hatched(ax, across, up, hit, words: str, look) -> None:
    """Hatched rectangles over the cells that are hit, runs of a row as one."""
    from matplotlib.collections import PolyCollection

    boxes = []
    for j, line in enumerate(hit):
        ends = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
        for a, b in ends.reshape(-1, 2):
            boxes.append([(across[a], up[j]), (across[b], up[j]), (across[b], up[j + 1]), (across[a], up[j + 1])])
    hatch = HATCHES[look] if isinstance(look, int) else look
    ax.add_collection(
        PolyCollection(boxes, facecolor="none", edgecolor=MUTED, linewidth=0, hatch=hatch, label=words), autolim=False
    )


def _curves(canvas, ax, rows):
    """A line with a point for each case, one line for each value of the second axis."""
    x = canvas.view.axes[0]
    second = canvas.view.axes[1] if len(canvas.view.axes) > 1 else None
    for k, value in enumerate(second.values if second else [None]):
        chosen = rows if second is None else rows[canvas.table[second.name][rows] == value]
        name = f"{second.name} {second.text(value)}" if second else None
        colour = SERIES[k % len(SERIES)]
        _curve(canvas, ax, x, chosen[np.isfinite(canvas.table[x.name][chosen])], colour, name)
        _at_the_foot(canvas, ax, x, chosen, colour if second else MUTED, k)
    low, high = canvas.limits
    room = 0.06 * (high - low)
    ax.set_ylim(low - 2 * room, high + room)
    ends = x.edges()
    ax.set_xlim(ends[0], ends[-1])
    plain_ticks(ax.yaxis)


def _curve(canvas, ax, x, rows, colour, name) -> None:
    """The cases as points, and through their means a line where the axis has an order."""
    at, values = x.places(canvas.table[x.name][rows]), canvas.values[rows]
    size = 4 if len(x.values) <= 60 else 2
    ax.plot(at, values, "o", color=colour, markersize=size, label=name, rasterized=canvas.crowded)
    if x.names:
        return
    good = np.isfinite(values)
    places = np.searchsorted(x.values, canvas.table[x.name][rows][good])
    counts = np.bincount(places, minlength=len(x.values))
    sums = np.bincount(places, values[good], len(x.values))
    with np.errstate(invalid="ignore"):
        ax.plot(x.places(x.values), np.where(counts > 0, sums / counts, np.nan), color=colour, linewidth=1.1)


def _at_the_foot(canvas, ax, x, rows, colour: str = MUTED, line: int = 0) -> None:
    """Crosses and rings on the lower border, in the line's colour and row, for what has no value."""
    for words, look, those in canvas.groups(rows):
        at = x.places(canvas.table[x.name][those])
        height = np.full(len(at), 0.02 + 0.03 * line)
        ax.plot(at, height, transform=ax.get_xaxis_transform(), label=words, **{**_mark(look), "color": colour})


def _mark(look) -> dict:
    """Marker of a case that has no value."""
    kinds = {"o": "o", "..": "D"}
    kind = kinds.get(look) or "x+1v2"[look]
    return {"marker": kind, "linestyle": "none", "color": MUTED, "markersize": 5, "fillstyle": "none"}


def _points(canvas, ax, rows):
    """Every case where its values are, by colour."""
    x, y = canvas.view.axes[:2]
    low, high = canvas.limits
    across, up = x.places(canvas.table[x.name]), y.places(canvas.table[y.name])
    good = rows[np.isfinite(canvas.values[rows])]
    size = np.clip(9000 / max(len(canvas.table), 1), 4, 36)
    drawn = ax.scatter(
        across[good],
        up[good],
        size,
        canvas.values[good],
        cmap="viridis",
        vmin=low,
        vmax=high,
        linewidths=0,
        rasterized=canvas.crowded,
    )
    for words, look, those in canvas.groups(rows):
        ax.plot(across[those], up[those], label=words, **_mark(look))
    return drawn


def _strips(canvas):
    """The output over each parameter in turn, every case a point in each strip."""
    axes = canvas.view.axes
    columns = min(len(axes), 4 if canvas.width > HALF else 2)
    lines = -(-len(axes) // columns)
    rows = np.arange(len(canvas.table))
    fig, cells = figure(canvas.width, 190 * lines + _below(canvas), lines, columns, sharey=True)
    low, high = canvas.limits
    room = 0.06 * (high - low)
    for ax, x in zip(cells.flat, axes, strict=False):
        at = x.places(canvas.table[x.name])
        size = np.clip(60 / np.sqrt(len(rows)), 1, 4)
        ax.plot(at, canvas.values, "o", color=LINE, markersize=size, alpha=0.6, rasterized=canvas.crowded)
        _at_the_foot(canvas, ax, x, rows)
        ends = x.edges() if x.names else limits_of(at)
        ax.set_xlim(ends[0] - 0.03 * (ends[-1] - ends[0]), ends[-1] + 0.03 * (ends[-1] - ends[0]))
        ax.set_ylim(low - 2 * room, high + room)
        _axis_ticks(ax.xaxis, x)
        ax.set_xlabel(_wrapped(x.label, 0.85 * canvas.width / columns))
    for ax in cells.flat[len(axes) :]:
        ax.axis("off")
    plain_ticks(cells[0, 0].yaxis)
    cells[-1, 0].set_ylabel(_wrapped(label(canvas.output, canvas.unit.text), 160 * lines))
    _legend(canvas, fig, cells)
    _centred(fig, [cells[0, 0], cells[-1, 0]], cells[-1, 0], along=False)
    return fig
