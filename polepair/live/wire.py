"""What goes over the wire beside the samples: topics, addresses, births, estimates (docs/wire.md)."""

import ipaddress
import json
import math
import re
import warnings
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ..errors import ClearTextWarning, plain
from .streams import FORMATS, Format

VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
PORTS = {False: 1883, True: 8883}
OWN_COLUMNS = ("time", "seq", "arrival")  # what every row has beside its channels
BIRTH_LIMIT = 64 << 10
STREAMS_MAX, CHANNELS_MAX = 64, 64
CHANNEL_BYTES = 47  # PP_NAME_MAX less the 0 at the end
PERIOD_MAX = 86400.0  # s


@dataclass(frozen=True)
class Address:
    """mqtt://[user@]host[:port]/[prefix/]asset, or mqtts:// for TLS. The password never comes from here."""

    host: str
    port: int
    tls: bool
    user: str | None
    prefix: str
    asset: str

    @property
    def base(self) -> str:
        """Topic of the asset: [prefix/]polepair/1/<asset>."""
        return f"{self.prefix}polepair/{VERSION}/{self.asset}"

    @property
    def uri(self) -> str:
        """As paho.mqtt.c takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ssl' if self.tls else 'tcp'}://{host}:{self.port}"


def checked_name(name: str, what: str) -> str:
    """A part of a topic: letters, digits, _ . and -, at most 64; ValueError for another."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{what} {plain(repr(name), 80)}: expected 1 to 64 letters, digits, '_', '.' or '-'")
    return name


def checked_host(host: str, what: str) -> str:
    """A host name or an IP address (no port); ValueError does not repeat what may be a password."""
    if not HOST.fullmatch(host) and not is_ip(host):
        raise ValueError(f"{what}: expected a host name or an IP address")
    return host


def is_ip(host: str) -> bool:
    """Whether a text is an IP address; a zone (%eth0) is printable."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return host.isprintable() and " " not in host


def address(url: str) -> Address:
    """Reads an address; ValueError says which part is wrong and never repeats it: any part may hold a password."""
    wrong, found = _read_address(str(url))
    if wrong:
        raise ValueError(wrong)
    return found


def _read_address(url: str) -> tuple[str, Address | None]:
    """What is wrong, or the address. No exception leaves here: those of urllib quote the address."""
    try:
        parts = urlsplit(url)
        host, port, user, path = parts.hostname, parts.port, unquote(parts.username or ""), unquote(parts.path)
    except ValueError:
        return "address: expected a host, and a port from 1 to 65535 if any", None
    if parts.password is not None:
        return "the address holds a password: expected it in a file or in POLEPAIR_MQTT_PASSWORD", None
    if parts.scheme not in ("mqtt", "mqtts") or not host:
        return "address: expected mqtt://host/asset or mqtts://host/asset", None
    if port == 0 or parts.query or parts.fragment or not user.isprintable():
        return "address: expected [user@]host[:port]/[prefix/]asset, port from 1 to 65535, no ? and no #", None
    if parts.netloc.rpartition("@")[2].startswith("[") and ":" not in host:
        return "address: host: expected an IPv6 address between [ and ]", None
    try:
        checked_host(host, "address: host")
    except ValueError as e:
        return str(e), None
    *prefix, asset = [p for p in path.split("/") if p] or [""]
    if not asset:
        return "address: no asset, expected mqtt://host/asset, with the name under which the device publishes", None
    for place, part in enumerate((*prefix, asset), 1):
        if not NAME.fullmatch(part):
            return f"address: topic part {place}: expected 1 to 64 letters, digits, '_', '.' or '-'", None
    tls = parts.scheme == "mqtts"
    return "", Address(host, port or PORTS[tls], tls, user or None, "".join(f"{p}/" for p in prefix), asset)


def warn_if_clear(where: Address, password) -> None:
    """A ClearTextWarning when a password would go over an mqtt:// link; once for each place in a program."""
    if password and not where.tls:
        text = f"{where.host}: the password goes over the network as clear text, expected mqtts://"
        warnings.warn(text, ClearTextWarning, stacklevel=3)


@dataclass(frozen=True)
class StreamInfo:
    """What a birth tells of one stream."""

    channels: tuple[str, ...]
    format: Format
    period: float = 0.0  # s; 0: not even


