"""The polepair command: list, design, run, sweep, report, film. --json prints machine-readable results."""

import json
import sys
from pathlib import Path

import click
import numpy as np

from . import _core
from .errors import CadError, DivergedError, FileError, LinkError, StoreError
from .motor import catalogue, load
from .table import derived, parameters
from .twin import ALL, Twin

RPM = 30 / np.pi
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="GROUP.FIELD=VALUE",
    help="Change a parameter; units allowed, as in a motor file.",
)
FILE = click.Path(dir_okay=False, path_type=Path)


def _say(as_json: bool, data: dict, lines) -> None:
    if as_json:
        click.echo(json.dumps(data))
    else:
        for line in lines:
            click.echo(line)


def _motor(name: str, settings=()):
    """The motor with the --set options laid over it."""
    from .motor import _value
    from .table import parameter

    motor = load(name)
    for item in settings:
        key, sign, text = item.partition("=")
        if not sign:
            raise ValueError(f"--set {item}: expected GROUP.FIELD=VALUE")
        motor.set(key, _value(parameter(key), text))
    return motor


class Progress:
    """A progress bar on a terminal, silence elsewhere."""

    def __init__(self, label: str, quiet: bool):
        self.label, self.show, self.bar = label, not quiet and sys.stderr.isatty(), None

    def __enter__(self):
        if self.show:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn(self.label), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn()
            )
            self.bar.start()
            self.task = self.bar.add_task(self.label)
        return self

    def __call__(self, done: int, total: int) -> None:
        """Moves the bar."""
        if self.bar:
            self.bar.update(self.task, completed=done, total=total)

    def __exit__(self, *_):
        if self.bar:
            self.bar.stop()


class OneLine(click.Group):
    """Every error a user can cause ends as one line and exit code 2."""

    def invoke(self, ctx):
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except (FileError, DivergedError, CadError, LinkError, StoreError, ValueError) as e:
            click.echo(f"polepair: {e}", err=True)
            ctx.exit(2)
        except ImportError as e:
            click.echo(f"polepair: {e.name} is missing, expected: pip install 'polepair[report]'", err=True)
            ctx.exit(2)


@click.group(cls=OneLine)
@click.version_option(_core.version)
def main():
    """Virtual twins of electric motors."""


@main.command("list")
@JSON
def list_motors(as_json):
    """Motors that ship with polepair."""
    motors = {name: load(name) for name in catalogue()}
    width = max(map(len, motors))
    _say(
        as_json,
        {n: m.description for n, m in motors.items()},
        [f"{n:<{width}}  {m.description}" for n, m in motors.items()],
    )


@main.command()
@click.argument("motor")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for motor.step, motor.toml, motor.json and motor.mesh.npz.",
)
@click.option("--no-cad", is_flag=True, help="Constants only.")
@SET
@JSON
def design(motor, out, no_cad, settings, as_json):
    """Constants of a motor, and its solids where FreeCAD is installed."""
    from .cad import build_cad
    from .files import write_text

    m = _motor(motor, settings)
    d = m.derive()
    data, lines = {"motor": m.name, "derived": d.as_dict()}, [f"{m.name}: {m.description}"]
    lines += [f"  {n:<20} {getattr(d, n):<12.6g} {f.unit:<10} {f.doc}" for n, f in derived().items() if getattr(d, n)]
    if out:
        out.mkdir(parents=True, exist_ok=True)
        if m.has_geometry and not no_cad:
            try:
                data["cad"] = build_cad(m, out / "motor.step", out / "motor.mesh.npz")
                lines.append(f"  {data['cad']['solids']} solids in {out / 'motor.step'}")
            except CadError as e:
                data["cad_error"] = str(e)
                lines.append(f"  no CAD: {e}")
        m.save(out / "motor.toml")
        write_text(out / "motor.json", json.dumps(data, indent=1))
    _say(as_json, data, lines)


