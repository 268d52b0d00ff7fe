"""Pictures of sweeps: every case is on them, by name and unit, and what did not run is not hidden."""

import re

import numpy as np
import pytest

import polepair as pp
from polepair.draw import plots, quantities, sweep_plots, views
from polepair.run import plans
from polepair.table import channels, derived, parameters

OUTPUT = "i_s.rms"
RANGES = {"magnet.Br": (1.0, 1.4), "rotor.gap": (3e-4, 1e-3), "stator.length": (8e-3, 15e-3)}


@pytest.fixture(scope="module")
def twin():
    return pp.Twin(pp.load("outrunner-12s14p"))


def swept(twin, axes, outputs=(OUTPUT,)):
    return pp.sweep(twin, axes, 0.003, list(outputs))


def interrupted(twin):
    """A sweep of which the last third did not run, as a stop leaves it."""
    table = swept(twin, {"magnet.Br": np.linspace(1, 1.4, 12), "rotor.gap": np.linspace(3e-4, 1e-3, 8)})
    table.block[64:, -1], table.block[64:, 2:-1] = views.CANCELLED, np.nan
    return table


SWEEPS = {
    "two axes": lambda t: swept(t, {"magnet.Br": np.linspace(1, 1.4, 9), "rotor.gap": np.linspace(3e-4, 1e-3, 7)}),
    "few values": lambda t: swept(t, {"magnet.Br": np.linspace(1, 1.4, 9), "winding.turns": [10, 12, 14]}),
    "three axes": lambda t: swept(
        t,
        {
            "winding.turns": [10, 14, 18],
            "magnet.Br": np.linspace(1, 1.4, 8),
            "rotor.gap": np.linspace(3e-4, 1e-3, 6),
        },
    ),
    "many panels": lambda t: swept(
        t,
        {
            "winding.turns": list(range(8, 20)),
            "magnet.Br": np.linspace(1, 1.4, 14),
            "rotor.gap": np.linspace(3e-4, 1e-3, 13),
        },
    ),
    "four axes": lambda t: swept(
        t, {"winding.turns": [10, 14], "magnet.Br": [1, 1.2, 1.4], "rotor.gap": [4e-4, 8e-4], "stator.slots": [12, 9]}
    ),
    "Sobol": lambda t: swept(t, plans.sobol({k: RANGES[k] for k in ("magnet.Br", "rotor.gap")}, 64)),
    "Sobol of three": lambda t: swept(t, plans.sobol(RANGES, 64)),
    "Sobol of long names": lambda t: swept(
        t, plans.sobol({"stator.winding_thickness": (1e-3, 2e-3), "winding.wire_diameter": (3e-4, 6e-4), **RANGES}, 32)
    ),
    "random of one": lambda t: swept(t, plans.random({"magnet.Br": (1.0, 1.4)}, 20)),
    "choice": lambda t: swept(t, {"magnet.shape": ["arc", "flat_base"], "rotor.gap": np.linspace(3e-4, 1e-3, 8)}),
    "choice alone": lambda t: swept(t, {"magnet.shape": ["arc", "flat_base"]}),
    "one case": lambda t: swept(t, {"magnet.Br": [1.2]}),
    "refused": lambda t: swept(
        t, {"winding.turns": list(range(8, 28, 2)), "winding.wire_diameter": np.linspace(3e-4, 1.2e-3, 10)}
    ),
    "refused for two reasons": lambda t: swept(
        t,
        {
            "winding.turns": list(range(8, 28, 3)),
            "stator.tooth_width": np.linspace(2e-3, 12e-3, 8),
            "magnet.width": [6e-3, 1e-2],
        },
    ),
    "all refused": lambda t: swept(t, {"stator.slots": [10, 11, 13], "magnet.Br": np.linspace(1, 1.4, 7)}),
    "interrupted": interrupted,
    "not a number": lambda t: swept(
        t, (("magnet.Br", "rotor.gap"), np.array([[1.0, 4e-4], [np.nan, 5e-4], [1.2, 6e-4], [1.3, 7e-4]]))
    ),
}
every_sweep = pytest.mark.parametrize("kind", SWEEPS)


