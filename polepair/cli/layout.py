"""What polepair live shows: quantities with units, uncertainty, quality and the last seconds, fitted to a terminal."""

import math
import textwrap
import time
from typing import NamedTuple

import numpy as np

from ..errors import plain
from ..live.estimation import estimates
from ..live.refusals import refusals, refused
from ..table import channels
from .common import RPM

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-~=+*#"
STYLES = {"good": "green", "starting": "yellow", "not observable": "yellow", "inconsistent": "red", "stale": "red"}
STYLES |= {"no estimate": "yellow", "no sample yet": "yellow"}
SHOWN = ("omega_m", "theta_e", "torque_load", "torque", "id", "iq", "Rs", "psi_pm", "temperature_winding")
SHOWN += ("temperature_magnet",)
UNITS = {"u_alpha": "V", "u_beta": "V", "i_alpha": "A", "i_beta": "A", "u_dc": "V", "u_a": "V", "u_b": "V", "u_c": "V"}
UNITS |= {"ia": "A", "ib": "A", "ic": "A", "i_a": "A", "i_b": "A", "i_c": "A", "i_bus": "A"}
TURNING = {"theta_e", "theta_m", "ua", "ub", "uc", "ia", "ib", "ic", "u_a", "u_b", "u_c", "i_a", "i_b", "i_c"}
TURNING |= {"u_alpha", "u_beta", "i_alpha", "i_beta"}  # turns between two looks: a line through them means nothing
SPREADS, PART = 4.0, 0.02  # a sparkline's least height: in standard deviations, and of the greatest value
WIDE, SHORTEST = 72, 8  # columns of a page that has two values; of a sparkline
NAME, VALUE, SIGMA, UNIT = 19, 9, 7, 5
HINTS, LEAST = 3, 3  # refusals that are shown; quantities that always are


def sparkline(values, width: int, least: float = 0.0, bars: str = BARS) -> str:
    """The newest values as bars, blank where one is missing. least: the smallest span that fills the height."""
    newest = list(values)[-width:] if width > 0 else []
    known = [v for v in newest if math.isfinite(v)]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = max(high - low, least, 1e-300)
    foot = (low + high - span) / 2
    return "".join(bars[min(int((v - foot) / span * 8), 7)] if math.isfinite(v) else " " for v in newest)


def unit_of(name: str) -> str:
    """Unit of a channel or estimate, empty where it is not known."""
    if name.startswith("est."):
        return estimates()[name[4:]][1]
    return channels()[name].unit if name in channels() else UNITS.get(name, "")


class Shown(NamedTuple):
    """A quantity: what was measured and what is estimated of it, NaN where there is none."""

    name: str
    measured: float
    estimate: float
    sigma: float
    unit: str

    @property
    def value(self) -> float:
        """The measurement, else the estimate."""
        return self.measured if self.measured == self.measured else self.estimate


def rows_of(live) -> list[Shown]:
    """What is shown, a row a quantity; those that are estimated first."""
    v, nan = live.values, math.nan
    estimated = [n for n in SHOWN if f"est.{n}" in v]
    measured = [n for n in v if not n.startswith("est.") and n not in estimated]
    out = [Shown(n, v.get(n, nan), v[f"est.{n}"], v.get(f"est.{n}_sigma", nan), unit_of(f"est.{n}")) for n in estimated]
    return out + [Shown(n, v[n], nan, nan, unit_of(n)) for n in measured]


def counters(live) -> list[str]:
    """What the numbers of the messages told, and what was not taken."""
    n = live.stats
    counts = {"lost": n["lost"], "twice": n["duplicates"], "late": n["out_of_order"], "restarts": n["restarts"]}
    counts |= {"refused": refused(n)} | ({"missed": n["missed"]} if n["missed"] else {})
    return [f"{n['rows']:,} rows in {n['messages']:,} messages", *(f"{what} {v:,}" for what, v in counts.items())]


