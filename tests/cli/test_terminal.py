"""Text from a wire or a file reaches the terminal without what could steer it."""

import io

import numpy as np
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import polepair as pp
from polepair.cli import layout, screen
from polepair.cli.main import main
from polepair.errors import plain
from polepair.live.sources import Source
from polepair.live.streams import Stream, frame

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\x08"


class Hostile(Source):
    """A source that says what it likes: its channels, its name, its state."""

    name = f"mqtt{HOSTILE}"
    state = f"up, device {HOSTILE}[link=http://x]"

    def run(self):
        self.stream.push(frame(np.ones((1, 2)), 0, 1, 0))


@given(st.text())
def test_plain_text_is_printable_and_bounded(text):
    shown = plain(text, 50)
    assert shown.isprintable() and len(shown) <= 53 and (not text.isprintable() or len(text) > 50 or shown == text)


def test_the_screen():
    out = io.StringIO()
    with pp.Live(Hostile(Stream((f"a{HOSTILE}", "omega_m")))) as live:
        live.update(timeout=60)
    looks = layout.Looks(live, 0.25)
    looks.take()
    console = Console(file=out, force_terminal=True, color_system=None, width=200)
    for text in layout.page(looks, layout.Page(200, 40)):
        console.print(text, no_wrap=True)
    text = out.getvalue()
    for sequence in ("\x1b]", "\x07", "\x1b[2J", "\x9b", "\r", "\x08"):
        assert sequence not in text
    assert "owned" in text and "[link=http://x]" in text  # said, not obeyed
    assert screen.line(live).isprintable() and "omega_m 1" in screen.line(live)


def test_errors_of_the_command(tmp_path):
    """A name in a file, a key of it, a path: none of them steers the terminal."""
    runner = CliRunner()
    (tmp_path / "m.toml").write_text('schema = 1\n[stator]\n"x\\u001b]0;owned\\u0007" = 1\n')
    done = runner.invoke(main, ["design", str(tmp_path / "m.toml"), "--no-cad"])
    assert done.exit_code == 2 and "owned" in done.output and done.output.rstrip("\n").isprintable()
    named = tmp_path / "m\x1b[2J.toml"
    named.write_text('schema = 1\n[motor]\ndescription = "\\u001b[2J"\n[stator]\nslots = 7\n')
    done = runner.invoke(main, ["design", str(named), "--no-cad"])
    assert done.exit_code == 2 and done.output.rstrip("\n").isprintable()


def test_a_file_of_solids_that_is_none(tmp_path):
    for text in ("[]", "{", '{"cad": 5}', "[" * 100_000, "5"):
        (tmp_path / "motor.json").write_text(text)
        done = CliRunner().invoke(main, ["report", "outrunner-12s14p", "--cad", str(tmp_path / "motor.json")])
        assert done.exit_code == 2 and "motor.json: " in done.output and done.output.count("\n") == 1
