"""Pictures from plain arrays: matplotlib figures without a window. Matplotlib is imported where it draws."""

import numpy as np

from .quantities import RPM, shown
from .section import PHASE_COLOURS, POLE_COLOURS

INK, GRID, MUTED, LINE = "#1f2933", "#e4e7eb", "#7b8794", "#2f6fd6"
FILL = {"stator": "#9aa5b1", "former": "#e6dfc8", "rotor": "#c3cad2", "shaft": "#7b8794", "housing": "#52606d"}
NORTH, SOUTH = POLE_COLOURS["north"], POLE_COLOURS["south"]
HALF, FULL, NARROW = 488, 1034, 338  # widths of a page's pictures; a point of type is a pixel there
TYPE = {"font.size": 11, "axes.labelsize": 11, "axes.titlesize": 11, "xtick.labelsize": 10, "ytick.labelsize": 10}
INKS = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)


def figure(width: float = HALF, height: float = 300, rows: int = 1, columns: int = 1, **kw):
    """A figure of width x height points and its axes in the house style."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**TYPE, **INKS}):
        fig = Figure(figsize=(width / 72, height / 72), layout="constrained")
        axes = fig.subplots(rows, columns, squeeze=False, **kw)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(MUTED)
        ax.tick_params(colors=INK, labelsize=10)
        ax.grid(True, color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
    return fig, axes


def plain_ticks(axis) -> None:
    """Ticks written out: no offset, no power of ten beside the axis, few enough to read."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.6g}" if abs(v) >= 1e4 else f"{v:.6g}"))


def legend(owner, **kw):
    """A legend in the house style; `owner` is a figure or an axes."""
    return owner.legend(frameon=False, fontsize=10, labelcolor=INK, **kw)


def _turning(ring, left: bool):
    """The ring counter-clockwise (left) or clockwise: holes have to run against their outline to be left open."""
    x, y = ring.T
    area = np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    return ring if (area > 0) == left else ring[::-1]


def _patch(shape, colour, edge, **kw):
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    rings = [_turning(shape.points, True), *(_turning(h, False) for h in shape.holes)]
    vertices = np.concatenate([np.vstack([r, r[:1]]) for r in rings]) * 1e3
    codes = np.concatenate([[Path.MOVETO] + [Path.LINETO] * (len(r) - 1) + [Path.CLOSEPOLY] for r in rings])
    return PathPatch(Path(vertices, codes), facecolor=colour, edgecolor=edge, linewidth=0.6, **kw)


def _shape_colour(shape) -> str:
    """Coils by phase, magnets by pole, the rest by kind."""
    if shape.kind == "magnet":
        return NORTH if shape.sign > 0 else SOUTH
    return PHASE_COLOURS.get(shape.phase) or FILL.get(shape.kind, "#dddddd")


def cross_section(shapes, width: float = HALF):
    """Drawing of a cross-section: phases by colour, sense of the coil sides by cross (in) and dot (out)."""
    fig, axes = figure(width, width)
    ax = axes[0, 0]
    ax.grid(False)
    small = width / HALF
    for s in shapes:
        ax.add_patch(_patch(s, _shape_colour(s), "white" if s.kind in ("magnet", "coil") else INK))
        if s.kind == "coil":
            x, y = s.points.mean(axis=0) * 1e3
            kind, size = ("x", 5 * small) if s.sign > 0 else ("o", 3.5 * small)
            ax.plot(x, y, marker=kind, color="white", markersize=size, markeredgewidth=1.4 * small)
    reach = max(np.abs(s.points).max() for s in shapes) * 1e3 * 1.04
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="x, mm", ylabel="y, mm")
    for phase, colour in PHASE_COLOURS.items():
        ax.plot([], [], "s", color=colour, label=f"phase {phase}")
    for pole, colour in POLE_COLOURS.items():
        ax.plot([], [], "s", color=colour, label=f"{pole} pole")
    columns = 5 if width > 400 else 3
    legend(fig, loc="outside upper center", ncols=columns, handletextpad=0.2, columnspacing=1.0)
    return fig