def verdict(live) -> str:
    """The quality, and what an estimate needs where there cannot be one."""
    lacks = live.lacks if live.quality == "no estimate" else ""
    return f"{live.quality}: {lacks}" if lacks else live.quality


def noise_of(live) -> dict[str, float]:
    """Standard deviation of each channel's noise: its newest rows' third differences, which what is slow leaves out."""
    rows = live.stream.window(256)
    if len(rows) < 8:
        return {}
    third = {n: np.abs(np.diff(rows[n], 3)) for n in rows.channels}
    found = {n: float(np.median(d)) / (0.6745 * math.sqrt(20)) for n, d in third.items()}
    return {n: v for n, v in found.items() if v == v}


class Looks:
    """What was seen at each look, for the sparklines. every: seconds between two."""

    KEPT = 400

    def __init__(self, live, every: float):
        self.live, self.every = live, every
        self.past: dict[str, list[float]] = {}
        self.noise: dict[str, float] = {}
        self.rate = 0.0  # rows/s
        self._rows, self._at = 0, time.monotonic()

    def take(self) -> None:
        """Looks once."""
        for s in rows_of(self.live):
            seen = self.past.setdefault(s.name, [])
            seen.append(s.value)
            del seen[: -self.KEPT]
        self.noise = noise_of(self.live)
        now, rows = time.monotonic(), self.live.stream.head
        if now - self._at >= 1.0:
            self.rate = (rows - self._rows) / (now - self._at)
            self._rows, self._at = rows, now

    def least(self, s: Shown) -> float:
        """The span of a quantity below which a change may be noise."""
        sigma = s.sigma if s.sigma == s.sigma else 0.0
        alike = [v for n, v in self.noise.items() if n == s.name or (s.measured != s.measured and unit_of(n) == s.unit)]
        greatest = max((abs(v) for v in self.past.get(s.name, ()) if math.isfinite(v)), default=0.0)
        return max(SPREADS * sigma, 2 * SPREADS * max(alike, default=0.0), PART * greatest)


class Page(NamedTuple):
    """What a terminal can show: columns and lines, whether it has bars and other signs than ASCII."""

    width: int
    height: int
    signs: bool = True
    keys: bool = True


def number(x: float, digits: int = 5) -> str:
    """At most VALUE characters; empty for NaN."""
    if x != x:
        return ""
    text = f"{x:.{digits}g}"
    return text if len(text) <= VALUE else f"{x:.2e}"


def page(looks: Looks, size: Page) -> list:
    """The lines of a screen as rich Texts, none wider than the page and not more than fit."""
    head = _head(looks, size)
    foot = _foot(looks.live, size, size.height - len(head) - 1 - LEAST)
    room = max(size.height - len(head) - len(foot) - 1, LEAST)
    body = _body(looks, size)
    if len(body) > room:
        more = len(body) - room + 1
        body = [*body[: room - 1], _dim(f"and {more} more in a taller window")]
    return [*head, _titles(looks, size), *body, *foot]


def _dim(text: str):
    from rich.text import Text

    return Text(text, style="dim")


