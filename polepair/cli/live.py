"""Commands of the operational twin: estimate, live, device, replay, broker-config."""

import contextlib

import click
import numpy as np
from click.core import ParameterSource

from ..errors import LinkError, plain
from ..files import apart
from ..run.saved import writable
from ..run.twin import Twin
from .common import FILE, JSON, RPM, SET, chosen_motor, say, tell
from .typed import Typed

DOUBTED = 50  # % of good rows: an estimate with fewer is said to be one to doubt


def span(ctx, option, value):
    """A time, pace or spread as an option has it; ValueError for one that is not 0 or more."""
    if value is not None and not value >= 0:
        raise ValueError(f"{option.opts[0]} {value:g}: expected 0 or more")
    return value


@click.command(cls=Typed)
@click.argument("record", type=FILE)
@click.option("--motor", required=True, help="Motor file, or the name of one that ships with polepair.")
@click.option("--out", "-o", type=FILE, help="Result file: .npz (one array a column), .parquet or .csv.")
@click.option("--method", type=click.Choice(["ekf", "ukf"]), default="ekf", show_default=True)
@click.option("--fixed", is_flag=True, help="Keep Rs and psi_pm as the motor file has them.")
@click.option(
    "--noise",
    type=float,
    callback=span,
    help="Standard deviation of a current measurement, A (default: from the record).",
)
@SET
@JSON
def estimate(record, motor, out, method, fixed, noise, settings, as_json):
    """Speed, angle and load torque of a drive from its currents and voltages.

    RECORD has the columns time u_alpha u_beta i_alpha i_beta in SI units; u[k] is the mean over [t[k], t[k+1]).
    """
    from ..live.estimation import checked
    from ..live.estimation import estimate as run_estimate

    if out:
        writable(out)
        apart(out, record, motor)
    m = chosen_motor(motor, settings)
    columns = recorded(record)
    checked(columns, str(record))
    result = run_estimate(m, columns, not fixed, noise, method)
    result.about["record"] = str(record)
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
    if good < DOUBTED:
        wanted = "expected a record of this motor turning, long enough, with its columns in SI and in their order"
        tell(f"{record}: {good:.0f} % of the rows are good (mean NIS {data['nis']:.3g}): {wanted}", "warning")
    text = f"{m.name}: {len(result)} rows, {good:.0f} % good, mean NIS {data['nis']:.2f}; at the end "
    text += f"{last['omega_m'] * RPM:.1f} rpm"
    text += (
        f" +- {last['omega_m_sigma'] * RPM:.1f}, load {last['torque_load']:.4g} N m +- {last['torque_load_sigma']:.2g}"
    )
    say(as_json, data, [text + (f"; {out}" if out else "")])


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


STREAM_OPTIONS = (
    click.option("--channels", help="Channels of the stream, by commas (default: from the device's birth)."),
    click.option(
        "--format", "fmt", type=click.Choice(["frame", "json", "sparkplug"]), help="Of the messages, with --channels."
    ),
    click.option("--topic", help="Topic of the samples, where it is not the asset's own."),
)


def stream_options(command):
    """Adds the options of a stream."""
    for option in reversed(STREAM_OPTIONS):
        command = option(command)
    return command


def link_options(given) -> dict:
    """The keyword arguments of a Link, from what the options gave."""
    return {k: given[k] for k in ("password_file", "ca", "key")} | {"certificate": given["cert"]}


def source_options(given) -> dict:
    """The keyword arguments of a MqttSource that say what the stream is; ValueError where they make no sense."""
    from ..live.wire import checked_channels

    if given["fmt"] and given["channels"] is None:
        raise ValueError(f"--format {given['fmt']}: expected with --channels; else the device's birth says both")
    names = given["channels"]
    if names is not None:
        names = checked_channels([n.strip() for n in names.split(",")], "--channels")
    return {"channels": names, "fmt": given["fmt"], "topic": given["topic"]}


@contextlib.contextmanager
def in_options():
    """Errors name options of the command instead of arguments of a call."""
    from ..live.mqtt import GIVEN

    try:
        yield
    except LinkError as e:
        raise type(e)(str(e).replace(GIVEN, "--channels and --format")) from None


SERVES = {"--mqtt": ("channels", "fmt", "topic", "publish", "password_file", "ca", "cert", "key")}
SERVES |= {"--serial": ("channels",), "--replay": ("pace",), "a simulated motor": ("pace",)}


def _refuse_idle(chosen: str) -> None:
    """ValueError for an option that the chosen source has no use for."""
    context = click.get_current_context()
    for option in context.command.params:
        users = [source for source, served in SERVES.items() if option.name in served]
        given = context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        if given and users and chosen not in users:
            raise ValueError(f"{option.opts[0]}: no use with {chosen}, expected with {' or '.join(users)}")


