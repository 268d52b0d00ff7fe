"""Where rows go on to: a Sink takes batches of points; `pump` feeds one from a stream without ever blocking it.

A sink takes a batch or raises SinkError; what was not taken is offered again, later and more seldom, and the
stream's ring is the buffer: what it overwrites meanwhile is counted as missed. What the server calls bad would be bad
for ever: it is set aside in a file (RejectedError), counted, and the rest goes on.
"""

import base64
import contextlib
import errno
import html
import http.client
import json
import os
import re
import secrets
import socket
import stat
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from .. import _core
from ..errors import ClearTextWarning, LinkError, plain
from .streams import Rows, Stream

BATCH, SLICE = 20_000, 5000
PAUSE_MAX = 30.0
BAD = {400, 413, 422}  # statuses by which a server says that it will never take these points
ANSWER_MAX = 1 << 16  # bytes read of an answer
ASIDE_MAX = 64 << 20  # bytes of rejected points that a Pump keeps
HIDDEN = "***"
SHORT = 4  # characters of a secret that would be found in any text
HARMLESS = {"db", "precision", "bucket", "org", "rp"}  # keys of a url's query
PASSWORDS = {"p", "token", "password"}


class SinkError(LinkError):
    """A sink that could not take a batch now."""


class RejectedError(SinkError):
    """Points that the server will never take: `bodies` as they were sent, `rows` of them. The rest is written."""

    def __init__(self, text: str, bodies: list[bytes], rows: int):
        super().__init__(text)
        self.bodies, self.rows = bodies, rows


class Sink(Protocol):
    """What a bridge has to be."""

    def write(self, rows: Rows) -> None:
        """Takes all rows, or raises SinkError and takes none; RejectedError: all but those that it names."""

    def close(self) -> None:
        """Ends it."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Another place gets neither the points nor the token."""

    def redirect_request(self, *_):
        """Makes every redirect the error that it is."""
        return None


