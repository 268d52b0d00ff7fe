"""polepair live and record as a person sees them: in terminals of the usual sizes, looked at through a pty."""

import math
import re
import shutil
import sys

import numpy as np
import pytest
from support.terminal import Terminal

import polepair as pp
from polepair.cli import layout
from polepair.cli.screen import line
from polepair.live.session import Live, missing_for
from polepair.live.sources import Source
from polepair.live.streams import Stream

POLEPAIR = [sys.executable, "-m", "polepair"]
SIZES = ((120, 40), (80, 24), (60, 20), (46, 14), (40, 12))


class Pushed(Source):
    """A source into which the test pushes."""

    name, state, running = "pushed", "up", True

    def start(self):
        return self


def live_of(channels, *messages, motor="outrunner-12s14p"):
    live = Live(Pushed(Stream(channels, "json")), pp.load(motor))
    for message in messages:
        live.stream.push(message)
    live.update()
    return live


def page_of(live, width, height, signs=True):
    looks = layout.Looks(live, 0.25)
    for _ in range(100):
        looks.take()
    return [t.plain for t in layout.page(looks, layout.Page(width, height, signs))]


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_live_fits_a_terminal(columns, lines):
    terminal = Terminal([*POLEPAIR, "live"], columns, lines)
    terminal.until(lambda text: "good" in text and "q quits" in text and ("last" in text or columns < 60))
    shown = terminal.text
    assert terminal.own_screen and "…" not in "".join(shown)
    assert shown[0].startswith("outrunner-12s14p: simulated") and re.search(r"\d\d:\d\d:\d\d$", shown[0])
    assert any("rpm" in s for s in shown) and any("rad/s" in s for s in shown)
    assert any("rows in" in s for s in shown) and any("refused 0" in s for s in shown)
    terminal.press("q")
    assert terminal.close() == 0 and not terminal.faults
    assert not terminal.own_screen and terminal.raw.endswith(("refused 0\r\n", "refused 0\x1b[0m\r\n"))


def test_the_newest_look_is_at_the_right_of_each_sparkline():
    live = live_of(("omega_m",), b'{"t":1,"omega_m":0}')
    looks = layout.Looks(live, 0.25)
    for k in range(300):
        live.values["omega_m"] = 100.0 if k == 299 else 0.0
        looks.take()
    for width in (120, 80, 60):
        row = next(t.plain for t in layout.page(looks, layout.Page(width, 24)) if t.plain.startswith("omega_m"))
        assert row[-1] == "█" and set(row[row.index("rad/s") + 6 : -1]) == {"▁"} and len(row) == width


def test_noise_is_flat_and_a_change_is_not():
    wobble = 419.03 + 0.05 * np.sin(np.arange(64.0))
    assert set(layout.sparkline(wobble, 32, 0.02 * 419)) <= {"▄", "▅"}
    assert layout.sparkline([25.2] * 8, 32, 0.5) == "▅" * 8
    assert layout.sparkline([0, 100, math.nan, 50], 32, 1) == "▁█ ▅"
    assert layout.sparkline([math.nan], 32) == "" and layout.sparkline([1.0, 2.0], 0) == ""


def test_the_least_height_is_the_noise_that_the_rows_show():
    rng = np.random.default_rng(1)
    rows = ",".join(f"[{3 + 0.1 * v:.6f}]" for v in rng.normal(size=256))
    live = live_of(("i_bus",), f'{{"t":1,"dt":1000,"s":[{rows}]}}'.encode())
    looks = layout.Looks(live, 0.25)
    looks.take()
    assert 0.08 < looks.noise["i_bus"] < 0.12
    assert looks.least(layout.rows_of(live)[0]) == pytest.approx(8 * looks.noise["i_bus"])


def test_what_turns_is_not_drawn():
    live = live_of(("ia", "u_dc"), b'{"t":1,"ia":1,"u_dc":24}')
    shown = page_of(live, 80, 24)
    assert next(t for t in shown if t.startswith("ia")).endswith("turning")
    assert "▄▄▄" in next(t for t in shown if t.startswith("u_dc"))


def test_quality_has_a_colour_unless_none_is_wanted():
    terminal = Terminal([*POLEPAIR, "live", "--time", "2"], 80, 24)
    terminal.until(lambda text: "good," in text)
    assert terminal.close() == 0 and any("32" in s.split(";") for s in terminal.styles), terminal.styles
    plain = Terminal([*POLEPAIR, "live", "--time", "2"], 80, 24, {"NO_COLOR": "1"})
    plain.until(lambda text: "good," in text)
    assert plain.close() == 0 and not any(re.search(r"\b[349]\d\b", s) for s in plain.styles), plain.styles


