"""The look of every plot as a list of what is on it: it changes only on purpose (LOOKS=write replaces the list)."""

import os
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

import polepair as pp
from polepair.draw import plots, section, sweep_plots, views

LIST = Path(__file__).parent / "looks.txt"


def number(x):
    return f"{float(x):.4g}"


def line(artist):
    x = np.asarray(artist.get_xdata(), float)
    y = np.asarray(artist.get_ydata(), float)
    ends = f"{len(x)} {number(x.min())}..{number(x.max())} {number(y.min())}..{number(y.max())}" if len(x) else "0"
    style = f"{artist.get_linestyle()} {number(artist.get_linewidth())} {artist.get_marker()}"
    style += f" {number(artist.get_markersize())} {number(artist.get_markeredgewidth())}"
    return f"line {to_hex(artist.get_color())} {style} {ends} {artist.get_label().lstrip('_')[:20]}"


def collection(artist):
    data = artist.get_array()
    faces = artist.get_facecolors() if data is None else []
    colours = sorted({to_hex(c) for c in faces})
    bounds = "" if data is None else f" {np.shape(data)} {number(np.nanmin(data))}..{number(np.nanmax(data))}"
    paths = (
        [p.vertices for p in artist.get_paths() if len(p.vertices)]
        if data is None or "Contour" in type(artist).__name__
        else []
    )
    reach = f" {number(np.concatenate(paths).min())}..{number(np.concatenate(paths).max())}" if paths else ""
    shades = f" {len(colours)} colours {' '.join(colours[:3])}" if colours else f" {artist.get_cmap().name}"
    wide = number(np.max(artist.get_linewidths(), initial=0))
    return f"{type(artist).__name__} {len(artist.get_paths())} {wide}{shades}{bounds}{reach}"


def axis(ax):
    ends = [number(v) for v in (*ax.get_xlim(), *ax.get_ylim())]
    yield f"axes x {ends[0]}..{ends[1]} y {ends[2]}..{ends[3]} {ax.get_aspect()}"
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title, ax._right_title):
        if text.get_text():
            yield f"text {text.get_text()!r} {number(text.get_fontsize())} {to_hex(text.get_color())}"
    ticks = ax.yaxis.get_major_ticks()[0]
    grid = ticks.gridline
    yield f"ticks {number(ticks.label1.get_fontsize())} {to_hex(ticks.label1.get_color())} below {ax.get_axisbelow()}"
    yield f"grid {grid.get_visible()} {to_hex(grid.get_color())} {number(grid.get_linewidth())} on {ax.axison}"
    for side, spine in ax.spines.items():
        colour = to_hex(spine.get_edgecolor()) if side != "outline" else ""
        yield f"spine {side} {spine.get_visible()} {colour}".rstrip()
    yield from map(line, ax.lines)
    patches = [
        f"{to_hex(p.get_facecolor())} {to_hex(p.get_edgecolor())} {number(p.get_linewidth())}" for p in ax.patches
    ]
    yield from (f"patch {n} x {p}" for p, n in sorted((p, patches.count(p)) for p in set(patches)))
    yield from map(collection, ax.collections)
    legend = ax.get_legend()
    if legend:
        words = [t.get_text() for t in legend.get_texts()]
        box = [number(v) for v in legend.get_bbox_to_anchor().transformed(ax.transAxes.inverted()).bounds[:2]]
        size = number(legend.get_texts()[0].get_fontsize())
        space = f"{number(legend.handletextpad)} {number(legend.columnspacing)}"
        yield f"legend {words} {size} {legend._ncols} frame {legend.get_frame_on()} {legend._loc} {box} {space}"


def looks(figure):
    """Everything that is on a figure, one row each."""
    wide, high, engine = figure.get_figwidth(), figure.get_figheight(), type(figure.get_layout_engine()).__name__
    yield f"figure {number(wide)} x {number(high)} {engine}"
    for ax in figure.axes:
        yield from axis(ax)
    for key in figure.legends:
        words = [t.get_text() for t in key.get_texts()]
        yield f"figure legend {words} {number(key.get_texts()[0].get_fontsize())} {key._ncols}"


def figures():
    motor = pp.load("outrunner-12s14p")
    run = pp.Twin(motor, pp.Foc(speed=300, ramp=0)).run(0.3)
    yield "section", plots.cross_section(section.cross_section(motor))
    inner = pp.load("pyleecan-spmsm-001")
    yield "section inner", plots.cross_section(section.cross_section(inner))
    yield "series", run.plot(("omega_m", "iq"))
    yield "spin up", plots.spin_up(run, 300.0)
    yield "torque speed", plots.torque_speed(pp.efficiency_map(motor, speeds=20, shares=10))
    table = pp.sweep(
        pp.Twin(motor), {"magnet.Br": [1.0, 1.1, 1.2], "winding.turns": [10, 12]}, 0.002, ["iq.final", "torque.final"]
    )
    yield "map", sweep_plots.sweep_plot(table, views.View("map", tuple(views.varied(table))), "iq.final")
    yield "curves", sweep_plots.sweep_plot(table, views.view_of(table), "iq.final")
    yield "points", sweep_plots.sweep_plot(table, views.View("points", tuple(views.varied(table))), "iq.final")
    yield "strips", sweep_plots.sweep_plot(table, views.View("strips", tuple(views.varied(table))), "iq.final")
    yield "narrow", sweep_plots.sweep_plot(table, views.view_of(table), "torque.final", plots.NARROW)
    corner = np.array([[0, 0, 0], [0.01, 0, 0], [0, 0.02, 0], [0, 0, 0.03]], float)
    yield "plain", plots.figure()[0]
    yield "solid", plots.solid_picture([(corner, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]), "#336699")])


def test_looks():
    version = matplotlib.__version__.rsplit(".", 1)[0]
    found = f"matplotlib {version}\n" + "".join(
        f"== {name}\n" + "".join(f"{row}\n" for row in looks(figure)) for name, figure in figures()
    )
    if os.environ.get("LOOKS") == "write":
        LIST.write_text(found)
    if LIST.read_text().splitlines()[0] != f"matplotlib {version}":
        pytest.skip("the list is of another matplotlib, whose defaults differ")
    assert found == LIST.read_text()