@click.command()
@click.argument("motor", default="outrunner-12s14p")
@click.option("--mqtt", metavar="URL", help="A real motor: mqtt://host/asset or mqtts://host/asset.")
@click.option("--serial", metavar="PORT", help="A motor on a serial line: /dev/ttyACM0.")
@click.option("--replay", "record", type=FILE, help="A recording with a column time.")
@stream_options
@click.option("--time", "seconds", type=float, callback=span, help="Stop after so many seconds.")
@click.option(
    "--pace",
    default=1.0,
    callback=span,
    show_default=True,
    help="Simulated or replayed seconds per second; 0: at once.",
)
@click.option("--publish", is_flag=True, help="Publish the estimates on the asset's est (with --mqtt).")
@mqtt_options
@SET
def live(motor, seconds, pace, publish, settings, **given):
    """A motor as it runs: what it measures and what it cannot. Simulated unless --mqtt, --serial or --replay.

    q quits, as Ctrl-C does.
    """
    import math

    from ..live import session as operational
    from ..live.mqtt import Link
    from ..live.refusals import refusals
    from .screen import show

    mqtt, serial, record = given["mqtt"], given["serial"], given["record"]
    chosen = [f"--{k}" for k, v in (("mqtt", mqtt), ("serial", serial), ("replay", record)) if v is not None]
    if len(chosen) > 1:
        raise ValueError(f"live: {' and '.join(chosen)}, expected one of --mqtt, --serial and --replay")
    _refuse_idle("".join(chosen) or "a simulated motor")
    m = chosen_motor(motor, settings)
    link, stream = link_options(given), source_options(given)
    if mqtt is not None:
        with in_options():
            view = operational.connect(mqtt, m, **stream, **link)
        if publish:
            view.publisher = Link(mqtt, **link).connect()
    elif serial is not None:
        view = operational.connect(f"serial:{serial}", m, channels=stream["channels"] or operational.DRIVE)
    elif record is not None:
        view = operational.replay(recorded(record), m, pace)
    else:
        view = operational.simulate(Twin(m), pace=pace)
    with view, contextlib.suppress(KeyboardInterrupt):
        show(view, math.inf if seconds is None else seconds)
    for refusal in refusals(view.stream):
        tell(f"{view.source.name}: {refusal}")
    if view.source.state not in ("up", "ended") and not mqtt:
        raise ValueError(f"{view.source.name}: {view.source.state}")


@click.command()
@click.argument("motor", default="outrunner-12s14p")
@click.option("--mqtt", metavar="URL", required=True, help="mqtt://host/asset or mqtts://host/asset.")
@click.option("--time", "seconds", type=float, callback=span, help="Stop after so many seconds.")
@mqtt_options
@SET
def device(motor, mqtt, seconds, settings, **link):
    """Plays a motor's device: publishes birth, state and frames of a simulated motor over MQTT."""
    import math
    import time

    from ..live.mqtt import Publisher
    from ..live.sources import SIMULATED, Simulated
    from ..live.streams import Format
    from ..live.wire import StreamInfo

    m = chosen_motor(motor, settings)
    publisher = Publisher(
        mqtt, {"fast": StreamInfo(SIMULATED, Format("frame"), m.drive.period)}, m.name, **link_options(link)
    )
    source = Simulated(Twin(m), seconds=math.inf if seconds is None else seconds, send=publisher.send).start()
    click.echo(f"{plain(m.name)}: publishing on {publisher.base}/t/fast")
    with contextlib.suppress(KeyboardInterrupt):
        while source.running:
            time.sleep(0.1)
    source.close()
    publisher.close()


@click.command()
@click.argument("store", type=FILE)
@click.option("--stream", help="Name of the stream (default: the only one).")
@click.option("--mqtt", metavar="URL", required=True, help="Where to: mqtt://host/asset.")
@click.option(
    "--pace", default=1.0, callback=span, show_default=True, help="Recorded seconds per second; 0: as fast as it goes."
)
@mqtt_options
def replay(store, stream, mqtt, pace, **link):
    """Plays a stored or saved recording to a broker, as the device would (polepair live --replay shows it here)."""
    import time

    from ..live.mqtt import Publisher
    from ..live.sources import Recording
    from ..live.streams import Format
    from ..live.wire import StreamInfo

    recording = Recording(recorded(store, stream), pace)
    period = float(np.median(np.diff(recording.time))) if len(recording.time) > 1 else 0.0
    info = StreamInfo(recording.stream.channels, Format("frame"), period)
    publisher = Publisher(mqtt, {"fast": info}, store.stem, recording.boot, **link_options(link))
    recording.send = publisher.send
    recording.start()
    with contextlib.suppress(KeyboardInterrupt):
        while recording.running:
            time.sleep(0.05)
    recording.close()
    publisher.close()
    click.echo(f"{store}: {len(recording.time)} rows to {publisher.base}/t/fast, {publisher.unsent} messages not sent")


def recorded(path, stream=None) -> dict:
    """A record from a store, or from a file of columns."""
    from ..live.estimation import read_record
    from ..live.store import Store

    if path.suffix in (".npz", ".csv", ".parquet"):
        return read_record(path)
    with Store(path) as opened:
        return opened.record(stream)


@click.command("broker-config")
@click.argument("assets", nargs=-1, required=True)
@click.option(
    "--out", "-o", type=click.Path(file_okay=False), default="broker", show_default=True, help="Folder to make."
)
@click.option(
    "--host", "hosts", multiple=True, default=("localhost",), help="Name or address that clients use; repeat."
)
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=int, help="Default: 8883, or 1883 without TLS.")
@click.option("--prefix", default="", help="Topics before polepair/1/...")
@click.option("--no-tls", is_flag=True, help="Plain TCP: for loopback only.")
@click.option("--mutual", is_flag=True, help="Clients need certificates too.")
@click.option("--autosave", default=1, show_default=True, help="Changes between two saves of all that is queued.")
@click.option("--commands", is_flag=True, help="Let the twin send commands (off by default).")
@JSON
def broker_config(assets, out, no_tls, as_json, **options):
    """A mosquitto configuration for ASSETS: persistence, queues, access lists, TLS and a user each."""
    from ..live.broker import closed_folder, write_config

    files = write_config(out, assets, tls=not no_tls, **options)
    closed = closed_folder(out)
    if closed:
        tell(f"{closed}: the user mosquitto may not enter, expected another folder, or chmod o+x", "warning")
    data = {k: str(v) for k, v in files.items()}
    say(as_json, data, [f"{k}: {v}" for k, v in data.items()] + [f"start: mosquitto -c {files['configuration']}"])


COMMANDS = (estimate, live, device, replay, broker_config)
