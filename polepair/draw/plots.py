"""Pictures from plain arrays: matplotlib figures without a window. Matplotlib is imported where it draws."""

import numpy as np

from .section import PHASE_COLOURS

INK, GRID, MUTED = "#1f2933", "#e4e7eb", "#7b8794"
FILL = {"stator": "#9aa5b1", "former": "#e6dfc8", "rotor": "#c3cad2", "shaft": "#7b8794", "housing": "#52606d"}
RPM = 30 / np.pi


def figure(width: float = 7.0, height: float = 3.4, rows: int = 1, columns: int = 1, **kw):
    """A figure and its axes in the house style."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, **kw)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(MUTED)
        ax.tick_params(colors=INK, labelsize=9)
        ax.grid(True, color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
    return fig, axes


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


def cross_section(shapes):
    """Drawing of a cross-section: phases by colour, sense of the coil sides by cross (in) and dot (out)."""
    fig, axes = figure(5.6, 5.6)
    ax = axes[0, 0]
    ax.grid(False)
    for s in shapes:
        colour = PHASE_COLOURS.get(s.phase) or (
            ("#e07a5f" if s.sign > 0 else "#5b8fb9") if s.kind == "magnet" else FILL.get(s.kind, "#ddd")
        )
        ax.add_patch(_patch(s, colour, "white" if s.kind in ("magnet", "coil") else INK))
        if s.kind == "coil":
            x, y = s.points.mean(axis=0) * 1e3
            ax.plot(
                x,
                y,
                marker="x" if s.sign > 0 else "o",
                color="white",
                markersize=5 if s.sign > 0 else 3.5,
                markeredgewidth=1.4,
            )
    reach = max(np.abs(s.points).max() for s in shapes) * 1e3 * 1.04
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="mm")
    for phase, colour in PHASE_COLOURS.items():
        ax.plot([], [], "s", color=colour, label=f"phase {phase}")
    ax.plot([], [], "s", color="#e07a5f", label="north")
    ax.plot([], [], "s", color="#5b8fb9", label="south")
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 1.08),
        ncol=5,
        frameon=False,
        fontsize=9,
        handletextpad=0.2,
        columnspacing=1.0,
    )
    return fig


def time_series(result, names=("omega_m", "torque", "iq")):
    """Channels over time, one strip each."""
    fig, axes = figure(7.2, 1.0 + 1.7 * len(names), len(names), 1, sharex=True)
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.plot(result["time"], result[name], color="#2f6fd6", linewidth=1.2)
        ax.set_ylabel(f"{name}\n{result.unit(name)}", fontsize=9)
    axes[-1, 0].set_xlabel("time, s", fontsize=9)
    return fig


def spin_up(result, speed_ref: float):
    """Speed against its reference, torque against load, phase currents."""
    fig, axes = figure(6.0, 6.2, 3, 1)
    t = result["time"] * 1e3
    ax = axes[0, 0]
    ax.axhline(speed_ref * RPM, color=MUTED, linestyle="--", linewidth=1, label="reference")
    ax.plot(t, result["omega_m"] * RPM, color="#2f6fd6", label="speed")
    ax.set_ylabel("speed, rpm", fontsize=9)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    ax = axes[1, 0]
    ax.plot(t, result["torque"] * 1e3, color="#d64545", linewidth=1.1, label="air gap")
    ax.plot(t, result["torque_load"] * 1e3, color="#7b8794", linewidth=1.2, label="load and friction")
    ax.set_ylabel("torque, mN m", fontsize=9)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    ax.set_xlabel("time, ms", fontsize=9)
    ax = axes[2, 0]
    window = slice(_last_periods(result, 3), None)
    for phase, colour in PHASE_COLOURS.items():
        ax.plot(t[window], result[f"i{phase}"][window], color=colour, linewidth=1.2, label=f"phase {phase}")
    ax.set_ylabel("current, A", fontsize=9)
    ax.set_xlabel("time, ms (the last three electrical periods)", fontsize=9)
    ax.margins(x=0)
    ax.legend(frameon=False, fontsize=9, ncol=3, loc="lower right", bbox_to_anchor=(1, 0.98))
    return fig


def _last_periods(result, count: int) -> int:
    """First row of the last `count` periods of phase a, by its upward zero crossings."""
    i = result["ia"]
    rises = np.flatnonzero((i[:-1] < 0) & (i[1:] >= 0))
    return int(rises[-count - 1]) if len(rises) > count else 0


def torque_speed(m):
    """Torque limit over speed with the efficiency inside it, from an OperatingMap."""
    omega_grid = np.broadcast_to(m.omega_m, m.torque.shape)
    fig, axes = figure(6.0, 4.6)
    ax = axes[0, 0]
    levels = [0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    filled = ax.contourf(omega_grid * RPM, m.torque * 1e3, m.efficiency, levels=levels, cmap="YlGnBu", extend="min")
    bar = fig.colorbar(filled, ax=ax, pad=0.02, format=lambda v, _: f"{100 * v:.0f} %")
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    ax.plot(m.omega_m * RPM, m.torque_limit * 1e3, color=INK, linewidth=1.8)
    ax.set_title("efficiency", loc="right", fontsize=9, color=INK)
    ax.set(xlabel="speed, rpm", ylabel="torque, mN m", xlim=(0, None), ylim=(0, None))
    return fig


def sweep_maps(table, axes_names, outputs):
    """Outputs over the first two parameters of a sweep: maps, or curves when only one varies."""
    fig, axes = figure(11.0, 3.6, 1, len(outputs))
    x = table[axes_names[0]]
    for ax, output in zip(axes[0], outputs, strict=True):
        z = table[output]
        label = f"{output}, {table.unit(output)}"
        if len(axes_names) > 1:
            y = table[axes_names[1]]
            mesh = ax.pcolormesh(np.unique(x), np.unique(y), _grid(x, y, z), cmap="viridis", shading="nearest")
            bar = fig.colorbar(mesh, ax=ax, pad=0.02)
            bar.outline.set_visible(False)
            bar.ax.tick_params(labelsize=8)
            ax.set_ylabel(axes_names[1], fontsize=9)
            ax.set_title(label, fontsize=9, color=INK)
            ax.grid(False)
        else:
            ax.plot(x, z, color="#2f6fd6")
            ax.set_ylabel(label, fontsize=9)
        ax.set_xlabel(axes_names[0], fontsize=9)
    return fig


def _grid(x, y, z):
    xs, ys = np.unique(x), np.unique(y)
    grid = np.full((len(ys), len(xs)), np.nan)
    grid[np.searchsorted(ys, y), np.searchsorted(xs, x)] = z
    return grid


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
        depth.append(p[front][:, :, 2].mean(axis=1))
    order = np.argsort(np.concatenate(depth))
    points, rgb = np.concatenate(triangles)[order], np.clip(np.concatenate(colours)[order], 0, 1)
    fig, axes = figure(6.4, 4.8)
    ax = axes[0, 0]
    ax.add_collection(PolyCollection(points, facecolors=rgb, edgecolors=rgb, linewidths=0.3))
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.axis("off")
    return fig