@main.command()
@click.argument("motor")
@click.option("--time", "t_end", default=0.5, show_default=True, help="Simulated time, s.")
@click.option("--out", type=FILE, help="Result file: .parquet, .npz or .csv.")
@click.option("--every", default=1, show_default=True, help="Keep one sample in EVERY.")
@SET
@JSON
def run(motor, t_end, out, every, settings, as_json):
    """Simulates a motor with its drive and load from rest."""
    m = _motor(motor, settings)
    with Progress("simulating", as_json) as bar:
        result = Twin(m).run(t_end, ALL, every, bar)
    if out:
        result.save(out)
    last = {n: float(result[n][-1]) for n in ("time", "omega_m", "torque", "i_s")}
    data = {
        "motor": m.name,
        "rows": len(result),
        "final": last,
        "i_peak": float(result["i_s"].max()),
        "energy_residual": result.energy_residual,
        "out": str(out) if out else None,
    }
    text = f"{m.name}: {last['omega_m'] * RPM:.1f} rpm, {last['torque'] * 1e3:.4g} mN m, {last['i_s']:.4g} A"
    text += f" after {last['time']:g} s"
    _say(
        as_json,
        data,
        [
            f"{text}; peak {data['i_peak']:.4g} A; energy balance {data['energy_residual']:.1e}"
            + (f"; {out}" if out else "")
        ],
    )


def _axis(text: str):
    """NAME=a,b,c or NAME=first:last:count."""
    name, sign, values = text.partition("=")
    try:
        if not sign:
            raise ValueError
        if ":" in values:
            low, high, count = values.split(":")
            points = np.linspace(float(low), float(high), int(count))
        else:
            points = [
                float(v) if name not in parameters() or not parameters()[name].choices else v for v in values.split(",")
            ]
    except ValueError:
        raise ValueError(f"{text}: expected GROUP.FIELD=a,b,c or GROUP.FIELD=first:last:count") from None
    return name, list(points)


@main.command()
@click.argument("motor")
@click.argument("axes", nargs=-1, required=True)
@click.option("--time", "t_end", default=0.5, show_default=True, help="Simulated time of each case, s.")
@click.option(
    "--record",
    default="omega_m.final,torque.final,i_s.peak,i_s.rms",
    show_default=True,
    help="Outputs as CHANNEL.REDUCER.",
)
@click.option("--keep-tuning", is_flag=True, help="All cases keep the base motor's controller.")
@click.option("--threads", type=int, help="Worker threads (default: all cores).")
@click.option("--out", type=FILE, help="Result file: .parquet, .npz or .csv.")
@SET
@JSON
def sweep(motor, axes, t_end, record, keep_tuning, threads, out, settings, as_json):
    """Runs every combination of AXES: GROUP.FIELD=a,b,c or GROUP.FIELD=first:last:count."""
    from .sweeps import sweep as run_sweep

    m = _motor(motor, settings)
    grid = dict(_axis(a) for a in axes)
    if len(grid) != len(axes):
        raise ValueError("sweep: a parameter is named twice")
    with Progress("sweeping", as_json) as bar:
        table = run_sweep(Twin(m), grid, t_end, record.split(","), not keep_tuning, threads, bar)
    if out:
        table.save(out)
    data = {
        "motor": m.name,
        "cases": len(table),
        "failed": table.failed,
        "complete": table.complete,
        "out": str(out) if out else None,
    }
    if not out:
        data["columns"] = {n: [None if np.isnan(v) else v for v in table[n].tolist()] for n in table.names}
    lines = [f"{m.name}: {len(table)} cases, {len(table.failed)} refused" + (f"; {out}" if out else "")]
    lines += [f"  case {k}: {why}" for k, why in table.failed[:5]] + (["  ..."] if len(table.failed) > 5 else [])
    _say(as_json, data, lines)


