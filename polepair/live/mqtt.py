"""MQTT: connecting, receiving into streams and publishing, on polepair._mqtt (paho.mqtt.c)."""

import atexit
import contextlib
import os
import secrets
import threading
import time
import weakref
from pathlib import Path
from typing import NamedTuple

from ..errors import AccessError, AuthenticationError, CertificateError, DiskError, FileError, LinkError, taken
from .streams import Format, Stream
from .wire import Address, StreamInfo, address, read_birth, warn_if_clear

FAULTS = {"login": AuthenticationError, "denied": AccessError, "tls": CertificateError}
# Before a held birth cuts the link its broker has this time to hear what was taken [s; and a message]: else all of that
# comes again, and what is more than a recorder remembers is taken for a device that counts anew.
HEARD, HEARD_EACH, HEARD_MAX = 0.5, 0.01, 60.0
LOOK = 3.0  # s, for a second look at a broker that did not answer
NO_BIRTH, GIVEN = "expected one, topics that the ACL allows, or {}", "channels= and fmt="
_open: weakref.WeakSet = weakref.WeakSet()


class Secret:
    """A password that shows itself nowhere."""

    def __init__(self, text: str | None):
        self._text = text

    def __repr__(self) -> str:
        return "Secret(...)" if self._text else "Secret(none)"

    def reveal(self) -> str | None:
        """The text, for the library alone."""
        return self._text


