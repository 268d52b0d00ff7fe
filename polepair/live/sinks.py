"""Where rows go on to: a Sink takes batches of points; `pump` feeds one from a stream without ever blocking it.

A sink takes a batch or raises SinkError; what was not taken is offered again, later and more seldom, and the
stream's ring is the buffer: what it overwrites meanwhile is counted as missed.
"""

import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from .. import _core
from ..errors import LinkError
from .streams import Rows, Stream

BATCH, SLICE = 20_000, 5000
PAUSE_MAX = 30.0


class SinkError(LinkError):
    """A sink that could not take a batch now."""


class Sink(Protocol):
    """What a bridge has to be."""

    def write(self, rows: Rows) -> None:
        """Takes all rows, or raises SinkError and takes none."""

    def close(self) -> None:
        """Ends it."""


class Influx:
    """InfluxDB by line protocol over HTTP: /write of version 1, or of 2 and 3 with `url` as they want it.

    url: http://host:8086/write?db=motors. Each row is a point of `measurement` with the channels as fields.
    """

    def __init__(
        self, url: str, measurement: str = "motor", tags: dict | None = None, token=None, timeout: float = 10.0
    ):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url}: expected http://host:8086/write?db=NAME")
        query = dict(urllib.parse.parse_qsl(parts.query))
        query.setdefault("precision", "ns")
        self.url = urllib.parse.urlunsplit((*parts[:3], urllib.parse.urlencode(query), ""))
        name = "".join(
            [_escaped(measurement, ", "), *(f",{_escaped(k)}={_escaped(v)}" for k, v in (tags or {}).items())]
        )
        self.head, self.token, self.timeout = name, token, timeout
        self._poster = ThreadPoolExecutor(1, "influx")

    def write(self, rows: Rows) -> None:
        """POSTs of SLICE points; one is made while the server takes the last. Points written twice are one point."""
        parts = (rows.part(k, k + SLICE) for k in range(0, len(rows), SLICE))
        posts = [self._poster.submit(self._post, lines(part, self.head)) for part in parts]
        for post in posts:
            post.result()

    def _post(self, body: bytes) -> None:
        request = urllib.request.Request(self.url, body, {"Content-Type": "text/plain; charset=utf-8"})
        if self.token:
            request.add_header("Authorization", f"Token {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout):
                return
        except urllib.error.HTTPError as e:
            detail = e.read(200).decode("utf-8", "replace").strip()
            raise SinkError(f"{self.url}: {e.code} {detail}, expected a database that takes these points") from None
        except (urllib.error.URLError, OSError) as e:
            raise SinkError(f"{self.url}: {getattr(e, 'reason', e)}, expected an InfluxDB that answers") from None

    def close(self) -> None:
        """Waits for what is under way."""
        self._poster.shutdown()


def _escaped(text: str, what: str = ",= ") -> str:
    return "".join(f"\\{c}" if c in what else c for c in str(text))


def lines(rows: Rows, head: str) -> bytes:
    """Line protocol of rows, values to 9 significant digits; missing ones (NaN) are left out."""
    names = [_escaped(c).encode() for c in rows.channels]
    return _core.line_protocol(head.encode(), list(zip(names, rows.columns, strict=True)), rows.time)


class Pump:
    """Feeds a sink from a stream in a thread of its own."""

    def __init__(self, stream: Stream, sink: Sink, batch: int = BATCH, wait: float = 0.5):
        self.sink, self.batch, self.wait = sink, batch, wait
        self.written = self.missed = self.failures = 0
        self.error: str | None = None
        self._stream, self._next = stream, stream.head
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    def _take(self) -> Rows:
        rows = self._stream.since(self._next, self.batch)
        self.missed += rows.missed
        return rows

    def _run(self) -> None:
        pause = self.wait
        while not self._stop.is_set():
            self._stream.wait(self._next, self.wait)
            rows = self._take()
            if not len(rows):
                continue
            if self._offer(rows):
                pause = self.wait
                if len(rows) < self.batch:
                    self._stop.wait(self.wait)
            else:
                self._stop.wait(pause)
                pause = min(2 * pause, PAUSE_MAX)

    def _offer(self, rows: Rows) -> bool:
        try:
            self.sink.write(rows)
        except SinkError as e:
            self.failures += 1
            self.error = str(e)
            self.missed -= rows.missed  # the same rows are counted again with the next try
            return False
        self._next = rows.first + len(rows)
        self.written += len(rows)
        self.error = None
        return True

    def close(self, patience: float = 5.0) -> None:
        """Offers what is left for up to `patience` seconds, then ends."""
        self._stop.set()
        self._thread.join(self.wait + 30)
        end = time.monotonic() + patience
        while self._next < self._stream.head and time.monotonic() < end:
            if not self._offer(self._take()):
                time.sleep(0.2)
        self.sink.close()