def test_a_terminal_without_bars_gets_ascii():
    terminal = Terminal([*POLEPAIR, "live", "--time", "2"], 80, 24, {"PYTHONIOENCODING": "ascii"})
    terminal.until(lambda text: "good," in text)
    assert terminal.close() == 0 and terminal.raw.isascii()


def test_the_terminal_is_as_it_was():
    script = f"stty -a > /dev/null; before=$(stty -g); {sys.executable} -m polepair live --time 1; "
    terminal = Terminal(["sh", "-c", script + '[ "$before" = "$(stty -g)" ] && echo same'], 80, 24)
    assert terminal.close() == 0 and terminal.raw.rstrip().endswith("same")


def test_hostile_names_and_messages_fit_too():
    names = ("x" * 47, "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 15, "a")
    message = b'{"\x1b[2Jx":"' + b"y" * 500 + b'","' + b"z" * 300 + b'":1}'
    live = live_of(names, b'{"a":1}', message, b"7" * 400, b"\xff" * 90, b"{" * 400)
    from rich.cells import cell_len

    for width, height in SIZES:
        shown = page_of(live, width, height)
        assert len(shown) <= height and shown[-1] == "q quits"
        for text in shown:
            assert text.isprintable() and cell_len(text) <= width, text


@pytest.mark.parametrize(
    ("channels", "needs"),
    [
        (("ia", "ib"), "needs u_alpha, u_beta"),
        (("u_alpha", "u_beta", "ia"), "needs ib"),
        (("u_alpha", "u_beta"), "needs i_alpha, i_beta, or ia, ib"),
        (("omega_m", "u_dc"), "needs i_bus"),
        (("u_alpha", "u_beta", "ia", "ib"), ""),
        (("theta_m",), ""),
    ],
)
def test_what_an_estimate_needs(channels, needs):
    assert missing_for(channels) == needs


def test_currents_alone_say_what_an_estimate_needs():
    live = live_of(("ia", "ib"), b'{"t":1,"n":1,"ia":1,"ib":2}')
    assert live.quality == "no estimate" and live.lacks == "needs u_alpha, u_beta"
    assert line(live).startswith("no estimate: needs u_alpha, u_beta, age")
    assert page_of(live, 80, 24)[1].startswith("no estimate: needs u_alpha, u_beta")


def test_samples_without_times_say_so():
    live = live_of(("u_alpha", "u_beta", "ia", "ib"), *[b'{"u_alpha":1,"u_beta":2,"ia":1,"ib":2}'] * 300)
    assert line(live).startswith("no estimate: needs the time of each sample")


def test_before_the_first_sample_nothing_is_good():
    live = live_of(("ia", "ib"), *[b"3.2"] * 12)
    assert line(live) == (
        "no sample yet, lost 0, refused 12, 12 no record, but a number, a text or a list (the newest: 3.2)"
    )
    assert any("refused 12" in t for t in page_of(live, 60, 20))


def test_restarts_are_shown_in_a_line():
    message = '{{"t":{t},"n":{n},"boot":1,"ia":{ia},"ib":1}}'
    sent = [message.format(t=s * 10**9 + n, n=n, ia=s + n / 7).encode() for s in (1, 2) for n in range(100)]
    live = live_of(("ia", "ib"), *sent)
    assert ", lost 0, restarts 1: " in line(live) and live.stats["rows"] == 200


@pytest.mark.skipif(not shutil.which("mosquitto"), reason="no mosquitto")
def test_a_recording_has_a_line_of_state(tmp_path):
    pytest.importorskip("polepair._mqtt")
    from support.brokers import Broker

    from polepair.live.mqtt import Link

    broker = Broker(tmp_path)
    try:
        given = [
            "record",
            f"{broker.url}/m1",
            "-o",
            str(tmp_path / "x.ppdb"),
            "--channels",
            "ia,ib",
            "--format",
            "json",
        ]
        terminal = Terminal([*POLEPAIR, *given], 80, 24)
        terminal.until(lambda text: "0 stored, lost 0, refused 0" in text)
        link = Link(f"{broker.url}/m1").connect()
        for n in range(50):
            link.publish("polepair/1/m1/t/fast", b'{"t":%d,"n":%d,"ia":1.5,"ib":-0.7}' % (n, n), 1)
        for _ in range(3):
            link.publish("polepair/1/m1/t/fast", b"[3.2]", 1)
        terminal.until(lambda text: "50 stored, lost 0, refused 3" in text)
        assert sum("rows/s" in t or "nothing for" in t for t in terminal.text) == 1
        terminal.press("\x03")
        terminal.until(
            lambda text: "refused 3\n  3 no record, but a number, a text or a list (the newest: [3.2])" in text
        )
        assert terminal.close() == 0 and "stored" not in "\n".join(terminal.text)
        link.close()
    finally:
        broker.close()
