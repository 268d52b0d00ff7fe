"""What goes over the wire beside the samples: topics, addresses, births, estimates (docs/wire.md)."""

import json
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from .streams import FORMATS, Format

VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
BIRTH_LIMIT = 64 << 10


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
        raise ValueError(f"{what} {name!r}: expected 1 to 64 letters, digits, '_', '.' or '-'")
    return name


def address(url: str) -> Address:
    """Reads an address; ValueError says what is wrong."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{url}: expected a port from 1 to 65535") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"{url.split('@')[-1]}: expected mqtt://host/asset or mqtts://host/asset")
    if parts.password:
        raise ValueError("the address holds a password: expected it in a file or in POLEPAIR_MQTT_PASSWORD")
    *prefix, asset = [p for p in unquote(parts.path).split("/") if p] or ["motor"]
    for p in (*prefix, asset):
        checked_name(p, "topic part")
    tls = parts.scheme == "mqtts"
    return Address(
        parts.hostname, port or (8883 if tls else 1883), tls, parts.username, "".join(f"{p}/" for p in prefix), asset
    )


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
            "period": s.period,
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
        streams = data["streams"]
        version = data["polepair"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("birth: expected a JSON object with polepair and streams") from None
    if version != VERSION:
        raise ValueError(f"birth: version {version!r}, expected {VERSION}")
    return {checked_name(str(name), "stream"): _stream_info(name, s) for name, s in dict(streams).items()}


def _stream_info(name: str, s) -> StreamInfo:
    try:
        channels = tuple(str(c) for c in s["channels"])
        scales = {c: float(v) for c, v in zip(channels, s.get("scales", []), strict=False)}
        kind, period = s.get("format", "frame"), float(s.get("period", 0.0))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"birth: stream {name}: expected channels, and scales as numbers") from None
    if kind not in FORMATS[:3] or not channels or len(channels) > 64:
        raise ValueError(f"birth: stream {name}: expected 1 to 64 channels and one of {', '.join(FORMATS[:3])}")
    return StreamInfo(channels, Format(kind, scales=scales), period)


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
