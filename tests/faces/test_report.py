"""The report's page: what it ticks it compared, it says where it comes from, and a telephone shows all of it."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from click.testing import CliRunner

import polepair as pp
from polepair.cli.main import main
from polepair.draw import plots
from polepair.faces import checks, page
from polepair.faces.report import write_report

MOTOR = "outrunner-12s14p"


@pytest.fixture(scope="module")
def motor():
    return pp.load(MOTOR)


@pytest.fixture(scope="module")
def run(motor):
    return pp.Twin(motor).run(0.3)


@pytest.fixture(scope="module")
def table(motor):
    axes = {"winding.turns": list(range(12, 26, 2)), "winding.wire_diameter": np.linspace(3e-4, 9e-4, 7)}
    return pp.sweep(pp.Twin(motor), axes, 0.003, ["i_s.rms", "omega_m.final"])


def written(tmp_path, *given, **options):
    return write_report(tmp_path / "p.html", *given, **options).read_text()


def words(text):
    """What a reader reads."""
    bare = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", text, flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", " ", bare))


def changed(run, **columns):
    """A run with other numbers in some channels."""
    block = run.block.copy()
    for name, values in columns.items():
        block[:, run.names.index(name)] = values
    return pp.Result(run.names, block, run.about)


def of(found, start):
    return next(c for c in found if c.text.startswith(start))


def test_a_good_run_is_ticked_for_what_was_compared(motor, run):
    found = checks.checks_of(motor, run)
    assert [c.good for c in found if c.text.startswith("Run")] == [True] * 4
    assert of(found, "Run: speed").text == "Run: speed at its end 4,000 rpm, reference 4,000 rpm"
    assert "drive limit 15 A" in of(found, "Run: peak").text


def test_values_that_are_not_finite_are_counted(motor, run, tmp_path):
    bad = changed(run, iq=np.where(np.arange(len(run)) < 37, np.nan, run["iq"]))
    check = of(checks.checks_of(motor, bad), "Run: 6,001 samples")
    assert check.good is False and check.text.endswith("37 values are not finite")
    assert "all finite" not in words(written(tmp_path, motor, bad))


@pytest.mark.parametrize(
    ("channel", "value", "start"),
    [("omega_m", 300.0, "Run: speed"), ("i_s", 99.0, "Run: peak"), ("energy_in", 1e3, "Run: energy")],
)
def test_what_does_not_hold_is_not_ticked(motor, run, channel, value, start):
    assert of(checks.checks_of(motor, changed(run, **{channel: value})), start).good is False


def test_what_was_not_compared_gets_no_tick(motor, run, tmp_path):
    spared = [k for k, n in enumerate(run.names) if not n.startswith("energy")]
    spare = pp.Result([run.names[k] for k in spared], run.block[:, spared], {})
    assert "<li class=told>Run: energy balance not checked" in written(tmp_path, motor, spare)
    few = pp.Result(("time", "id"), run.block[:, :2], {})
    found = checks.checks_of(motor, few)
    assert of(found, "Run: energy").good is None and of(found, "Gap field").good is None
    assert not [c for c in found if c.text.startswith(("Run: speed", "Run: peak"))]
    empty = pp.Result(run.names, run.block[:0], {})
    assert checks.checks_of(motor, empty)[0] == (False, "Run: no samples")


def test_warnings_of_a_run_are_lines_of_the_page(tmp_path):
    fast = pp.load(MOTOR)
    fast.set("control.speed_ref", 2094.0)
    doubted = pp.Twin(fast).run(0.3)
    text = written(tmp_path, fast, doubted)
    assert len(doubted.warnings) > 0
    assert all(f"<li class=bad>Run: {html.escape(str(w))}</li>" in text for w in doubted.warnings)
    assert of(checks.checks_of(fast, doubted), "Run: speed").good is False


def test_a_sweep_with_refusals_is_told(motor, table, tmp_path):
    check = of(checks.checks_of(motor, None, table), "Sweep")
    assert check.good is False and re.search(r"of 49 cases ran, \d+ refused", check.text)
    assert f"{len(table.failed)} refused" in words(written(tmp_path, motor, None, table))


def test_warnings_of_a_sweep_are_lines_of_the_page(tmp_path):
    motor = pp.load(MOTOR)
    table = pp.sweep(pp.Twin(motor), {"control.speed_ref": [300.0, 2094.0]}, 0.3)
    assert len(table.warnings) == 1
    told = f"<li class=bad>Sweep: {html.escape(str(table.warnings[0]))}</li>"
    assert told in written(tmp_path, motor, None, table) and "1 of 2 cases" in told


def test_axes_and_outputs_by_choice(motor, table, tmp_path):
    text = written(tmp_path, motor, None, table, axes=("winding.turns", "winding.wire_diameter"), outputs=["i_s.rms"])
    assert text.count('aria-label="i_s.rms of the sweep"') == 2 and "omega_m.final of the sweep" not in text
    assert "Also in the file: omega_m.final." in words(text)
    with pytest.raises(ValueError, match=r"axes: magnet\.Br: not varied in this sweep"):
        written(tmp_path, motor, None, table, axes=("magnet.Br",))
    with pytest.raises(TypeError, match="write_report"):
        written(tmp_path, motor, None, table, axis=("magnet.Br",))


def test_the_command_takes_axes_and_tells_itself(motor, table, tmp_path):
    file, out = tmp_path / "s.npz", tmp_path / "p.html"
    table.save(file)

    def typed(*words):
        return CliRunner().invoke(main, ["report", MOTOR, "--out", str(out), *map(str, words)])

    asked = ("--sweep", file, "--axes", "winding.wire_diameter,winding.turns", "--outputs", "omega_m.final")
    done = typed(*asked)
    assert done.exit_code == 0, done.output
    text = out.read_text()
    assert text.count('aria-label="omega_m.final of the sweep"') == 2 and "i_s.rms of the sweep" not in text
    assert "--axes winding.wire_diameter,winding.turns" in words(text)
    for wrong, told in (
        (("--axes", "magnet.Br"), "--axes magnet.Br: there is no sweep to draw, expected --sweep FILE"),
        (("--sweep", file, "--axes", "winding.turn"), "axes: winding.turn: not varied in this sweep, did you mean"),
        (("--sweep", file, "--outputs", "torque"), "outputs: torque: not in this sweep"),
    ):
        done = typed(*wrong)
        assert done.exit_code == 2 and told in done.output and done.output.count("\n") == 1, done.output


def test_the_page_says_where_it_comes_from(motor, run, tmp_path):
    about = {
        "motor": MOTOR,
        "digest": "0123456789abcdef",
        "version": "9.9",
        "date": "2026-01-02T03:04:05Z",
        "command": "polepair run <x>",
        "settings": {"stator.length": 0.015, "magnet.shape": "flat_base"},
        "seed": 7,
    }
    told = pp.Result(run.names, run.block, about)
    text = words(written(tmp_path, motor, told, command="polepair report it"))
    for piece in (
        "polepair run <x>",
        "2026-01-02T03:04:05Z, polepair 9.9, digest 0123456789ab",
        "2 parameters differ from their defaults",
        "stator.length 15 mm, magnet.shape flat_base",
        "seed 7",
        "polepair report it",
        pp.__version__,
    ):
        assert piece in text, piece
    written(tmp_path, motor, pp.Result(run.names, run.block, {}))  # an older file says nothing


def test_efficiency_says_what_it_counts(motor, tmp_path):
    assert "Efficiency counts copper, iron and friction; the inverter is ideal." in words(written(tmp_path, motor))
    sheet = pp.load("ipmsm-2k2")
    sheet.set("rotor.viscous_friction", 0.0)
    text = words(written(tmp_path, sheet))
    assert "Efficiency counts copper; the inverter is ideal." in text
    assert "Not given for this motor, so counted as nothing: iron loss and friction." in text


def test_a_run_that_ends_outside_the_map_is_told(motor, run, tmp_path):
    away = changed(run, omega_m=-500.0)
    assert "The run ended outside the map: -4775 rpm" in words(written(tmp_path, motor, away))


def test_contents_lead_to_every_section(motor, run, table, tmp_path):
    text = written(tmp_path, motor, run, table)
    anchors = re.findall(r"<a href=#(\w+)>", text)
    assert anchors == re.findall(r"<section id=(\w+)", text) and len(anchors) >= 7


def test_pictures_take_the_colours_of_the_page(motor, run, table, tmp_path):
    text = written(tmp_path, motor, run, table)
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.S))
    assert "var(--ink)" in drawn
    assert not [c for c in (*page.THEMED, "#000000") if c in drawn]


def test_a_picture_has_type_of_one_size_on_every_page():
    """A point is a pixel: the narrow picture is as wide as a telephone's card."""
    sizes = []
    body = page.picture(lambda w: sizes.append(w) or plots.figure(w, 100)[0], "x")
    assert sizes == [plots.HALF, plots.NARROW]
    boxes = [float(w) for w in re.findall(r'viewBox="0 0 ([\d.]+) ', body)]
    assert boxes == pytest.approx(sizes, abs=1)