def time_series(result, names=("omega_m", "torque", "iq")):
    """Channels over time, one strip each, in the units people use."""
    fig, axes = figure(520, 70 + 125 * len(names), len(names), 1, sharex=True)
    clock = shown("s", result["time"])
    for ax, name in zip(axes[:, 0], names, strict=True):
        unit = shown(result.unit(name), result[name], name)
        ax.plot(clock.of(result["time"]), unit.of(result[name]), color=LINE, linewidth=1.2)
        ax.set_ylabel(f"{name}, {unit.text}" if unit.text else name)
        plain_ticks(ax.yaxis)
    axes[-1, 0].set_xlabel(f"time, {clock.text}")
    return fig


def spin_up(result, speed_ref: float | None, width: float = HALF):
    """Speed against its reference (None: no speed control), torque against load, phase currents."""
    fig, axes = figure(width, HALF, 3, 1)
    speed, torque, current = axes.flat
    clock = shown("s", result["time"])
    t = clock.of(result["time"])
    _speed_strip(speed, t, result, speed_ref)
    unit = shown("N*m", np.concatenate([result["torque"], result["torque_load"]]))
    torque.plot(t, unit.of(result["torque"]), color="#b45309", linewidth=1.1, label="air gap")
    torque.plot(t, unit.of(result["torque_load"]), color=MUTED, linewidth=1.2, label="load and friction")
    torque.set_ylabel(f"torque, {unit.text}")
    for ax in (speed, torque):
        ax.set_xlabel(f"time, {clock.text}")
        legend(ax, loc="upper right", ncols=2, bbox_to_anchor=(1, 1.24), columnspacing=1.0, borderpad=0)
    _current_strip(current, t, result, clock.text)
    for ax in axes.flat:
        plain_ticks(ax.yaxis)
    return fig


def _speed_strip(ax, t, result, speed_ref):
    if speed_ref is not None:
        ax.axhline(speed_ref * RPM, color=MUTED, linestyle="--", linewidth=1.2, label="reference")
    ax.plot(t, result["omega_m"] * RPM, color=LINE, label="speed")
    ax.set_ylabel("speed, rpm")


def _current_strip(ax, t, result, clock: str):
    window = slice(_last_periods(result, 3), None)
    unit = shown("A", np.concatenate([result[f"i{k}"][window] for k in PHASE_COLOURS]))
    for phase, colour in PHASE_COLOURS.items():
        ax.plot(t[window], unit.of(result[f"i{phase}"][window]), color=colour, linewidth=1.2, label=f"phase {phase}")
    ax.set_ylabel(f"current, {unit.text}")
    ax.set_xlabel(f"time, {clock} (the last three electrical periods)")
    ax.margins(x=0)
    legend(ax, ncols=3, loc="upper right", bbox_to_anchor=(1, 1.24), columnspacing=1.0, borderpad=0)


def _last_periods(result, count: int) -> int:
    """First row of the last `count` periods of phase a, by its upward zero crossings."""
    i = result["ia"]
    rises = np.flatnonzero((i[:-1] < 0) & (i[1:] >= 0))
    return int(rises[-count - 1]) if len(rises) > count else 0


def efficiency_levels(values) -> np.ndarray:
    """Even steps from below the lower fifth of the values to the top: 10, 5, 2 or 1 %."""
    inside = values[np.isfinite(values) & (values > 0)]
    low = float(np.quantile(inside, 0.2)) if inside.size else 0.0
    high = min(float(inside.max()), 1.0) if inside.size else 1.0
    step = next((s for s in (0.1, 0.05, 0.02) if high - low >= 5 * s), 0.01)
    first, last = max(0, np.floor(low / step)), np.ceil(high / step - 1e-9)
    return step * np.arange(min(first, last - 4), last + 1)


