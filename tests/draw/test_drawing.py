"""Sections, parts, poses, keyframes and plots against the closed forms of the core and their own definitions."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import polepair as pp
from polepair.draw import keyframes, parts, plots, pose, section

MOTORS = [n for n in pp.catalogue() if pp.load(n).has_geometry]


def variants():
    """Motors with and without teeth, inside and outside, flat magnets, one layer."""
    for name in MOTORS:
        yield pytest.param(pp.load(name), id=name)
    for name, changes in {
        "flat": {"magnet.shape": "flat_base"},
        "radial": {"stator.slot_shape": "radial_slot"},
        "single": {"winding.layers": 1, "rotor.pole_pairs": 5},
        "overlapping": {"rotor.pole_pairs": 2, "stator.slot_depth": 0.01},
        "open": {"stator.slot_opening": 0, "stator.tip_height": 0},
        "bare": {"material.housing_thickness": 0, "rotor.bearing_width": 0, "rotor.web_thickness": 0},
        "short ends": {"winding.end_length": 0.001},
        "slotless": {"stator.slots": 0, "stator.winding_thickness": 0.002, "winding.wire_diameter": 3e-4},
    }.items():
        motor = pp.Motor(name)
        for key, value in changes.items():
            motor.set(key, value)
        motor.derive()
        yield pytest.param(motor, id=name)


every_motor = pytest.mark.parametrize("motor", list(variants()))


def area(points):
    x, y = points.T
    return 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))


def inside(points, x, y):
    """True where a point lies in a polygon, by counting crossings."""
    a, b = points, np.roll(points, -1, axis=0)
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    at = a[:, 0] + (y - a[:, 1]) / np.where(crosses, b[:, 1] - a[:, 1], 1) * (b[:, 0] - a[:, 0])
    return np.sum(crosses & (x < at)) % 2 == 1


def shape_area(shape):
    return abs(area(shape.points)) - sum(abs(area(h)) for h in shape.holes)


def of_kind(shapes, kind):
    return [s for s in shapes if s.kind == kind]


def test_rotation_and_circles():
    turned = section.rotate(np.array([[1.0, 0], [0, 2]]), np.pi / 2)
    assert np.allclose(turned, [[0, 1], [-2, 0]])
    ring = section.circle(2.0, 100)
    assert ring.shape == (100, 2) and np.allclose(np.hypot(*ring.T), 2) and area(ring) > 0
    assert section.ring("x", 0, 1).holes == () and len(section.ring("x", 0.5, 1).holes) == 1
    assert shape_area(section.ring("x", 1, 2)) == pytest.approx(3 * np.pi, rel=1e-3)


def test_arcs_become_chords():
    quarter = np.array([[2.0, 0, 1], [0, 2, 0], [0, 0, 0]])
    for chord in (0.5, 0.03, 0.001):
        points = section.flatten(quarter, chord)
        r = np.hypot(*points[:-1].T)
        assert np.allclose(r, 2) and len(points) == int(np.ceil(np.pi / 2 / chord)) + 2
        angles = np.arctan2(points[:-1, 1], points[:-1, 0])
        assert np.allclose(np.diff(angles), np.pi / 2 / (len(points) - 2)) and np.diff(angles).max() <= chord
    assert area(points) == pytest.approx(np.pi, rel=1e-6)
    across = np.array([[-1.0, 0.1, 1], [-1, -0.1, 0]])  # the shorter way, through half a turn
    assert (section.flatten(across, 0.03, closed=False)[:, 0] < -0.99).all()
    tiny = section.flatten(np.array([[1.0, 0, 1], [np.cos(1e-3), np.sin(1e-3), 0]]), closed=False)
    assert len(tiny) == 3  # never fewer than two chords
    line = section.flatten(np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 1]]), closed=False)
    assert line.tolist() == [[0, 0], [1, 0], [1, 1]]


@every_motor
def test_sections_weigh_what_the_core_says(motor):
    shapes, masses, dims = section.cross_section(motor), motor.masses(), motor.dims()
    L = motor.stator.length
    stator = of_kind(shapes, "stator" if motor.stator.core == "iron" else "former")
    assert len(stator) == 1
    assert shape_area(stator[0]) * L == pytest.approx(masses["stator"]["volume"], rel=2e-3)
    magnets = of_kind(shapes, "magnet")
    assert len(magnets) == 2 * motor.rotor.pole_pairs and [m.sign for m in magnets[:3]] == [1, -1, 1]
    assert sum(map(shape_area, magnets)) * dims["magnet_length"] == pytest.approx(masses["magnets"]["volume"], rel=2e-3)
    rotor = of_kind(shapes, "rotor")[0]
    bell = 0 if dims["sign"] > 0 else np.pi * (dims["r_core"] ** 2 - dims["r_corner"] ** 2) * dims["overhang"]
    if dims["sign"] > 0:
        assert shape_area(rotor) * L == pytest.approx(masses["rotor_core"]["volume"], rel=4e-3, abs=1e-10)
    else:
        assert shape_area(rotor) * L + bell == pytest.approx(masses["rotor_core"]["volume"], rel=2e-2)
    assert len(of_kind(shapes, "shaft")) == (dims["r_shaft"] > 0)
    housing = of_kind(shapes, "housing")
    assert len(housing) == (dims["sign"] > 0 and motor.material.housing_thickness > 0)
    if housing:
        assert shape_area(housing[0]) == pytest.approx(np.pi * (dims["r_housing"] ** 2 - dims["r_yoke"] ** 2), rel=1e-3)


@every_motor
def test_coil_sides_are_the_winding(motor):
    dims, (sides, _, _) = motor.dims(), motor.winding_layout()
    coils = of_kind(section.cross_section(motor), "coil")
    pitch, seen = 2 * dims["half_pitch"], np.zeros((3, sides.shape[1]), int)
    low, high = sorted(
        [dims["r_gap"], dims["r_winding"]] if not motor.stator.slots else [dims["r_top"], dims["r_bottom"]]
    )
    for c in coils:
        x, y = c.points.mean(axis=0)
        slot = int(np.arctan2(y, x) % (2 * np.pi) // pitch)
        seen["abc".index(c.phase), slot] += c.sign
        r = np.hypot(*c.points.T)
        assert r.min() > low - 1e-12 and r.max() < high + 1e-12 and abs(c.sign) == 1
    assert (np.sign(seen) == np.sign(sides)).all() or (np.abs(sides).sum(axis=0) > np.abs(seen).sum(axis=0)).any()
    copper = sum(abs(area(c.points)) for c in coils)
    assert 0.6 * dims["slot_area"] < copper / sides.shape[1] < dims["slot_area"]


@every_motor
def test_coils_stay_out_of_the_iron(motor):
    if not motor.stator.slots:
        pytest.skip("no teeth")
    shapes = section.cross_section(motor)
    iron = of_kind(shapes, "stator")[0]
    inner = motor.dims()["sign"] > 0
    for c in of_kind(shapes, "coil")[:6]:
        for x, y in c.points:
            solid = inside(iron.points, x, y) and not inside(iron.holes[0], x, y)
            assert not solid, "copper in the iron"
        assert inner or np.hypot(*c.points.T).max() < motor.dims()["r_gap"]


def test_two_coils_share_a_slot_without_touching():
    motor = pp.load("outrunner-12s14p")
    coils = of_kind(section.cross_section(motor), "coil")
    pitch = 2 * motor.dims()["half_pitch"]
    assert len(coils) == 24
    for k in range(0, 24, 2):
        one, two = (np.unwrap(np.arctan2(*c.points.T[::-1])) % (2 * np.pi) / pitch for c in coils[k : k + 2])
        assert (one - k / 2 < 0.5).all() and (two - k / 2 > 0.5).all()
    phases = section.tooth_coils(motor)
    start = motor.winding_layout()[1]
    assert [phases[(k + 1) % 12] for k in range(12)] == list(start)


def test_the_rotor_turns_and_the_stator_does_not():
    motor = pp.load("outrunner-12s14p")
    still, turned = section.cross_section(motor), section.cross_section(motor, 0.3)
    for a, b in zip(still, turned, strict=True):
        moved = (
            section.rotate(a.points, 0.3)
            if a.kind in ("magnet",) or (a.kind == "rotor" and motor.dims()["sign"] > 0)
            else a.points
        )
        assert np.allclose(moved, b.points), a.kind
    m = of_kind(still, "magnet")
    assert np.allclose(section.rotate(m[0].points, np.pi / 7), m[1].points)


def test_colours():
    assert section.part_colour("coil", "b+") == section.PHASE_COLOURS["b"] != section.part_colour("coil", "a-")
    assert section.part_colour("coil") == section.MATERIAL_COLOURS["coil"]
    poles = {section.part_colour("magnet", pole) for pole in ("north", "south")}
    assert len(poles) == 2 and not poles & set(section.PHASE_COLOURS.values())  # a pole is no phase
    assert section.part_colour("magnet") == section.MATERIAL_COLOURS["magnet"]
    assert section.part_colour("shaft", "south") == section.MATERIAL_COLOURS["shaft"]
    assert section.part_colour("cheese") == "#999999"


def volume(part):
    def size(outline):
        if len(outline) == 1:
            return np.pi * outline[0, 0] ** 2
        return abs(area(section.flatten(outline, 0.002)))

    assert all(set(np.unique(o[:, 2])) <= {0, 1} for o in (part.outline, *part.holes))
    return (size(part.outline) - sum(map(size, part.holes))) * (part.z1 - part.z0) * len(part.copies)


@every_motor
def test_parts_weigh_what_the_core_says(motor):
    masses, found = motor.masses(), {}
    body = {
        "stator_core": "stator",
        "magnet": "magnets",
        "rotor_core": "rotor_core",
        "bell": "rotor_core",
        "web": "web",
        "shaft": "shaft",
        "bearing": "bearings",
        "housing": "housing",
        "cap": "housing",
        "tube": "housing",
        "base": "housing",
    }
    moments = {}
    for p in parts.motor_parts(motor):
        assert p.z1 > p.z0 and p.body == ("rotor" if p.material in ("rotor", "magnet", "shaft") else "stator")
        kind = body.get(p.name.rstrip("0123456789").rstrip("_"))
        if kind:
            found[kind] = found.get(kind, 0) + volume(p)
            moments[kind] = moments.get(kind, 0) + volume(p) * (p.z0 + p.z1) / 2
    for kind, v in masses.items():
        if kind in ("rotor", "teeth") or not isinstance(v, dict):
            continue
        assert found.get(kind, 0) == pytest.approx(v["volume"], rel=1e-4, abs=1e-12), kind
        if v["volume"] > 0:
            assert moments[kind] / found[kind] == pytest.approx(v["z"], abs=1e-8), kind


@every_motor
def test_coils_are_complete_and_named(motor):
    coils = [p for p in parts.motor_parts(motor) if p.material == "coil"]
    if not motor.stator.slots:
        half = motor.stator.length / 2 + motor.winding.end_length / 2
        assert [(p.name, p.z0, p.z1) for p in coils] == [("winding", -half, half)]
        return
    sides, starts, span = motor.winding_layout()
    tags = [p.tags[0] for p in coils]
    if span == 1:
        expected = np.roll(starts, 1)
        assert tags == ["abc"[abs(c) - 1] + "+-"[int(c < 0)] for c in expected if c]
        for p, k in zip(coils, [k for k, c in enumerate(expected) if c], strict=True):
            assert p.copies == pytest.approx((k * 2 * motor.dims()["half_pitch"],)) and p.name == f"coil_{k + 1:02d}"
            assert p.frame.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
            assert volume(p) > 0 and np.ptp(p.holes[0][:, 1]) == pytest.approx(motor.stator.length)
            assert np.ptp(p.outline[:, 1]) <= motor.stator.length + motor.winding.end_length + 1e-12
            r = sorted([motor.dims()["r_top"], motor.dims()["r_bottom"]])
            width = np.abs(p.outline[:, 0]).max() - np.abs(p.holes[0][:, 0]).max()
            end = (np.ptp(p.outline[:, 1]) - motor.stator.length) / 2
            assert end == pytest.approx(min(width, motor.winding.end_length / 2))
            cut = np.sort(np.abs(p.outline[:, 0]))[-1] - np.sort(np.abs(p.outline[:, 0]))[0]
            assert cut == pytest.approx(0.6 * end) and len(p.outline) == 8
            assert not p.outline[:, 2].any() and not p.holes[0][:, 2].any()  # straight edges only
            clear, inner = 0.03 * (r[1] - r[0]), np.abs(p.holes[0][:, 0]).max()
            assert np.hypot(p.z1, np.abs(p.outline[:, 0]).max()) == pytest.approx(r[1] - clear)
            assert np.hypot(p.z0, inner) == pytest.approx(r[0] + clear)
            half = np.arctan2(np.abs(p.outline[:, 0]).max(), p.z0)
            assert half < motor.dims()["half_pitch"]  # two neighbours do not touch
    else:
        first = np.abs(sides).argmax(axis=0)
        assert tags == ["abc"[k] + "-+"[int(sides[k, s] > 0)] for s, k in enumerate(first)]
        assert all(p.copies[0] == pytest.approx(s * 2 * motor.dims()["half_pitch"]) for s, p in enumerate(coils))
        assert coils[0].z1 == -coils[0].z0 == motor.stator.length / 2 + motor.winding.end_length / 2
        assert 0.8 < volume(coils[0]) / (motor.dims()["slot_area"] * 2 * coils[0].z1) < 1


@pytest.fixture(scope="module")
def run():
    return pp.Twin(pp.load("outrunner-12s14p"), pp.Foc(speed=300, ramp=0)).run(0.3)


def test_poses_are_quaternions_of_the_angle(run):
    times = np.array([0.0, 0.01234, 0.1, 0.3])
    angle = np.interp(times, run["time"], run["theta_m"])
    assert np.array_equal(pose.rotor_angle(run, times), angle) and pose.BODIES == ("stator", "rotor")
    found = pose.poses(run, times)
    assert found["stator"].tolist() == [[0, 0, 0, 1, 0, 0, 0]] * 4
    q = found["rotor"]
    assert (q[:, :3] == 0).all() and (q[:, 4:6] == 0).all() and np.allclose(np.hypot(q[:, 3], q[:, 6]), 1)
    assert np.allclose(np.exp(1j * angle), (q[:, 3] + 1j * q[:, 6]) ** 2)


def test_clips(run):
    shown = keyframes.clip(run, 2.0, 10, 7)
    assert len(shown.times) == 48 and shown.slow == 10 and shown.fps == 24
    assert np.allclose(shown.times, np.arange(48) / 240)
    slow = keyframes.clip(run, 2.0, 0, 7).slow
    fastest = np.abs(run["omega_m"]).max()
    assert slow == pytest.approx(fastest * 7 / (0.4 * np.pi * 24))
    assert fastest / slow / 24 == pytest.approx(0.4 * np.pi / 7)  # 0.4 of a pole pitch per frame
    cut = keyframes.clip(run, 2.0, 1, 7)
    assert cut.times[-1] <= 0.3 * (1 + 1e-9) and len(cut.times) == 8
    assert len(keyframes.clip(run, 0.01, 1, 7).times) == 2
    still = pp.Result(run.names, np.where(np.array(run.names) == "omega_m", 0, run.block))
    assert keyframes.clip(still, 6.0, 0, 7).slow == pytest.approx(max(1, 6 / 0.3 * 0.2))
    assert keyframes.clip(still, 0.3, -1, 7).slow == 1
    with pytest.raises(ValueError, match="seconds = 0: expected more than 0"):
        keyframes.clip(run, 0, 1, 7)


def test_keys_of_the_rotor(run):
    shown = keyframes.Clip(np.array([0.2, 0.25, 0.3]), 1.0)
    found, angle = keyframes.rotor_keys(run, shown), pose.rotor_angle(run, shown.times)
    assert found.dtype == np.float32 and found.flags.c_contiguous and found[:, 0].tolist() == [1, 2, 3]
    assert 0 <= found[0, 1] < 2 * np.pi and angle[0] > 2 * np.pi
    assert np.allclose(np.diff(found[:, 1]), np.diff(angle), rtol=1e-6)
    assert np.isclose((angle[0] - found[0, 1]) / (2 * np.pi) % 1, 0, atol=1e-6) or np.isclose(
        (angle[0] - found[0, 1]) / (2 * np.pi) % 1, 1, atol=1e-6
    )


def test_colours_of_the_currents(run):
    shown = keyframes.Clip(run["time"][:400:3], 1.0)
    until = run["time"] <= shown.times[-1]
    peak = max(np.abs(run[f"i{k}"][until]).max() for k in "abc")
    for phase in "abc":
        found = keyframes.current_colours(run, shown, phase)
        share = run[f"i{phase}"][:400:3] / peak
        for colour, s in zip(found, share, strict=True):
            end = keyframes.WARM if s > 0 else keyframes.COLD
            assert np.allclose(colour[:3], keyframes.NEUTRAL * (1 - abs(s)) + end * abs(s)) and colour[3] == 1


def test_the_brightest_frame_may_be_the_last():
    names = ["time", "ia", "ib", "ic"]
    rising = pp.Result(names, np.array([[0.0, 0, 0, 0], [1, 2, -1, -1], [2, 4, -2, -2], [3, 40, -20, -20]]))
    shown = keyframes.Clip(np.array([0.0, 1, 2]), 1.0)
    assert np.allclose(keyframes.current_colours(rising, shown, "a")[2, :3], keyframes.WARM)
    assert np.allclose(keyframes.current_colours(rising, shown, "b")[2, :3], (keyframes.NEUTRAL + keyframes.COLD) / 2)


def test_a_drawn_section_has_every_shape():
    motor = pp.load("outrunner-12s14p")
    shapes = section.cross_section(motor)
    ax = plots.cross_section(shapes).axes[0]
    assert len(ax.patches) == len(shapes)
    for patch, shape in zip(ax.patches, shapes, strict=True):
        pieces = patch.get_path().to_polygons()
        assert len(pieces) == 1 + len(shape.holes)
        assert area(np.array(pieces[0])) > 0 and all(area(np.array(p)) < 0 for p in pieces[1:])
        assert np.abs(pieces[0]).max() == pytest.approx(np.abs(shape.points).max() * 1e3)
    marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
    coils = of_kind(shapes, "coil")
    assert [m.get_marker() for m in marks] == ["x" if c.sign > 0 else "o" for c in coils]
    assert np.allclose([m.get_xydata()[0] for m in marks], [c.points.mean(axis=0) * 1e3 for c in coils])
    reach = max(np.abs(s.points).max() for s in shapes) * 1e3
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-1.04 * reach, 1.04 * reach))


def test_the_spin_up_plot(run):
    figure = plots.spin_up(run, 300.0)
    speed, torque, current = figure.axes
    assert speed.lines[0].get_ydata()[0] == pytest.approx(300 * 30 / np.pi)
    assert np.allclose(speed.lines[1].get_xydata(), np.column_stack([run["time"] * 1e3, run["omega_m"] * 30 / np.pi]))
    assert np.allclose(torque.lines[0].get_ydata(), run["torque"] * 1e3)
    assert np.allclose(torque.lines[1].get_ydata(), run["torque_load"] * 1e3)
    rows = len(current.lines[0].get_xdata())
    period = 2 * np.pi / 7 / run["omega_m"][-1] / 5e-5
    assert 3 * period <= rows <= 4 * period + 2  # the last three whole periods, and what follows
    assert [
        np.array_equal(line.get_ydata(), run[f"i{k}"][-rows:]) for line, k in zip(current.lines, "abc", strict=True)
    ] == [True] * 3


def test_periods_by_upward_crossings():
    t = np.arange(1000)
    wave = pp.Result(["ia"], np.sin(2 * np.pi * (t - 10.5) / 100)[:, None])
    first = plots._last_periods(wave, 3)
    assert first == 610 and wave["ia"][first] < 0 <= wave["ia"][first + 1]
    assert plots._last_periods(wave, 9) == 10 and plots._last_periods(wave, 10) == 0


def test_the_torque_speed_plot():
    found = pp.efficiency_map(pp.load("outrunner-12s14p"), speeds=20, shares=10)
    figure = plots.torque_speed(found, point=(400.0, 0.1))
    ax = figure.axes[0]
    held = getattr(found, "torque_reach", found.torque_limit)
    drawn = ax.lines[0].get_ydata()
    assert np.allclose(drawn[np.isfinite(drawn)], held[np.isfinite(drawn)] * 1e3) and np.isfinite(drawn[held > 0]).all()
    assert ax.get_xlim()[0] == 0 and ax.get_ylim()[0] == 0
    assert np.allclose(ax.lines[-1].get_xydata(), [[400 * 30 / np.pi, 100]])  # where a run ended
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert words[0] in ("torque limit", "controller's limit") and words[-1] == "end of the run"


def test_what_needs_field_weakening_is_dashed_and_hatched():
    found = pp.efficiency_map(pp.load("outrunner-12s14p"), speeds=20, shares=10)
    beyond = np.broadcast_to(found.omega_m > 400, found.torque.shape)
    told = {**vars(found), "needs_field_weakening": beyond, "torque_reach": None}
    figure = plots.torque_speed(SimpleNamespace(**told))
    solid, dashed = figure.axes[0].lines[:2]
    edge = np.argmax(found.omega_m > 400)
    assert np.isfinite(solid.get_ydata()).sum() == edge and solid.get_linestyle() == "-"
    assert np.isfinite(dashed.get_ydata()).sum() == len(found.omega_m) - edge + 1 and dashed.get_linestyle() == "--"
    assert "needs field weakening" in [t.get_text() for t in figure.legends[0].get_texts()]
    reach = np.where(found.omega_m > 400, 0.1, found.torque_limit)
    figure = plots.torque_speed(SimpleNamespace(**{**told, "torque_reach": reach}))
    assert np.allclose(figure.axes[0].lines[0].get_ydata(), reach * 1e3)  # what the controller holds is solid


@pytest.mark.parametrize(
    ("values", "steps"),
    [([0.02, 0.2, 0.5, 0.7, 0.8, 0.9], 0.1), ([0.95, 0.96, 0.97, 0.98, 0.985], 0.01), ([0.0], 0.1), ([0.9] * 4, 0.01)],
)
def test_colour_steps_of_an_efficiency_are_even(values, steps):
    levels = plots.efficiency_levels(np.array(values))
    assert np.allclose(np.diff(levels), steps) and 4 <= len(levels) <= 16
    assert levels[-1] <= 1 + 1e-9 and levels[-1] >= max(values) - 1e-9


def test_every_strip_of_a_run_has_names_and_units(run):
    for ax in plots.spin_up(run, 300.0).axes:
        assert re.search(r", (rpm|m?N m|m?A)$", ax.get_ylabel()) and ax.get_xlabel().startswith("time, ms")
    by_name = [ax.get_ylabel() for ax in plots.time_series(run, ("omega_m", "torque", "theta_m")).axes]
    assert by_name == ["omega_m, rpm", "torque, mN m", "theta_m, rad"]


def test_a_cube_by_painters_order():
    """Of a cube three faces are seen, the nearest last, and lighter where the light falls."""
    v = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * 0.01
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([t for q in quads for t in ([q[0], q[1], q[2]], [q[0], q[2], q[3]])])
    ax = plots.solid_picture([(v, faces, "#808080")]).axes[0]
    drawn = ax.collections[0]
    assert len(drawn.get_paths()) == 6
    colours = {tuple(np.round(c[:3], 6)) for c in drawn.get_facecolors()}
    assert len(colours) == 3 and all(0.42 * 0.5 <= c[0] <= 0.51 for c in colours)
    corners = np.concatenate([p.vertices for p in drawn.get_paths()])
    a, e = np.radians([-50, 28])
    right, up = (
        np.array([-np.sin(a), np.cos(a), 0]),
        np.array([-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)]),
    )
    assert corners[:, 0].max() == pytest.approx((v @ right).max() * 1e3)
    assert corners[:, 1].min() == pytest.approx((v @ up).min() * 1e3)
    assert ax.get_xlim() == pytest.approx((corners[:, 0].min(), corners[:, 0].max()))
    top = [
        c
        for c, p in zip(drawn.get_facecolors(), drawn.get_paths(), strict=True)
        if p.vertices[:, 1].max() == corners[:, 1].max()
    ]
    two = (
        plots.solid_picture([(v - [0, 0, 0.05], faces, "#ff0000"), (v, faces, "#0000ff")], tilt=80)
        .axes[0]
        .collections[0]
    )
    order = ["red" if c[0] > c[2] else "blue" for c in two.get_facecolors()]
    assert order == ["red"] * 6 + ["blue"] * 6 and len(top) > 0