LOOK = """<!doctype html><body style="margin:0"><iframe id=page style="border:0;width:WIDEpx;height:3000px"></iframe>
<pre id=found></pre><script>
const page = document.getElementById("page");
page.onload = () => {
  const inside = page.contentDocument, wide = page.clientWidth, bad = [];
  if (inside.documentElement.scrollWidth > wide) bad.push("the page scrolls sideways");
  for (const e of inside.querySelectorAll("body *")) {
    if (e.closest("svg svg, script, style, canvas") || e.closest("svg") && e.tagName != "svg") continue;
    const box = e.getBoundingClientRect();
    if (box.width && (box.right > wide + 1 || box.left < -1)) bad.push(`outside: ${e.tagName} ${e.className}`);
    const cut = e.clientWidth && e.scrollWidth > e.clientWidth + 1;
    if (cut) bad.push(`cut: ${e.tagName} ${e.className} ${e.textContent}`);
  }
  for (const svg of inside.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    if (box.width && scale < 0.9) bad.push(`type too small: ${svg.getAttribute("aria-label")} ${scale}`);
  }
  for (const card of inside.querySelectorAll(".card b"))
    if (card.getClientRects().length > 1 || card.offsetHeight > 30) bad.push(`wrapped: ${card.textContent}`);
  const line = inside.querySelector("header h1").getBoundingClientRect().left;
  if (Math.abs(line - inside.querySelector(".card").getBoundingClientRect().left) > 1) bad.push("header not in line");
  document.getElementById("found").textContent = "LOOKED " + bad.slice(0, 9).join("; ") + " END";
};
page.srcdoc = PAGE;
</script>"""


@pytest.mark.parametrize("width", [390, 700, 1400])
def test_a_browser_shows_all_of_it(motor, run, table, tmp_path, width):
    """Nothing sticks out or is cut off, type keeps its size, cards keep to a line, the header is in line with them."""
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("no chromium")
    text = written(tmp_path, motor, run, table, command=f"polepair report {MOTOR} --run a-file-of-a-long-name.parquet")
    look = tmp_path / "look.html"
    inside = json.dumps(text).replace("</", "<\\/")
    look.write_text(LOOK.replace("WIDE", str(width)).replace("PAGE", inside))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1500,3000"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=4000", "--dump-dom", look.as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    found = re.search(r"LOOKED (.*?) END</pre>", seen, flags=re.S)
    assert found and not found[1].strip(), found and found[1]
