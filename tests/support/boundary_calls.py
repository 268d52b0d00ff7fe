"""Public calls that hypothesis draws, an argument or two of them junk: an answer, or one line of a documented type."""

import math
import re
import warnings
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

import polepair as pp
from polepair.errors import CadError, DivergedError, LinkError

from .boundary import FIELDS, MOTORS, NAMES, OURS, RAW, URLS, VALUES, Place, need

JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        math.nan,
        math.inf,
        -math.inf,
        2**62,
        10**400,
        1e-300,
        "",
        "x",
        "magnet.Br",
        b"x",
        [],
        {},
        (),
        [None],
        ["omega_m"],
        {"a": 1},
        object(),
        pp.Foc,
        pp.Motor,
        int,
        np.zeros(3),
        np.array("x"),
        np.float64(1),
        1j,
        Path("/nonexistent/x.npz"),
        "run.npz",
        "few.npz",
        "damaged",
        "\0",
        "\udc80",
    ]
)
TINY = st.sampled_from([1e-3, 5e-4, 2e-3])


def calls(place: Place) -> dict:
    """Public calls with good arguments: name to (function, strategies by name)."""
    m, tw, table = (st.just(x) for x in (place.motor, place.twin, place.table))
    axes = st.sampled_from([{"magnet.Br": [1.0, 1.1]}, {"winding.turns": [8, 9]}, {"magnet.shape": ["arc"]}])
    record = {
        n: place.run["id"] * 0.01 if n != "time" else place.run["time"]
        for n in ("time", "u_alpha", "u_beta", "i_alpha", "i_beta")
    }
    ranges = st.just({"magnet.Br": (1.0, 1.2)})
    return {
        "load": (pp.load, {"name_or_path": MOTORS}),
        "loads": (pp.loads, {"text": st.just("schema = 1\n"), "where": st.just("w"), "name": st.just("n")}),
        "Motor": (pp.Motor, {"name": st.just("n"), "description": st.just(""), "source": st.just("")}),
        "Foc": (
            pp.Foc,
            {"speed": st.just(400), "ramp": st.just(10), "torque_max": st.just(1), "strategy": st.just("id0")},
        ),
        "SixStep": (pp.SixStep, {"speed": st.just(400), "duty": st.just(0.5)}),
        "Load": (pp.Load, {"torque": st.just(0.1), "t_on": st.just(0), "viscous": st.just(0), "J": st.just(0)}),
        "Propeller": (pp.Propeller, {"k": st.just(1e-6), "J": st.just(0)}),
        "Twin": (pp.Twin, {"motor": m, "control": st.just(pp.Foc(300)), "load": st.just(pp.Load(0.01))}),
        "run": (
            place.twin.run,
            {"t_end": TINY, "record": NAMES, "every": st.just(1), "progress": st.none(), "fine": st.just(1)},
        ),
        "core": (place.twin.core, {"nominal": st.none()}),
        "sweep": (
            pp.sweep,
            {
                "twin": tw,
                "axes": axes,
                "t_end": TINY,
                "record": st.just("omega_m.final"),
                "mode": st.just("exact"),
                "trace": st.none(),
                "every": st.just(1),
                "retune": st.just(True),
                "executor": st.none(),
                "resume": st.none(),
            },
        ),
        "derive_sweep": (pp.derive_sweep, {"motor": m, "axes": axes, "fields": st.just(["Kv"])}),
        "load_table": (pp.load_table, {"path": st.just("sweep.npz")}),
        "Result.load": (pp.Result.load, {"path": st.just("run.npz")}),
        "Result.save": (place.run.save, {"path": st.just("o.npz")}),
        "Result[]": (place.run.__getitem__, {"name": st.just("omega_m")}),
        "Result in": (place.run.__contains__, {"name": st.just("omega_m")}),
        "unit": (place.run.unit, {"name": st.just("omega_m")}),
        "SweepTable.run": (place.table.run, {"case": st.just(0)}),
        "efficiency_map": (
            pp.efficiency_map,
            {"motor": m, "i_max": st.just(5.0), "speeds": st.just(9), "shares": st.just(3)},
        ),
        "estimate": (
            pp.estimate,
            {
                "motor": m,
                "record": st.just(record),
                "noise": st.just(0.1),
                "method": st.just("ekf"),
                "adapt": st.just(True),
            },
        ),
        "replay": (pp.replay, {"record": st.just(record), "motor": m, "pace": st.just(0)}),
        "simulate": (pp.simulate, {"twin": tw, "pace": st.just(0), "seconds": st.just(0.01)}),
        "connect": (pp.connect, {"url": URLS, "motor": m, "channels": st.just(("ia",)), "fmt": st.just("json")}),
        "Format": (
            pp.Format,
            {
                "kind": st.just("json"),
                "names": st.just({}),
                "keys": st.just({}),
                "aliases": st.just({}),
                "scales": st.just({}),
                "layout": st.none(),
                "time_unit": st.just("ns"),
            },
        ),
        "Stream": (
            pp.Stream,
            {
                "channels": st.just(("a", "b")),
                "fmt": st.just("json"),
                "capacity": st.just(64),
                "size_limit": st.just(99),
            },
        ),
        "write_report": (
            pp.write_report,
            {"path": st.just("o.html"), "motor": m, "run": table, "sweep": table, "cad": st.just({})},
        ),
        "plans.random": (pp.plans.random, {"ranges": ranges, "count": st.just(3), "seed": st.just(0)}),
        "plans.grid": (pp.plans.grid, {"axes": axes}),
        "plans.table": (pp.plans.table, {"path": st.just("record.csv")}),
        "Motor.set": (place.motor.copy().set, {"a": FIELDS, "b": VALUES}),
        "Motor.get": (place.motor.get, {"a": FIELDS}),
        "setattr": (
            lambda name, value: setattr(place.motor.copy(), str(name), value),
            {"name": FIELDS, "value": VALUES},
        ),
        "setattr of a group": (
            lambda name, value: setattr(place.motor.copy().magnet, str(name), value),
            {"name": FIELDS, "value": VALUES},
        ),
    }


POSITIONAL = {"Motor.set", "Motor.get", "Result[]", "Result in", "SweepTable.run"}


@st.composite
def mistakes(draw, made: dict):
    """(name, arguments) of a call, one or two of them junk."""
    name = draw(st.sampled_from(list(made)))
    arguments = {n: draw(value) for n, value in made[name][1].items()}
    for wrong in draw(st.lists(st.sampled_from(list(arguments)), max_size=2)):
        arguments[wrong] = draw(JUNK)
    if draw(st.integers(0, 15)) == 0:
        arguments[draw(st.sampled_from(["nothing", "spede"]))] = 1
    return name, arguments


def call(made: dict, name: str, arguments: dict) -> str:
    """Makes the call: an answer, or an error of a documented type with one line of polepair's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            function = made[name][0]
            function(*arguments.values()) if name in POSITIONAL else function(**arguments)
        except (ValueError, TypeError, KeyError, AttributeError, DivergedError, LinkError, CadError) as e:
            text = str(e)
            said = f"{name}({arguments}): {type(e).__name__}: {text}"
            need("\n" not in text and len(text) < 2000 and OURS.search(text), said)
            need(not RAW.search(re.sub(r"= .*?: expected", ": expected", text)), said)
            return f"{name} {type(e).__name__}"
    return f"{name} answered"