def places(table, view):
    """Where each case stands: panel, across, up (one place for each strip)."""
    return {a.name: a.places(table[a.name]) for a in view.axes}


def covers(collection, x, y):
    return any(p.contains_point((x, y)) for p in collection.get_paths())


def marked(ax):
    """Points of every artist that marks single cases: (x, y) rows, and their legend text."""
    for line in ax.lines:
        if line.get_linestyle() == "None":
            yield line.get_label(), np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float)
    for c in ax.collections:
        if type(c).__name__ == "PathCollection":
            yield c.get_label(), np.asarray(c.get_offsets())


@every_sweep
def test_every_case_is_in_the_picture(kind, twin):
    """Each case that ran colours its cell or is a point with its value; each that did not is hatched or crossed."""
    table = SWEEPS[kind](twin)
    view = views.view_of(table)
    figure = sweep_plots.sweep_plot(table, view, OUTPUT)
    fates, reasons = views.fates_of(table)
    panels = views.panels_of(table, view) if view.kind != "strips" else [("", np.arange(len(table)))] * len(view.axes)
    seen = np.concatenate([rows for _, rows in panels]) if view.kind != "strips" else np.arange(len(table))
    assert sorted(seen) == list(range(len(table)))
    unit = quantities.shown(table.unit(OUTPUT), table[OUTPUT][fates == views.RAN], OUTPUT)
    at = places(table, view)
    for k, (ax, (_, rows)) in enumerate(zip(figure.axes, panels, strict=False)):
        x = at[view.axes[k if view.kind == "strips" else 0].name]
        inside = [j for j in rows if all(np.isfinite(at[a.name][j]) for a in view.axes)]
        ran = [j for j in inside if fates[j] == views.RAN and np.isfinite(table[OUTPUT][j])]
        if view.kind == "map":
            check_cells(ax, table, view, ran, [j for j in inside if fates[j] != views.RAN], unit)
            continue
        points = np.concatenate([p for _, p in marked(ax)] or [np.empty((0, 2))])
        points = points[np.isfinite(points).all(axis=1)]
        assert len(points) == len(inside)
        values = at[view.axes[1].name] if view.kind == "points" else unit.of(table[OUTPUT])
        for j in ran:
            assert np.isclose(points, [x[j], values[j]], rtol=1e-9).all(axis=1).any(), (kind, j)
    words = " ".join(t.get_text() for key in figure.legends for t in key.get_texts()).replace("\n", " ")
    assert all(reason in words for reason in reasons)
    assert ("interrupted" in words) == (fates == views.NOT_RUN).any()


def check_cells(ax, table, view, ran, others, unit):
    """The mesh holds the mean of each cell's cases; cells of cases without a value are hatched."""
    x, y = view.axes[:2]
    mesh = next(c for c in ax.collections if type(c).__name__ == "QuadMesh")
    cells = np.ma.filled(mesh.get_array(), np.nan).reshape(len(y.values), len(x.values))
    held = {}
    for j in ran:
        where = np.searchsorted(y.values, table[y.name][j]), np.searchsorted(x.values, table[x.name][j])
        held.setdefault(where, []).append(unit.of(table[OUTPUT][j]))
    assert np.isfinite(cells).sum() == len(held)
    assert all(np.isclose(cells[where], np.mean(values)) for where, values in held.items())
    hatched = [c for c in ax.collections if type(c).__name__ == "PolyCollection"]
    assert all(c.get_hatch() and c.get_label() for c in hatched)
    for j in others:
        place = x.places(table[x.name][j]), y.places(table[y.name][j])
        assert any(covers(c, *place) for c in hatched)