def _wrapped(text: str, width: int) -> list[str]:
    from rich.cells import cell_len

    text = plain(text)
    each = 1 if cell_len(text) == len(text) else 2  # cells of a character, at most
    return textwrap.wrap(text, max(width // each, 8), break_on_hyphens=False) or [""]


def _packed(items, width: int) -> list[str]:
    """Items side by side, none of them broken."""
    lines = [items[0]]
    for item in items[1:]:
        if len(lines[-1]) + 2 + len(item) <= width:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return lines


def _head(looks: Looks, size: Page) -> list:
    from rich.text import Text

    live, clock = looks.live, time.strftime("%H:%M:%S")
    name = live.motor.name if live.motor else "motor"
    first, *more = _wrapped(f"{name}: {live.source.name}, {live.source.state}", size.width - len(clock) - 2)
    lines = [Text(f"{fitted(first, size.width - len(clock))}{clock}"), *(Text(m) for m in more)]
    told = verdict(live) + (f", age {live.age:.2f} s, {looks.rate:,.0f} rows/s" if live.age < math.inf else "")
    quality = _wrapped(told, size.width)
    lines += [Text(q) for q in quality]
    lines[-len(quality)].stylize(f"bold {STYLES.get(live.quality, 'dim')}", 0, len(live.quality))
    return lines


def _foot(live, size: Page, room: int) -> list:
    from rich.text import Text

    lines = [_dim(t) for t in _packed(counters(live), size.width)]
    for refusal in refusals(live.stream)[:HINTS]:
        hint = [Text(t, style="yellow") for t in _wrapped(str(refusal), size.width)]
        lines += hint if len(lines) + len(hint) < room else []
    return [*lines, _dim("q quits" if size.keys else "Ctrl-C ends")]


def fitted(text: str, width: int, right: bool = False) -> str:
    """Text in exactly so many cells; of one that is too long, its beginning and its end."""
    from rich.cells import cell_len, set_cell_size

    long = cell_len(text) - width
    if long > 0:
        text = set_cell_size(text, width // 2) + "~" + text[-(width - width // 2 - 1) :]
        return set_cell_size(text, width)
    return " " * -long + text if right else set_cell_size(text, width)


class _Cells(NamedTuple):
    """The columns of a page: which there are, and how wide."""

    name: int
    both: bool  # measured and estimate, else one value
    sigma: bool
    spark: int


def _cells(looks: Looks, size: Page) -> _Cells:
    rows = rows_of(looks.live)
    estimated = any(s.estimate == s.estimate for s in rows)
    least = VALUE + 1 + UNIT + 2
    name = min(max((len(plain(s.name)) for s in rows), default=4), NAME, max(size.width - least, 4))
    both = estimated and size.width >= WIDE
    sigma = estimated and size.width >= name + SIGMA + 1 + least
    taken = name + (VALUE + 1) * both + (SIGMA + 1) * sigma + least
    spark = min(size.width - taken, Looks.KEPT)
    return _Cells(name, both, sigma, spark if spark >= SHORTEST else 0)


def _titles(looks: Looks, size: Page):
    c = _cells(looks, size)
    words = ["measured", "estimate"] if c.both else ["value"]
    text = fitted("", c.name) + "".join(f" {w:>{VALUE}}" for w in words)
    text += f" {'±' if size.signs else '+-':>{SIGMA}}" if c.sigma else ""
    last = f"last {c.spark * looks.every:.0f} s"
    return _dim((text + " " * (UNIT + 2) + last)[: size.width] if c.spark else text)


def _body(looks: Looks, size: Page) -> list:
    c, lines = _cells(looks, size), []
    style = STYLES.get(looks.live.quality, "")
    for s in rows_of(looks.live):
        lines.append(_row(looks, s, c, style, size))
        if s.unit == "rad/s":
            turned = Shown("", s.measured * RPM, s.estimate * RPM, s.sigma * RPM, "rpm")
            lines.append(_row(looks, turned, c, style, size))
    return lines


def _row(looks: Looks, s: Shown, c: _Cells, style: str, size: Page):
    from rich.text import Text

    line = Text(fitted(plain(s.name), c.name), style="")
    values = [(s.measured, ""), (s.estimate, style)]
    if not c.both:
        values = [(s.value, "" if s.measured == s.measured else style)]
    for value, how in values:
        line.append(f" {number(value):>{VALUE}}", style=how)
    if c.sigma:
        line.append(f" {number(s.sigma, 2):>{SIGMA}}")
    line.append(f" {fitted(s.unit, UNIT)} ")
    if not s.name or not c.spark:
        return line
    if s.name in TURNING:
        line.append("turning"[: c.spark], style="dim")
    else:
        bars = sparkline(looks.past.get(s.name, ()), c.spark, looks.least(s), BARS if size.signs else PLAIN_BARS)
        line.append(bars, style="cyan")
    return line