@main.command()
@click.argument("motor")
@click.option("--run", "run_file", type=FILE, help="Result of `polepair run`; simulated when missing.")
@click.option("--sweep", "sweep_file", type=FILE, help="Result of `polepair sweep`.")
@click.option(
    "--cad", "cad_file", type=FILE, help="motor.json of `polepair design`; motor.mesh.npz is taken from beside it."
)
@click.option("--out", type=FILE, default=Path("report.html"), show_default=True)
@SET
@JSON
def report(motor, run_file, sweep_file, cad_file, out, settings, as_json):
    """One page about a motor: drawing, constants, limits, spin-up, sweep, checks."""
    from .files import read_text
    from .report import write_report
    from .result import Result
    from .sweeps import load_table

    m = _motor(motor, settings)
    result = Result.load(run_file) if run_file else Twin(m).run(0.5)
    table = load_table(sweep_file) if sweep_file else None
    cad = json.loads(read_text(cad_file)).get("cad") if cad_file else None
    mesh = cad_file.with_name("motor.mesh.npz") if cad_file else None
    path = write_report(out, m, result, table, cad, mesh if mesh and mesh.exists() else None)
    _say(as_json, {"out": str(path)}, [f"{m.name}: {path}"])


@main.command()
@click.argument("motor")
@click.option("--run", "run_file", type=FILE, help="Result of `polepair run`; simulated when missing.")
@click.option("--out", type=FILE, default=Path("spinup.mp4"), show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="Length of the clip.")
@click.option("--slow", default=0.0, help="Slow motion factor (0: so that the whole run fills the clip).")
@SET
@JSON
def film(motor, run_file, out, seconds, slow, settings, as_json):
    """A short clip of the spin-up, rendered by Blender without a display."""
    from .film import make_film
    from .result import Result

    m = _motor(motor, settings)
    result = Result.load(run_file) if run_file else Twin(m).run(0.5)
    with Progress("rendering", as_json):
        data = make_film(m, result, out, seconds, slow)
    _say(as_json, data, [f"{m.name}: {data['frames']} frames in {out}"])


@main.command()
@click.argument("record", type=FILE)
@click.option("--motor", required=True, help="Motor file, or the name of one that ships with polepair.")
@click.option("--out", "-o", type=FILE, help="Result file: .npz (one array a column), .parquet or .csv.")
@click.option("--method", type=click.Choice(["ekf", "ukf"]), default="ekf", show_default=True)
@click.option("--fixed", is_flag=True, help="Keep Rs and psi_pm as the motor file has them.")
@click.option("--noise", type=float, help="Standard deviation of a current measurement, A (default: from the record).")
@SET
@JSON
def estimate(record, motor, out, method, fixed, noise, settings, as_json):
    """Speed, angle and load torque of a drive from its currents and voltages.

    RECORD has the columns time u_alpha u_beta i_alpha i_beta in SI units; u[k] is the mean over [t[k], t[k+1]).
    """
    from .estimate import checked
    from .estimate import estimate as run_estimate

    m = _motor(motor, settings)
    columns = _recorded(record)
    checked(columns, str(record))
    result = run_estimate(m, columns, not fixed, noise, method)
    if out:
        result.save(out)
    last = {n: float(result[n][-1]) for n in result.names}
    data = {
        "motor": m.name,
        "rows": len(result),
        "nis": float(result["nis"].mean()),
        "last": last,
        "out": str(out or ""),
    }
    good = 100 * float((result["quality"] == 0).mean())
    text = f"{m.name}: {len(result)} rows, {good:.0f} % good, mean NIS {data['nis']:.2f}; at the end {last['omega_m'] * RPM:.1f} rpm"
    text += (
        f" +- {last['omega_m_sigma'] * RPM:.1f}, load {last['torque_load']:.4g} N m +- {last['torque_load_sigma']:.2g}"
    )
    _say(as_json, data, [text + (f"; {out}" if out else "")])


MQTT_OPTIONS = (
    click.option(
        "--password-file", type=FILE, help="File whose first line is the password (else POLEPAIR_MQTT_PASSWORD)."
    ),
    click.option("--ca", type=FILE, help="Certificate authority of the broker (mqtts://)."),
    click.option("--cert", type=FILE, help="Own certificate, for mutual TLS."),
    click.option("--key", type=FILE, help="Its private key."),
)


