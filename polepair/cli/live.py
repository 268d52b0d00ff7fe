"""Commands of the operational twin: estimate, live, device, replay, broker-config."""

import contextlib

import click
import numpy as np

from ..errors import plain
from ..run.twin import Twin
from .common import FILE, JSON, RPM, SET, chosen_motor, say
from .typed import Typed


@click.command(cls=Typed)
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
    from ..live.estimation import checked
    from ..live.estimation import estimate as run_estimate

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
    """The keyword arguments of a MqttSource that say what the stream is."""
    names = given["channels"]
    return {"channels": tuple(names.split(",")) if names else None, "fmt": given["fmt"], "topic": given["topic"]}


@click.command()
@click.argument("motor", default="outrunner-12s14p")
@click.option("--mqtt", metavar="URL", help="A real motor: mqtt://host/asset or mqtts://host/asset.")
@click.option("--serial", metavar="PORT", help="A motor on a serial line: /dev/ttyACM0.")
@click.option("--replay", "record", type=FILE, help="A recording with a column time.")
@stream_options
@click.option("--time", "seconds", type=float, help="Stop after so many seconds.")
@click.option("--pace", default=1.0, show_default=True, help="Simulated or replayed seconds per second; 0: at once.")
@click.option("--publish", is_flag=True, help="Publish the estimates on the asset's est (with --mqtt).")
@mqtt_options
@SET
def live(motor, seconds, pace, publish, settings, **given):
    """A motor as it runs: what it measures and what it cannot. Simulated unless --mqtt, --serial or --replay."""
    import math

    from ..live import session as operational
    from ..live.mqtt import Link
    from .screen import show

    m = chosen_motor(motor, settings)
    mqtt, serial, record = given["mqtt"], given["serial"], given["record"]
    link, stream = link_options(given), source_options(given)
    if sum(x is not None for x in (mqtt, serial, record)) > 1:
        raise ValueError("live: expected one of --mqtt, --serial and --replay")
    if mqtt:
        view = operational.connect(mqtt, m, **stream, **link)
        if publish:
            view.publisher = Link(mqtt, **link).connect()
    elif serial:
        view = operational.connect(f"serial:{serial}", m, channels=stream["channels"] or operational.DRIVE)
    elif record:
        view = operational.replay(recorded(record), m, pace)
    else:
        view = operational.simulate(Twin(m), pace=pace)
    with view, contextlib.suppress(KeyboardInterrupt):
        show(view, math.inf if seconds is None else seconds)
    if view.source.state not in ("up", "ended") and not mqtt:
        raise ValueError(f"{view.source.name}: {view.source.state}")


@click.command()
@click.argument("motor", default="outrunner-12s14p")
@click.option("--mqtt", metavar="URL", required=True, help="mqtt://host/asset or mqtts://host/asset.")
@click.option("--time", "seconds", type=float, help="Stop after so many seconds.")
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
@click.option("--pace", default=1.0, show_default=True, help="Recorded seconds per second; 0: as fast as it goes.")
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
    from ..live.broker import write_config

    files = write_config(out, assets, tls=not no_tls, **options)
    data = {k: str(v) for k, v in files.items()}
    say(as_json, data, [f"{k}: {v}" for k, v in data.items()] + [f"start: mosquitto -c {files['configuration']}"])


COMMANDS = (estimate, live, device, replay, broker_config)