def birth(device: str, boot: int, streams: dict[str, StreamInfo]) -> bytes:
    """The retained message by which a device introduces itself."""
    listed = {
        name: {
            "format": s.format.kind,
            "channels": list(s.channels),
            "scales": [s.format.scales.get(c, 1.0) for c in s.channels],
            "period": s.period if math.isfinite(s.period) else 0.0,
        }
        for name, s in streams.items()
    }
    return json.dumps({"polepair": VERSION, "device": device, "boot": boot, "streams": listed}).encode()


def read_birth(payload: bytes) -> dict[str, StreamInfo]:
    """Streams of a birth; ValueError says what is wrong."""
    if len(payload) > BIRTH_LIMIT:
        raise ValueError(f"birth: {len(payload)} bytes, expected at most {BIRTH_LIMIT}")
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("streams"), dict) or "polepair" not in data:
        raise ValueError("birth: expected a JSON object with polepair and an object streams")
    version = data["polepair"]
    if type(version) is not int or version != VERSION:
        raise ValueError(f"birth: version {_shown(version)}, expected {VERSION}")
    if len(data["streams"]) > STREAMS_MAX:
        raise ValueError(f"birth: {len(data['streams'])} streams, expected at most {STREAMS_MAX}")
    return {checked_name(name, "stream"): _stream_info(name, s) for name, s in data["streams"].items()}


def _shown(value) -> str:
    """A value of a birth as an error may have it."""
    return plain(repr(value), 60) if isinstance(value, (str, float)) else type(value).__name__


def _stream_info(name: str, s) -> StreamInfo:
    where = f"birth: stream {name}"
    if not isinstance(s, dict):
        raise ValueError(f"{where}: expected an object with channels")
    channels = checked_channels(s.get("channels"), f"{where}: channels")
    kind = s.get("format", "frame")
    if not isinstance(kind, str) or kind not in FORMATS[:3]:
        raise ValueError(f"{where}: format {_shown(kind)}, expected one of {', '.join(FORMATS[:3])}")
    scales = s.get("scales", [])
    if not isinstance(scales, list) or len(scales) > len(channels):
        raise ValueError(f"{where}: scales: expected a list of numbers, one a channel")
    numbers = [_number(v, f"{where}: scales") for v in scales]
    if 0.0 in numbers:
        raise ValueError(f"{where}: scales: expected numbers other than 0")
    period = _number(s.get("period", 0.0), f"{where}: period")
    if not 0 <= period <= PERIOD_MAX:
        raise ValueError(f"{where}: period {period:g} s, expected 0 to {PERIOD_MAX:g} s")
    return StreamInfo(channels, Format(kind, scales=dict(zip(channels, numbers, strict=False))), period)


def checked_channels(names, where: str) -> tuple[str, ...]:
    """Names of channels that can be shown, stored and asked for."""
    if not isinstance(names, list) or not 1 <= len(names) <= CHANNELS_MAX:
        raise ValueError(f"{where}: expected a list of 1 to {CHANNELS_MAX} names")
    for name in names:
        good = isinstance(name, str) and name.isprintable() and 1 <= len(name.encode()) <= CHANNEL_BYTES
        if not good:
            wanted = f"expected printable text of 1 to {CHANNEL_BYTES} bytes"
            raise ValueError(f"{where}: {_shown(name)}: {wanted}")
        if name in OWN_COLUMNS:
            raise ValueError(f"{where}: {name}: expected a name other than {', '.join(OWN_COLUMNS)}")
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: expected different names")
    return tuple(names)


def _number(value, where: str) -> float:
    """A finite JSON number as a float."""
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{where}: {_shown(value)}, expected a finite number")
    return number


def estimate_message(values: dict, time_ns: int, age: float, quality: str) -> bytes:
    """Virtual sensors as published on `est`: values, their sigmas, device time, age and quality."""
    shown = {n: v for n, v in values.items() if not n.endswith("_sigma")}
    sigma = {n.removesuffix("_sigma"): v for n, v in values.items() if n.endswith("_sigma")}
    body = {
        "polepair": VERSION,
        "t": time_ns,
        "age": round(age, 6),
        "quality": quality,
        "values": shown,
        "sigma": sigma,
    }
    return json.dumps(body).encode()