class _WholeLines:
    """A socket's file whose lines end: http.client takes a status or headers that were cut for whole ones."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def readline(self, *most) -> bytes:
        """A line with its end."""
        line = self._file.readline(*most)
        if not line.endswith(b"\n") and len(line) < ANSWER_MAX:
            raise http.client.IncompleteRead(line)
        return line


class _Response(http.client.HTTPResponse):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.fp = _WholeLines(self.fp)


def _watched(kind, held: list):
    """A kind of connection whose answers are whole and whose socket is in `held`."""

    def connect(self):
        kind.connect(self)
        held[:] = [self.sock]

    return type("Watched", (kind,), {"response_class": _Response, "connect": connect})


class _Http(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Connections of both kinds, TLS with the system's authorities, that `cut` ends from another thread."""

    def __init__(self):
        super().__init__()
        self.held: list = []

    def http_open(self, req):
        """As urllib's own."""
        return self.do_open(_watched(http.client.HTTPConnection, self.held), req)

    def https_open(self, req):
        """As urllib's own."""
        return self.do_open(_watched(http.client.HTTPSConnection, self.held), req)

    def cut(self) -> None:
        """Ends the connection that is open, if one is: who reads from it is told that it has ended."""
        for sock in self.held:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Influx:
    """InfluxDB by line protocol over HTTP: /write of version 1, or of 2 and 3 with `url` as they want it.

    url: http://host:8086/write?db=motors. Each row is a point of `measurement` with the channels as fields. timeout [s]
    is that of a silence, twice it that of an answer. A user and
    password may stand in the url (u=, p= or user:password@); neither they nor the token are ever shown.
    """

    def __init__(
        self, url: str, measurement: str = "motor", tags: dict | None = None, token=None, timeout: float = 10.0
    ):
        self.where, self._target, user, hidden = _read_url(url)
        named = [measurement, *(x for pair in (tags or {}).items() for x in pair)]
        for name in map(str, named):
            if not name or not name.isprintable() or name.endswith("\\"):
                raise ValueError("measurement and tags: expected printable text that does not end in a backslash")
        if token is not None and not re.fullmatch(r"[!-~]+", str(token)):
            raise ValueError("token: expected printable ASCII without blanks")
        given = "".join(f",{_escaped(k)}={_escaped(v)}" for k, v in (tags or {}).items())
        self.head, self.timeout = _escaped(measurement, ", ") + given, timeout
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        if token is not None or user:
            self._headers["Authorization"] = f"Token {token}" if token is not None else f"Basic {user}"
        if (token or user or HIDDEN in hidden) and self.where.startswith("http:"):
            text = f"{self.where}: the token or password goes over the network as clear text, expected https://"
            warnings.warn(text, ClearTextWarning, stacklevel=2)
        told = {s for s in (*hidden, str(token or ""), user) if len(s) >= SHORT and s != HIDDEN}
        self._secrets = sorted(told, key=len, reverse=True)
        self._http = _Http()
        self._opener = urllib.request.build_opener(_NoRedirect, self._http)
        self._poster = ThreadPoolExecutor(1, "influx")

    def __repr__(self) -> str:
        return f"Influx({self.where})"

    def write(self, rows: Rows) -> None:
        """POSTs of SLICE points; one is made while the server takes the last. Points written twice are one point."""
        parts = [rows.part(k, k + SLICE) for k in range(0, len(rows), SLICE)]
        posts = [self._poster.submit(self._post, lines(part, self.head), len(part)) for part in parts]
        failures = [e for post in posts if (e := post.exception())]
        for e in failures:
            if not isinstance(e, RejectedError):
                raise e
        if failures:
            bodies = [body for e in failures for body in e.bodies]
            raise RejectedError(str(failures[0]), bodies, sum(e.rows for e in failures))

    def _post(self, body: bytes, rows: int) -> None:
        request = urllib.request.Request(self._target, body, self._headers)
        status, said, wanted = 0, "", "an InfluxDB that answers"
        watch = threading.Timer(2 * self.timeout, self._http.cut)  # the timeout itself is one of a byte
        watch.daemon = True
        watch.start()
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                _read_whole(answer)
                return
        except urllib.error.HTTPError as e:
            status, said = e.code, _answer(e)
            wanted = "a database that takes these points"
            if 300 <= status < 400:
                said, wanted = "a redirect", "the address of the server itself: redirects are not followed"
        except (OSError, http.client.HTTPException, ValueError) as e:
            said = str(getattr(e, "reason", "") or e) or type(e).__name__
        finally:
            watch.cancel()
            self._http.held.clear()
        text = f"{self.where}: {self._safe(f'{status} {said}' if status else said)}, expected {wanted}"
        if status in BAD:
            raise RejectedError(text, [body], rows)
        raise SinkError(text)

    def _safe(self, text: str) -> str:
        """What a server said, without secrets that it repeated, on one line."""
        for secret in self._secrets:
            written = (json.dumps(secret)[1:-1], html.escape(secret), urllib.parse.quote(secret, ""))
            for spelled in (secret, urllib.parse.quote_plus(secret), *written):
                text = text.replace(spelled, HIDDEN)
        return plain(" ".join(text.split()), 200)

    def close(self) -> None:
        """Waits for what is under way."""
        self._poster.shutdown()


def _read_whole(answer) -> bytes:
    """The body, its beginning if it is long; IncompleteRead when it stops before its announced end."""
    said = answer.read(ANSWER_MAX)
    if len(said) < ANSWER_MAX and getattr(answer, "length", 0):
        raise http.client.IncompleteRead(said)
    return said


def _answer(e: urllib.error.HTTPError) -> str:
    """What a server says of an error; it may stop in the middle."""
    try:
        return _read_whole(e).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, ValueError):
        return "half an answer"


def _read_url(url: str) -> tuple[str, str, str, set[str]]:
    """Origin to be shown, address to post to, user and password in Base64, what is not to be shown, with HIDDEN among
    it if there is a password. ValueError repeats nothing."""
    read = _url_parts(str(url))
    if read is None:
        raise ValueError("Influx: expected http://host:8086/write?db=NAME")
    return read


def _url_parts(url: str):
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
        query = dict(urllib.parse.parse_qsl(parts.query))
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[A-Za-z0-9_.:-]+", host) or port == 0:
        return None
    query.setdefault("precision", "ns")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    target = (parts.scheme, netloc, urllib.parse.quote(parts.path, "/%"), urllib.parse.urlencode(query), "")
    named = [urllib.parse.unquote(x or "") for x in (parts.username, parts.password)]
    user = base64.b64encode(":".join(named).encode()).decode() if any(named) else ""
    hidden = {*named, *(v for k, v in query.items() if k not in HARMLESS)} - {""}
    hidden |= {HIDDEN} if query.keys() & PASSWORDS else set()
    return f"{parts.scheme}://{netloc}", urllib.parse.urlunsplit(target), user, hidden


