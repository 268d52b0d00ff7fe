"""polepair live in a terminal: values, units, uncertainty, age, quality and a sparkline."""

import math
import sys
import time
from collections import deque
from typing import NamedTuple

from ..errors import plain
from ..live.estimation import estimates
from ..table import channels

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 32
STYLES = {"good": "green", "starting": "yellow", "not observable": "yellow", "inconsistent": "red", "stale": "red"}
SHOWN = ("omega_m", "theta_e", "torque_load", "torque", "id", "iq", "Rs", "psi_pm", "temperature_winding")
SHOWN += ("temperature_magnet",)
UNITS = {"u_alpha": "V", "u_beta": "V", "i_alpha": "A", "i_beta": "A", "u_dc": "V", "u_a": "V", "u_b": "V", "u_c": "V"}


def sparkline(values) -> str:
    """The newest WIDTH values as bars."""
    shown = [v for v in list(values)[-WIDTH:] if v == v]
    if not shown:
        return ""
    low, span = min(shown), max(shown) - min(shown)
    return "".join(BARS[int((v - low) / span * 7.999)] if span > 0 else BARS[0] for v in shown)


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


def line(live) -> str:
    """One line for logs and pipes."""
    shown = []
    for s in rows_of(live)[:6]:
        said = s.estimate if s.estimate == s.estimate else s.measured
        spread = f" +- {s.sigma:.2g}" if s.sigma == s.sigma else ""
        shown.append(f"{plain(s.name)} {said:.4g}{spread} {s.unit}".rstrip())
    return f"{live.quality}, age {live.age:.2f} s, lost {live.stats['lost']}: " + ", ".join(shown)


def _caption(live) -> str:
    n = live.stats
    refused = sum(v for k, v in n.items() if " " in k)
    return (
        f"{n['rows']:,} rows in {n['messages']:,} messages; lost {n['lost']}, twice {n['duplicates']}, "
        f"late {n['out_of_order']}, restarts {n['restarts']}, refused {refused}, missed {n['missed']}"
    )


def _table(live, past):
    from rich import box
    from rich.table import Table
    from rich.text import Text

    age = f"{live.age:.2f} s" if live.age < 1e6 else "never"
    quality = Text(live.quality, style=STYLES.get(live.quality, "dim"))
    name = live.motor.name if live.motor else "motor"
    title = Text(plain(f"{name}: {live.source.name}, {live.source.state}, age {age}, "))
    table = Table(title=title + quality, caption=_caption(live), title_justify="left", caption_justify="left")
    table.box = box.SIMPLE_HEAD
    for name, align in (("", "left"), ("measured", "right"), ("estimate", "right"), ("±", "right"), ("", "left")):
        table.add_column(name, justify=align, no_wrap=True)
    table.add_column(f"last {WIDTH} looks", no_wrap=True)
    for s in rows_of(live):
        cells = [f"{x:.{digits}g}" if x == x else "" for x, digits in ((s.measured, 5), (s.estimate, 5), (s.sigma, 2))]
        label = Text(plain(s.name), style="bold" if cells[1] else "")
        table.add_row(label, *cells, s.unit, Text(sparkline(past[s.name]), style="cyan"))
    return table


def show(live, seconds: float = math.inf, every: float = 0.25, stream=None) -> None:
    """Follows a Live until its source ends, `seconds` are over or Ctrl-C."""
    stream = stream or sys.stdout
    end, past = time.monotonic() + seconds, {}

    def step() -> bool:
        tick = time.monotonic() + every
        live.update(every)
        while (more := live.source.running) and (left := tick - time.monotonic()) > 0:
            live.update(left)
        for s in rows_of(live):
            past.setdefault(s.name, deque(maxlen=WIDTH)).append(s.value)
        live.publish()
        return more and time.monotonic() < end

    if not stream.isatty():
        more = True
        while more:
            more = step()
            print(line(live), file=stream, flush=True)
        return
    from rich.live import Live as Screen

    with Screen(refresh_per_second=4, transient=False) as screen:
        more = True
        while more:
            more = step()
            screen.update(_table(live, past))