def mqtt_options(command):
    """Adds the options of a connection."""
    for option in reversed(MQTT_OPTIONS):
        command = option(command)
    return command


def _link_options(password_file, ca, cert, key) -> dict:
    return {"password_file": password_file, "ca": ca, "certificate": cert, "key": key}


@main.command()
@click.argument("motor", default="outrunner-12s14p")
@click.option("--mqtt", metavar="URL", help="A real motor: mqtt://host/asset or mqtts://host/asset.")
@click.option("--serial", metavar="PORT", help="A motor on a serial line: /dev/ttyACM0.")
@click.option("--replay", "record", type=FILE, help="A recording with a column time.")
@click.option("--channels", help="Channels of the stream, by commas (default: from the device's birth).")
@click.option(
    "--format", "fmt", type=click.Choice(["frame", "json", "sparkplug"]), help="Of the messages, with --channels."
)
@click.option("--topic", help="Topic of the samples, where it is not the asset's own.")
@click.option("--time", "seconds", type=float, help="Stop after so many seconds.")
@click.option("--pace", default=1.0, show_default=True, help="Simulated or replayed seconds per second; 0: at once.")
@click.option("--publish", is_flag=True, help="Publish the estimates on the asset's est (with --mqtt).")
@mqtt_options
@SET
def live(motor, mqtt, serial, record, channels, fmt, topic, seconds, pace, publish, settings, **link):
    """A motor as it runs: what it measures and what it cannot. Simulated unless --mqtt, --serial or --replay."""
    import math

    from . import live as operational
    from .mqtt import Link
    from .screen import show

    m = _motor(motor, settings)
    names, options = tuple(channels.split(",")) if channels else None, _link_options(**link)
    if sum(x is not None for x in (mqtt, serial, record)) > 1:
        raise ValueError("live: expected one of --mqtt, --serial and --replay")
    if mqtt:
        view = operational.connect(mqtt, m, channels=names, fmt=fmt, topic=topic, **options)
        if publish:
            view.publisher = Link(mqtt, **options).connect()
    elif serial:
        view = operational.connect(f"serial:{serial}", m, channels=names or operational.DRIVE)
    elif record:
        view = operational.replay(_recorded(record), m, pace)
    else:
        view = operational.simulate(Twin(m), pace=pace)
    with view:
        try:
            show(view, math.inf if seconds is None else seconds)
        except KeyboardInterrupt:
            pass
    if view.source.state not in ("up", "ended") and not mqtt:
        raise ValueError(f"{view.source.name}: {view.source.state}")


@main.command()
@click.argument("motor", default="outrunner-12s14p")
@click.option("--mqtt", metavar="URL", required=True, help="mqtt://host/asset or mqtts://host/asset.")
@click.option("--time", "seconds", type=float, help="Stop after so many seconds.")
@mqtt_options
@SET
def device(motor, mqtt, seconds, settings, **link):
    """Plays a motor's device: publishes birth, state and frames of a simulated motor over MQTT."""
    import math
    import time

    from .mqtt import Publisher
    from .sources import SIMULATED, Simulated
    from .streams import Format
    from .wire import StreamInfo

    m = _motor(motor, settings)
    publisher = Publisher(
        mqtt, {"fast": StreamInfo(SIMULATED, Format("frame"), m.drive.period)}, m.name, **_link_options(**link)
    )
    source = Simulated(Twin(m), seconds=math.inf if seconds is None else seconds, send=publisher.send).start()
    click.echo(f"{m.name}: publishing on {publisher.base}/t/fast")
    try:
        while source.running:
            time.sleep(0.1)
    except KeyboardInterrupt:
        pass
    source.close()
    publisher.close()


def _seconds(text: str) -> float:
    """90, 90s, 15min, 12h, 7d."""
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    number = text.rstrip("smindh ")
    try:
        return float(number) * units[text[len(number) :].strip() or "s"]
    except (ValueError, KeyError):
        raise ValueError(f"{text}: expected a time such as 90s, 15min, 12h or 7d") from None