def _escaped(text: str, what: str = ",= ") -> str:
    return "".join(f"\\{c}" if c in what else c for c in str(text))


def lines(rows: Rows, head: str) -> bytes:
    """Line protocol of rows, values to 9 significant digits; missing ones (NaN) are left out."""
    names = [_escaped(c).encode() for c in rows.channels]
    return _core.line_protocol(head.encode(), list(zip(names, rows.columns, strict=True)), rows.time)


class Aside:
    """The file of what a server rejected: line protocol, the owner's alone, made at the first need, bounded."""

    def __init__(self, path=None, limit: int = ASIDE_MAX):
        state = Path(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"))
        name = f"rejected-{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}.lp"
        self.path = state / "polepair" / name if path is None else Path(path)
        self.limit = limit

    def keep(self, reason: str, bodies: list[bytes]) -> str:
        """Appends them; says where they are, or why they are not there."""
        told = f"# {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {reason}\n".encode()
        try:
            return self._append(told + b"".join(bodies))
        except OSError as e:
            return f"not kept: {self.path}: {e.strerror}"

    def _append(self, text: bytes) -> str:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        with os.fdopen(os.open(self.path, flags, 0o600), "wb") as f:
            about = os.fstat(f.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
                raise OSError(errno.EPERM, "expected a file of your own")
            if about.st_size + len(text) > self.limit:
                return f"not kept: {self.path} holds {about.st_size} bytes, the most is {self.limit}"
            os.fchmod(f.fileno(), 0o600)
            f.write(text)
        return f"kept in {self.path}"


class Pump:
    """Feeds a sink from a stream in a thread of its own.

    `written`, `missed`, `rejected` count rows, `failures` offers that were not taken; `error` says what is wrong now,
    or where the rejected rows are. aside: the file for them (default: a new one in the user's state folder).
    """

    def __init__(self, stream: Stream, sink: Sink, batch: int = BATCH, wait: float = 0.5, aside=None):
        self.sink, self.batch, self.wait = sink, batch, wait
        self.written = self.missed = self.failures = self.rejected = 0
        self.aside = Aside(aside)
        self._failure = self._set_aside = ""
        self._stream, self._next = stream, stream.head
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    @property
    def error(self) -> str | None:
        """What went wrong with the last offer, else what was rejected so far; None when all is well."""
        return self._failure or self._set_aside or None

    @property
    def running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def _take(self) -> Rows:
        rows = self._stream.since(self._next, self.batch)
        self.missed += rows.missed
        return rows

    def _run(self) -> None:
        try:
            self._feed()
        except BaseException as e:  # an exit asked for in a sink: the thread ends, and says so
            self._fail(e, "the sink's thread has ended: ")
            raise

    def _feed(self) -> None:
        pause = self.wait
        while not self._stop.is_set():
            self._stream.wait(self._next, self.wait)
            taken = self._turn()
            if taken is None:
                self._stop.wait(pause)
                pause = min(2 * pause, PAUSE_MAX)
                continue
            pause = self.wait
            if 0 < taken < self.batch:
                self._stop.wait(self.wait)

    def _turn(self) -> int | None:
        """Offers what there is; rows that are done with, or None after a failure, of whatever kind."""
        before = self.missed
        try:
            rows = self._take()
            if not len(rows):
                return 0
            self._offer(rows)
            return len(rows)
        except Exception as e:
            self.missed = before  # the same rows are counted again with the next try
            self._fail(e)
            return None

    def _fail(self, e: BaseException, what: str = "") -> None:
        self.failures += 1
        self._failure = plain(f"{what}{e}" if isinstance(e, SinkError) else f"{what}{type(e).__name__}: {e}")

    def _offer(self, rows: Rows) -> None:
        refused = 0
        try:
            self.sink.write(rows)
        except RejectedError as e:
            self.failures += 1
            refused = e.rows
            self.rejected += refused
            said = self.aside.keep(str(e), e.bodies)
            self._set_aside = plain(f"{self.rejected} rows rejected, {said}; the last: {e}", 1000)
        self._next = rows.first + len(rows)
        self.written += len(rows) - refused
        self._failure = ""

    def close(self, patience: float = 5.0) -> None:
        """Offers what is left for up to `patience` seconds, then ends."""
        self._stop.set()
        self._thread.join(self.wait + 30)
        end = time.monotonic() + patience
        while self._next < self._stream.head and time.monotonic() < end:
            if self._turn() is None:
                time.sleep(0.2)
        self.sink.close()