def password_from(file=None) -> Secret:
    """From a file (first line), else from POLEPAIR_MQTT_PASSWORD, else none."""
    if file is None:
        return Secret(os.environ.get("POLEPAIR_MQTT_PASSWORD"))
    try:
        return Secret(Path(file).read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r"))
    except (OSError, UnicodeDecodeError) as e:
        kind = DiskError if isinstance(e, PermissionError) else FileError
        raise kind(f"{file}: password file cannot be read ({getattr(e, 'strerror', None) or 'not UTF-8'})") from None


class LinkOptions(NamedTuple):
    """Of a connection: files, name, times [s]; clean = False: the broker keeps what comes while the link is down; will:
    (topic, payload) that the broker publishes when the link breaks."""

    password_file: object = None
    ca: object = None
    certificate: object = None
    key: object = None
    client_id: str | None = None
    keep_alive: int = 10
    timeout: float = 10
    clean: bool = True
    will: tuple[str, str] | None = None


class Link:
    """One connection to a broker. Options: those of LinkOptions."""

    def __init__(self, url: str | Address, **options):
        given = taken(LinkOptions, options, "Link")
        try:
            from .. import _mqtt
        except ImportError:
            raise LinkError(
                "MQTT was not built: expected paho.mqtt.c (libpaho-mqtt-dev) when polepair was installed"
            ) from None
        self.address = url if isinstance(url, Address) else address(url)
        self.timeout, self.ca = given.timeout, None if given.ca is None else str(given.ca)
        files = {name: getattr(given, name) for name in ("ca", "certificate", "key")}
        for name, file in files.items():
            if file is not None and not os.access(file, os.R_OK):
                kind, why = (DiskError, "Permission denied") if os.path.exists(file) else (FileError, "no such file")
                raise kind(f"{file}: {name} file cannot be read ({why})")
        self.client_id = given.client_id or f"polepair-{secrets.token_hex(6)}"
        secret = password_from(given.password_file)
        paths = [None if f is None else str(f) for f in files.values()]
        user = self.address.user or os.environ.get("POLEPAIR_MQTT_USER")
        warn_if_clear(self.address, user and secret.reveal())
        topic, payload = given.will or (None, None)
        self.core = _mqtt.Client(
            self.address.uri, self.client_id, user, secret.reveal() if user else None, *paths, topic, payload,
            given.keep_alive, max(1, int(given.timeout)), 10, given.clean,
        )  # fmt: skip
        _open.add(self)

    def __repr__(self) -> str:
        return f"Link({self.address.uri}, {self.client_id})"

    def connect(self):
        """Waits until the link and its subscriptions stand; LinkError or one of its kinds when they do not."""
        self.core.connect()
        self.core.wait("connecting", self.timeout + 1)
        status = self.core.status()
        if status["link"] != "up":
            self.close()
            fault, text = status["fault"], _reason(status["text"])
            if fault == "network":
                fault, text = self._look_at_tls(fault, text) if self.address.tls else self._look_at_plain(fault, text)
            raise FAULTS.get(fault, LinkError)(f"{self.address.uri}: {text}, expected {_expected(fault)}")
        return self

    def _look_at_tls(self, fault: str, text: str) -> tuple[str, str]:
        """paho does not say why a handshake failed after the chain was verified; Python's ssl does."""
        import socket
        import ssl

        context, reached = ssl.create_default_context(cafile=self.ca), False
        try:
            with socket.create_connection((self.address.host, self.address.port), min(self.timeout, LOOK)) as s:
                reached = True
                context.wrap_socket(s, server_hostname=self.address.host).close()
        except ssl.SSLCertVerificationError as e:
            return "tls", e.verify_message
        except TimeoutError:
            return fault, text
        except (OSError, ValueError):
            return ("no tls", "no TLS handshake: is this a plain port?") if reached else (fault, text)
        return "client", "the broker ended the connection"

    def _look_at_plain(self, fault: str, text: str) -> tuple[str, str]:
        """Whether it is TLS that the port speaks: the handshake says so, whoever signed the certificate."""
        import socket
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection((self.address.host, self.address.port), min(self.timeout, LOOK)) as s:
                context.wrap_socket(s, server_hostname=self.address.host).close()
        except (OSError, ValueError):
            return fault, text
        return "only tls", "the port speaks TLS"

    @property
    def state(self) -> str:
        """up, lost (it reconnects by itself), refused or closed."""
        try:
            return self.core.status()["link"]
        except RuntimeError:  # said of a closed one, and of a parent's
            return "closed"

    @property
    def status(self) -> dict:
        """Link, fault, text and counters; losses of a link that had stood, and seconds `down` since it first did."""
        return self.core.status()

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        """Queues a message; False while the link is down."""
        return self.core.publish(topic, payload, qos, retain)

    def mail(self, seconds: float = 0.0):
        """The oldest message that no stream takes: (topic, payload, arrival, retained), or None."""
        return self.core.mail(seconds)

    def close(self) -> None:
        """Says goodbye and ends the library's threads for this link."""
        _open.discard(self)
        self.core.close(1.0)


def _reason(text: str) -> str:
    """OpenSSL's words without its numbers: thread:error:code:library:function:reason:file:line."""
    parts = text.split(":")
    return parts[5] if len(parts) > 6 and parts[1] == "error" else text or "no answer"


def _expected(fault: str) -> str:
    return {
        "login": "a user and password that the broker knows",
        "denied": "a topic that the broker's ACL allows",
        "client": "a certificate of our own that the broker accepts",
        "no tls": "a port that speaks TLS (8883 by default), or mqtt://",
        "only tls": "mqtts://",
        "tls": "a broker certificate that the CA file signs, for this host name",
    }.get(fault, "a broker that answers")


@atexit.register
def _close_all() -> None:
    for link in list(_open):
        link.close()


class SourceOptions(NamedTuple):
    """Of a source: the topic where it is not the asset's own, QoS, rows kept, seconds to wait for a birth; known: what
    the stream is so far, where that is known, until a birth says else."""

    topic: str | None = None
    qos: int = 1
    capacity: int = 1 << 20
    patience: float = 3.0
    known: StreamInfo | None = None


class MqttSource:
    """A device's stream over MQTT. Channels and format come from its birth, unless given.

    Options: those of SourceOptions and LinkOptions. Where they came from a birth and the device is born anew with other
    ones, nothing more is taken or acknowledged, and `error` says so, until `reborn`, called with the new StreamInfo on
    a thread of the source's own, returns True: the stream takes what follows. A session that the broker kept may hold
    samples from before the birth that it gives now: with `known` they are read as they were sent, also when there is
    no broker yet.
    """

    name = "mqtt"

    def __init__(self, url: str, stream_name: str = "fast", channels=None, fmt: Format | str | None = None, **options):
        given = SourceOptions(**{k: options.pop(k) for k in SourceOptions._fields if k in options})
        self.address, self.stream_name = address(url), stream_name
        self.topic = given.topic or f"{self.address.base}/t/{stream_name}"
        self.born: bytes | None = None  # nothing is known of births: none is watched
        if channels is not None:
            self.info = StreamInfo(tuple(channels), fmt if isinstance(fmt, Format) else Format(fmt or "frame"))
        elif given.known is not None:
            self.info, self.born = given.known, self._birth_of_known(given, options)
        else:
            self.born = self._birth(given.patience, options)
            self.info = self._stream_of(self.born)
        self._unsure = False  # whether the owner failed half-way
        self._taken = 0  # messages until the last birth that was held
        self.stream = Stream(self.info.channels, self.info.format, given.capacity)
        self.device, self.error, self.reborn = "unknown", None, None
        self.qos, self.options, self.link = given.qos, options, None

    def _birth(self, patience: float, options) -> bytes:
        link = Link(self.address, **{**options, "client_id": None, "clean": True})
        link.core.subscribe(f"{self.address.base}/birth", 1)
        link.connect()
        try:
            mail = link.mail(patience)
        finally:
            link.close()
        if mail is None:
            raise LinkError(f"{self.address.base}/birth: no birth of this device, {NO_BIRTH.format(GIVEN)}")
        return mail[1]

    def _birth_of_known(self, given: SourceOptions, options) -> bytes:
        """The birth that the broker gives now where it says what is known, else one that no birth is the same as."""
        try:
            birth = self._birth(given.patience, options)
            info = self._stream_of(birth)
        except (LinkError, ValueError) as e:
            if type(e) not in (LinkError, ValueError):  # not let in: that does not pass by waiting
                raise
            return b""
        same = info.channels == given.known.channels and info.format == given.known.format
        return birth if same else b""

    def _stream_of(self, payload: bytes) -> StreamInfo:
        streams = read_birth(payload)
        if self.stream_name not in streams:
            known = ", ".join(streams) or "none"
            raise ValueError(f"birth: no stream {self.stream_name}, expected one of {known}")
        return streams[self.stream_name]

    def start(self):
        """Connects and subscribes; returns the source."""
        self.link = link = Link(self.address, **self.options)
        base = self.address.base
        link.core.route(self.topic, self.stream.core.handle())
        if self.born is not None:  # before the samples, so that a retained birth comes before them
            link.core.watch(f"{base}/birth", self.born)
            link.core.subscribe(f"{base}/birth", 1)
        link.core.subscribe(self.topic, self.qos)
        link.core.subscribe(f"{base}/state", 1)
        link.connect()
        threading.Thread(target=_read_mail, args=(weakref.ref(self), link), name="polepair-mail", daemon=True).start()
        return self

    def _offer(self, link: Link, mail, held: bytes | None) -> bytes | None:
        """Takes a mail, or offers a birth that is held once more; the birth that is held now."""
        topic, payload = mail[:2] if mail else (f"{self.address.base}/birth", held)
        if not payload and link.status["held"] and link.status["dropped_mail"]:
            self.error = "the device was born anew with a birth too large to read: its samples are held"
        if topic.endswith("/state"):
            self.device = payload[:64].decode("utf-8", "replace")
            return held
        if not payload or self.born is None:
            return held
        reason = self._judge(payload)
        self.error = reason and f"the device was born anew with {reason}: its samples are held"
        if reason:
            return payload
        if link.status["held"]:
            taken, self._taken = self._taken, self.stream.stats["messages"]
            time.sleep(min(HEARD + HEARD_EACH * (self._taken - taken), HEARD_MAX))
        link.core.release(payload)
        return None

    def _judge(self, payload: bytes) -> str | None:
        """Whether the stream can take what follows this birth; else why not."""
        try:
            info = self._stream_of(payload)
        except ValueError as e:
            return f"an unusable {e}"
        reason = self._difference(info)
        if (reason or self._unsure) and info.channels == self.info.channels and self.reborn:
            reason = self._ask(info, reason or "the scales that it had")
        if reason is None:
            self.info, self.born = info, payload
        return reason

    def _ask(self, info: StreamInfo, reason: str) -> str | None:
        """The owner; why not. One that failed may have taken this birth half: the next one is asked about as well."""
        try:
            agreed = self.reborn(info)
        except Exception as e:  # the owner's: shown, and tried again
            self._unsure = True
            return f"{reason} ({e})"
        self._unsure = self._unsure and not agreed
        return None if agreed else reason

    def _difference(self, info: StreamInfo) -> str | None:
        known = self.info
        if info.channels != known.channels:
            return "other channels"
        if info.format.kind != known.format.kind:
            return f"format {info.format.kind}, expected {known.format.kind}"
        return None if info.format == known.format else "other scales"

    @property
    def running(self) -> bool:
        """Whether more may come. After the last message: until its rows are read, if somebody reads them."""
        link = self.link  # another thread may close
        return link is not None and (link.state in ("up", "lost") or self.stream.left())

    @property
    def state(self) -> str:
        """The link's, and the device's own word where it said one; what is wrong where something is."""
        link = self.link
        if link is None:
            return "closed"
        device = f", device {self.device}" if self.device != "unknown" else ""
        return f"{link.state}{device}" + (f", {self.error}" if self.error else "")

    def close(self) -> None:
        """Disconnects."""
        link, self.link = self.link, None
        if link is not None:
            link.close()


def _read_mail(source, link: Link) -> None:
    """The thread of a source: its mail, as long as both live; what is held is offered again every half second."""
    held = None
    while True:
        try:
            mail = link.mail(0.5)
        except RuntimeError:  # closed
            return
        owner = source()
        if owner is None:
            link.close()
            return
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            held = owner._offer(link, mail, held)
        del owner


class Publisher:
    """A device on the wire: its birth and state are retained, its last will says offline."""

    def __init__(self, url: str, streams: dict[str, StreamInfo], device: str = "polepair", boot: int = 0, **options):
        from .wire import birth

        base = address(url).base
        self.base = base
        self.link = Link(url, will=(f"{base}/state", "offline"), **options).connect()
        self.link.publish(f"{base}/birth", birth(device, boot, streams), 1, True)
        self.link.publish(f"{base}/state", b"online", 1, True)
        self.unsent = 0

    def send(self, message: bytes, stream: str = "fast", qos: int = 0) -> bool:
        """Publishes one message of a stream."""
        sent = self.link.publish(f"{self.base}/t/{stream}", message, qos)
        self.unsent += not sent
        return sent

    def close(self) -> None:
        """Says offline, then goodbye."""
        self.link.publish(f"{self.base}/state", b"offline", 1, True)
        time.sleep(0.05)
        self.link.close()