def torque_speed(m, point=None, width: float = HALF):
    """Torque limit over speed with the efficiency inside it, from an OperatingMap; `point` marks (speed, torque) of a
    run [rad/s, N m]. What needs field weakening is hatched, and its limit dashed, where the map tells it."""
    fig, axes = figure(width, 0.95 * width + (40 if width < 400 else 0))
    ax = axes[0, 0]
    unit = shown("N*m", m.torque_limit)
    speed, torque = np.broadcast_to(m.omega_m * RPM, m.torque.shape), unit.of(m.torque)
    levels = efficiency_levels(m.efficiency)
    filled = ax.contourf(speed, torque, m.efficiency, levels=levels, cmap="YlGnBu", extend="min")
    filled.set(edgecolor="face", linewidth=0.3)  # no seams between the bands on a dark page
    bar = fig.colorbar(filled, ax=ax, pad=0.02, aspect=28, format=lambda v, _: f"{100 * v:.0f} %", ticks=levels)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=10, colors=INK, length=0)
    _limit(ax, m, unit, torque)
    if point is not None:
        ax.plot(
            point[0] * RPM,
            unit.of(point[1]),
            "o",
            color="#d64545",
            markeredgecolor="white",
            markersize=9,
            label="end of the run",
        )
    ax.set_title("efficiency", loc="right", color=INK)
    ax.set(xlabel="speed, rpm", ylabel=f"air-gap torque, {unit.text}", xlim=(0, None), ylim=(0, None))
    plain_ticks(ax.xaxis)
    plain_ticks(ax.yaxis)
    legend(fig, loc="outside lower center", ncols=3 if width > 400 else 1, columnspacing=1.2)
    return fig


def _limit(ax, m, unit, torque):
    """The limit: solid where the controller gets there, dashed and hatched where that needs field weakening."""
    beyond = np.asarray(getattr(m, "needs_field_weakening", np.zeros(m.torque.shape, bool)), bool)
    beyond = np.broadcast_to(beyond, m.torque.shape)
    edge, line, reach = beyond[-1], unit.of(m.torque_limit), getattr(m, "torque_reach", None)
    held = np.where(edge, np.nan, line) if reach is None else unit.of(reach)
    ended = np.append(False, held[:-1] == 0)  # from where it is nothing, no line along the axis
    told = "controller's limit" if beyond.any() else "torque limit"
    ax.plot(m.omega_m * RPM, np.where(ended, np.nan, held), color=INK, linewidth=1.8, label=told)
    if not beyond.any():
        return
    joined = edge | np.append(edge[1:], False)
    ax.plot(m.omega_m * RPM, np.where(joined, line, np.nan), "--", color=INK, linewidth=1.4, label="motor's limit")
    from matplotlib import rc_context

    with rc_context({"hatch.color": "#ffffff", "hatch.linewidth": 1.0}):
        low = np.where(beyond, torque, np.inf).min(axis=0) if reach is None else held
        for look in ({"facecolor": "#ffffff66"}, {"facecolor": "none", "hatch": "//"}):
            ax.fill_between(m.omega_m * RPM, low, line, where=beyond.any(axis=0), linewidth=0, **look)
        ax.fill_between([], [], facecolor="#9fb3c8", hatch="///", linewidth=0, label="needs field weakening")


def solid_picture(parts, turn: float = -50.0, tilt: float = 28.0):
    """Shaded picture of triangles by painter's order: parts are (vertices, faces, colour)."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    a, e = np.radians([turn, tilt])
    view = np.array(
        [
            [-np.sin(a), np.cos(a), 0],
            [-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)],
            [np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)],
        ]
    )
    light = np.array([0.35, 0.55, 0.76])
    triangles, colours, depth = [], [], []
    for vertices, faces, colour in parts:
        p = (vertices @ view.T)[faces] * 1e3
        normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        front = normal[:, 2] > 0
        shade = 0.42 + 0.58 * np.clip(normal[front] @ light, 0, 1)
        triangles.append(p[front][:, :, :2])
        colours.append(np.array(to_rgb(colour)) * shade[:, None])
        ends = np.abs(normal[front] @ view[:, 2]) > 0.99
        depth.append(p[front][:, :, 2].mean(axis=1) - 0.01 * ends)  # where two parts meet, the seam is the wall's
    order = np.argsort(np.concatenate(depth))
    points, rgb = np.concatenate(triangles)[order], np.clip(np.concatenate(colours)[order], 0, 1)
    fig, axes = figure(460, 345)
    ax = axes[0, 0]
    ax.add_collection(PolyCollection(points, facecolors=rgb, edgecolors=rgb, linewidths=0.3))
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.axis("off")
    return fig
