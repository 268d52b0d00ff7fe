"""polepair live in a terminal: values, units, uncertainty, age, quality and a sparkline."""

import math
import sys
import time
from collections import deque

from .estimation import estimates
from .table import channels

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


def rows_of(live) -> list[tuple[str, float, float, str]]:
    """What is shown: (name, value, sigma or NaN, unit); the estimates first."""
    v = live.values
    out = [
        (f"est.{n}", v[f"est.{n}"], v.get(f"est.{n}_sigma", math.nan), unit_of(f"est.{n}"))
        for n in SHOWN
        if f"est.{n}" in v
    ]
    return out + [(n, x, math.nan, unit_of(n)) for n, x in v.items() if not n.startswith("est.")]


def line(live) -> str:
    """One line for logs and pipes."""
    shown = [
        f"{n.removeprefix('est.')} {x:.4g}{f' +- {s:.2g}' if s == s else ''} {u}".rstrip()
        for n, x, s, u in rows_of(live)
    ]
    lost = live.stats["lost"]
    return f"{live.quality}, age {live.age:.2f} s, lost {lost}: " + ", ".join(shown[:6])


def _table(live, past):
    from rich.table import Table
    from rich.text import Text

    n, quality = live.stats, live.quality
    title = f"{live.motor.name if live.motor else 'motor'}: {live.source.name}, {live.source.state}"
    refused = sum(v for k, v in n.items() if " " in k)
    foot = f"{n['rows']:,} rows in {n['messages']:,} messages; lost {n['lost']}, twice {n['duplicates']}, "
    foot += f"late {n['out_of_order']}, restarts {n['restarts']}, refused {refused}, missed {n['missed']}"
    table = Table(title=title, caption=foot, title_justify="left", caption_justify="left")
    for name, align in (("channel", "left"), ("value", "right"), ("±", "right"), ("unit", "left"), ("", "left")):
        table.add_column(name, justify=align)
    table.add_column("quality")
    table.add_column("age", justify="right")
    age = f"{live.age:.2f} s" if live.age < 1e6 else "never"
    for name, value, sigma, unit in rows_of(live):
        estimated = name.startswith("est.")
        label = Text(name.removeprefix("est."), style="bold" if estimated else "")
        said = quality if estimated else "stale" if quality == "stale" else "measured"
        style = STYLES.get(said, "dim")
        spread = "" if sigma != sigma else f"{sigma:.2g}"
        bars = Text(sparkline(past[name]), style="cyan")
        table.add_row(label, f"{value:.5g}", spread, unit, bars, Text(said, style=style), age)
    return table


def show(live, seconds: float = math.inf, every: float = 0.25, stream=None) -> None:
    """Follows a Live until its source ends, `seconds` are over or Ctrl-C."""
    stream = stream or sys.stdout
    end, past = time.monotonic() + seconds, {}

    def step() -> bool:
        tick = time.monotonic() + every
        while (left := tick - time.monotonic()) > 0:
            live.update(left)
            if not live.source.running:
                live.update()
                break
        for name, value, _, _ in rows_of(live):
            past.setdefault(name, deque(maxlen=WIDTH)).append(value)
        live.publish()
        return live.source.running and time.monotonic() < end

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