@every_sweep
def test_axes_have_words_and_units(kind, twin):
    table = SWEEPS[kind](twin)
    view = views.view_of(table)
    for width in (None, plots.NARROW):
        figure = sweep_plots.sweep_plot(table, view, OUTPUT, width)
        text = [ax.get_xlabel() for ax in figure.axes] + [ax.get_ylabel() for ax in figure.axes]
        text += [ax.get_title(loc="left") for ax in figure.axes]
        text.append(figure.get_suptitle())
        words = (
            " ".join(text).replace("\n", " ")
            + " "
            + " ".join(t.get_text() for key in figure.legends for t in key.get_texts())
        )
        for axis in view.axes:
            assert axis.name in words and axis.unit.text in words
        assert re.search(r"amplitude of the stator current vector, rms \(i_s\.rms\), m?A\b", words)


@every_sweep
def test_nothing_is_cut_off_and_type_is_readable(kind, twin):
    """At a telephone's width too: a point of type is a pixel there."""
    table = SWEEPS[kind](twin)
    view = views.view_of(table)
    for width in (None, plots.NARROW):
        figure = sweep_plots.sweep_plot(table, view, OUTPUT, width)
        figure.draw_without_rendering()
        frame, drawn = figure.bbox, figure.get_tightbbox().padded(0)
        dpi = figure.dpi
        assert drawn.x0 * dpi > frame.x0 - 2 and drawn.x1 * dpi < frame.x1 + 2, (kind, width)
        assert drawn.y0 * dpi > frame.y0 - 2 and drawn.y1 * dpi < frame.y1 + 2, (kind, width)
        sizes = [t.get_fontsize() for t in figure.findobj(lambda a: hasattr(a, "get_fontsize")) if t.get_text()]
        assert min(sizes) >= 10


def test_what_the_plan_says_is_drawn(twin):
    kinds = {k: views.view_of(make(twin)) for k, make in SWEEPS.items() if k != "one case"}
    found = {k: v.kind for k, v in kinds.items()}
    assert found["two axes"] == found["three axes"] == found["interrupted"] == found["many panels"] == "map"
    assert found["few values"] == found["choice"] == found["choice alone"] == found["random of one"] == "curves"
    assert found["Sobol"] == "points" and found["Sobol of three"] == found["four axes"] == "strips"
    assert kinds["three axes"].panel.name == "winding.turns"
    assert not any(v.rest for v in kinds.values())  # no axis is dropped by itself


def test_any_two_axes_by_choice(twin):
    table = SWEEPS["three axes"](twin)
    view = views.view_of(table, ("rotor.gap", "magnet.Br"))
    assert [a.name for a in view.axes] == ["rotor.gap", "magnet.Br", "winding.turns"] and view.kind == "map"
    figure = sweep_plots.sweep_plot(table, view, OUTPUT)
    assert [ax.get_title(loc="left") for ax in figure.axes[:3]] == [f"winding.turns {n}" for n in (10, 14, 18)]
    scattered = SWEEPS["Sobol of three"](twin)
    view = views.view_of(scattered, ("stator.length", "magnet.Br"))
    assert view.kind == "points" and view.panel.name == "rotor.gap"
    assert sum(len(rows) for _, rows in views.panels_of(scattered, view)) == 64
    four = views.view_of(SWEEPS["four axes"](twin), ("magnet.Br", "winding.turns"))
    assert len(four.axes) == 3 and len(four.rest) == 1
    for names, wrong in (
        (("magnet.br", "rotor.gap"), "magnet.br: not varied in this sweep, did you mean magnet.Br"),
        (("magnet.Br", "magnet.Br"), "expected one to three different parameters"),
        ((), "expected one to three"),
    ):
        with pytest.raises(ValueError, match=wrong):
            views.view_of(table, names)
    with pytest.raises(ValueError, match="outputs: i_s.rm: not in this sweep, did you mean i_s.rms"):
        views.outputs_of(table, ["i_s.rm"])