@main.command()
@click.argument("url")
@click.option("--out", "-o", type=FILE, required=True, help="Store to write into; it is made, or gone on with.")
@click.option("--stream", default="fast", show_default=True)
@click.option("--channels", help="Channels of the stream, by commas (default: from the device's birth).")
@click.option(
    "--format", "fmt", type=click.Choice(["frame", "json", "sparkplug"]), help="Of the messages, with --channels."
)
@click.option("--topic", help="Topic of the samples, where it is not the asset's own.")
@click.option("--time", "seconds", type=float, help="Stop after so many seconds.")
@click.option("--keep", help="Keep only the newest: 12h, 7d (default: all).")
@mqtt_options
@JSON
def record(url, out, stream, channels, fmt, topic, seconds, keep, as_json, **link):
    """Keeps what comes from URL: mqtt://host/asset. Nothing acknowledged is lost if this is killed."""
    import hashlib
    import time

    from .mqtt import MqttSource
    from .store import Recorder

    names = tuple(channels.split(",")) if channels else None
    me = f"polepair-record-{hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:12]}"
    options = {**_link_options(**link), "client_id": me, "clean": False, "topic": topic}
    source = MqttSource(url, stream, names, fmt, **options)
    recorder = Recorder(out, source.stream, stream, _seconds(keep) if keep else None)
    end = time.monotonic() + (seconds if seconds is not None else float("inf"))
    try:
        source.start()
        while time.monotonic() < end:
            time.sleep(0.2)
            if recorder.error and not as_json:
                click.echo(f"polepair: {recorder.error}", err=True)
    except KeyboardInterrupt:
        pass
    finally:
        source.close()
        recorder.close()
    n = source.stream.stats
    data = {"out": str(out), **n, "error": recorder.error}
    text = f"{out}: {n['rows']} rows in {n['messages']} messages; lost {n['lost']}, twice {n['duplicates']}"
    _say(as_json, data, [text + f", late {n['out_of_order']}, restarts {n['restarts']}"])


@main.command()
@click.argument("store", type=FILE)
@click.option("--stream", help="Name of the stream (default: the only one).")
@click.option("--mqtt", metavar="URL", required=True, help="Where to: mqtt://host/asset.")
@click.option("--pace", default=1.0, show_default=True, help="Recorded seconds per second; 0: as fast as it goes.")
@mqtt_options
def replay(store, stream, mqtt, pace, **link):
    """Plays a stored or saved recording to a broker, as the device would (polepair live --replay shows it here)."""
    import time

    from .mqtt import Publisher
    from .sources import Recording
    from .streams import Format
    from .wire import StreamInfo

    recording = Recording(_recorded(store, stream), pace)
    info = StreamInfo(recording.stream.channels, Format("frame"), float(np.median(np.diff(recording.time))))
    publisher = Publisher(mqtt, {"fast": info}, store.stem, **_link_options(**link))
    recording.send = publisher.send
    recording.start()
    try:
        while recording.running:
            time.sleep(0.05)
    except KeyboardInterrupt:
        pass
    recording.close()
    publisher.close()
    click.echo(f"{store}: {len(recording.time)} rows to {publisher.base}/t/fast, {publisher.unsent} messages not sent")


def _recorded(path, stream=None) -> dict:
    """A record from a store, or from a file of columns."""
    from .estimate import read_record
    from .store import Store

    if path.suffix in (".npz", ".csv", ".parquet"):
        return read_record(path)
    with Store(path) as opened:
        return opened.record(stream)


@main.command()
@click.argument("store", type=FILE)
@click.option("--stream", help="Name of the stream (default: the only one).")
@click.option("--out", "-o", type=FILE, required=True, help="File: .parquet or .csv.")
@JSON
def export(store, stream, out, as_json):
    """Writes a recorded stream as Parquet or CSV, times as whole nanoseconds."""
    from .store import Store, write_rows

    with Store(store) as opened:
        rows = opened.read(stream)
    write_rows(rows, out)
    _say(as_json, {"rows": len(rows), "out": str(out)}, [f"{store}: {len(rows)} rows in {out}"])