def test_choices_stand_by_name(twin):
    table = SWEEPS["choice alone"](twin)
    ax = sweep_plots.sweep_plot(table, views.view_of(table), OUTPUT).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["arc", "flat base"]
    table = SWEEPS["choice"](twin)
    figure = sweep_plots.sweep_plot(table, views.view_of(table), OUTPUT)
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert words == ["magnet.shape arc", "magnet.shape flat_base"]
    swapped = views.view_of(table, ("magnet.shape", "rotor.gap"))
    assert [t.get_text() for t in sweep_plots.sweep_plot(table, swapped, OUTPUT).axes[0].get_xticklabels()] == [
        "arc",
        "flat base",
    ]


@pytest.mark.parametrize("axes", [{"magnet.Br": 8}, {"magnet.Br": 8, "rotor.gap": 7}])
def test_a_constant_is_flat(axes, twin):
    """Rounding is not drawn as a change, nor written out as ticks of fifteen figures."""
    grid = {name: np.linspace(*RANGES[name], count) for name, count in axes.items()}
    table = swept(twin, grid, ["omega_m.final"])
    table.block[:, -2] = 418.87902047864 + 1e-9 * np.random.default_rng(0).random(len(table))
    figure = sweep_plots.sweep_plot(table, views.view_of(table), "omega_m.final")
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim() if len(axes) == 1 else figure.axes[0].collections[0].get_clim()
    assert high - low >= 39 and low < 4000 < high
    axis = figure.axes[0 if len(axes) == 1 else 1].yaxis
    texts = [t.get_text() for t in axis.get_ticklabels()]
    assert texts and all(len(t) <= 6 for t in texts) and not axis.get_offset_text().get_text()


@pytest.mark.parametrize(
    ("value", "unit", "name", "text"),
    [
        (0.0003, "m", "rotor.gap", "0.3 mm"),
        (2e-6, "m", "", "2 µm"),
        (418.879, "rad/s", "omega_m.final", "4000 rpm"),
        (418.879, "rad/s", "control.speed_ref", "4000 rpm"),
        (60, "rad/s", "control.alpha_s", "60 rad/s"),
        (0.358, "N*m", "", "358 mN m"),
        (5.4, "N*m", "", "5.4 N m"),
        (113.876e-6, "H", "", "113.9 µH"),
        (345e-7, "kg*m^2", "", "345 g cm²"),
        (1.2e-4, "kg*m^2", "", "1.2 kg cm²"),
        (0.1279, "ohm", "", "127.9 mΩ"),
        (19.352, "rad/s/V", "", "184.8 rpm/V"),
        (0.49466, "V*s", "", "51.8 V/krpm"),
        (5000, "rad/s^2", "", "47.75 krpm/s"),
        (-0.0011, "1/K", "", "-0.11 %/K"),
        (1.73e-8, "ohm*m", "", "17.3 nΩ m"),
        (20, "degC", "", "20 °C"),
        (0, "m", "", "0 m"),
        (16, "1", "", "16"),
        (12345.6, "1", "", "12,346"),
        (float("nan"), "A", "", "not finite A"),
        (7650, "kg/m^3", "", "7650 kg/m³"),
    ],
)
def test_units_as_people_write_them(value, unit, name, text):
    assert quantities.quantity(value, unit, name) == text


def test_every_name_has_words_and_every_unit_a_form():
    """No star, caret or plain ohm on a picture, and a value comes back from its display unit."""
    rows = {**parameters(), **derived(), **{f"{c}.mean": f for c, f in channels().items()}}
    for name, row in rows.items():
        assert quantities.meaning(name) and "(" not in quantities.meaning(name), name
        for value in (1e-9, 3.7e-4, 0.02, 1.0, 2.5e3):
            unit = quantities.shown(row.unit, [value], name)
            assert not set("*^") & set(unit.text.replace("^(3/2)", "")) and "ohm" not in unit.text
            assert float(unit.of(value)) * unit.size == pytest.approx(value)
    for unit, steps in quantities.UNITS.items():
        assert [s[0] for s in steps] == sorted(s[0] for s in steps), unit
