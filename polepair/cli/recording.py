"""Commands that keep what comes: record, verify, export."""

import contextlib
import hashlib
import signal
import time
from pathlib import Path

import click

from .common import FILE, JSON, say, tell
from .live import link_options, mqtt_options, source_options, stream_options


def _seconds(text: str) -> float:
    """90, 90s, 15min, 12h, 7d."""
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    number = text.rstrip("smindh ")
    try:
        return float(number) * units[text[len(number) :].strip() or "s"]
    except (ValueError, KeyError):
        raise ValueError(f"{text}: expected a time such as 90s, 15min, 12h or 7d") from None


def lasting(seconds: float) -> str:
    """A span of time for people."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


class Watch:
    """Says what changes while a recording runs: link, errors, and how long the disk lasts."""

    LOOK, SOON = 60.0, 86400.0  # s between looks at the disk; below that it is said again each time it halves

    def __init__(self, source, recorder, quiet: bool = False):
        self.source, self.recorder, self.quiet = source, recorder, quiet
        self._said: dict[str, object] = {"link": "up"}
        self._bytes, self._looked = recorder.bytes_used(), time.monotonic()
        self._warned = float("inf")

    def look(self) -> None:
        """To be called a few times a second."""
        self._change("link", self.source.link.state, "link {}")
        self._change("source", self.source.error, "{}")
        self._change("store", self.recorder.error, "{}")
        for fault in self.recorder.faults:
            self._change(fault, fault, "{}")
        if time.monotonic() - self._looked >= self.LOOK:
            self._space()

    def _change(self, key: str, now, text: str) -> None:
        before = self._said.get(key)
        if now == before:
            return
        self._said[key] = now
        self._say(text.format(now) if now else f"again well: {before}")

    def _space(self) -> None:
        used, now = self.recorder.bytes_used(), time.monotonic()
        rate = (used - self._bytes) / (now - self._looked)
        self._bytes, self._looked = used, now
        free = self.recorder.bytes_free()
        lasts = free / rate if rate > 0 else float("inf")
        if self._warned == float("inf") or (lasts < self.SOON and lasts < self._warned / 2):
            self._warned = lasts
            word = f"lasts {lasting(lasts)}" if lasts < float("inf") else "not growing"
            self._say(f"disk: {free / 1e9:.1f} GB free, {max(rate, 0) * 86400 / 1e9:.2f} GB a day: {word}")

    def _say(self, text: str) -> None:
        if not self.quiet:
            tell(f"{time.strftime('%H:%M:%S')} {text}")


def _client_id(out: Path, stream: str) -> str:
    """The same for each start, so that the broker goes on with the session; another for each stream of a store."""
    what = f"{out.resolve()}" if stream == "fast" else f"{out.resolve()} {stream}"
    return f"polepair-record-{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def _stop(*_) -> None:
    raise KeyboardInterrupt


def _reformatted(stream):
    """What a source does when its device is born anew: the stream goes on with what the birth says."""

    def reborn(info) -> bool:
        stream.reformat(info.format)
        return True

    return reborn


@click.command()
@click.argument("url")
@click.option("--out", "-o", type=FILE, required=True, help="Store to write into; it is made, or gone on with.")
@click.option("--stream", default="fast", show_default=True)
@stream_options
@click.option("--time", "seconds", type=float, help="Stop after so many seconds.")
@click.option("--keep", help="Keep only the newest, by their arrival: 12h, 7d (default: all).")
@mqtt_options
@JSON
def record(url, out, stream, seconds, keep, as_json, **given):
    """Keeps what comes from URL: mqtt://host/asset. Nothing acknowledged is lost if this is killed.

    SIGTERM and Ctrl-C end it well. The exit code is 1 when something could not be stored.
    """
    from ..live.mqtt import MqttSource
    from ..live.store import Recorder

    kept = _seconds(keep) if keep else None
    me = _client_id(out, stream)
    source = MqttSource(url, stream, client_id=me, clean=False, **source_options(given), **link_options(given))
    recorder = Recorder(out, source.stream, stream, kept)
    source.reborn = _reformatted(source.stream)
    signal.signal(signal.SIGTERM, _stop)
    try:
        source.start()
        _watch(Watch(source, recorder, as_json), seconds)
    finally:
        link = source.link.status if source.link else {}
        source.close()
        recorder.close()
    _report(out, source.stream.stats, recorder, link, as_json)


def _watch(watch: Watch, seconds: float | None) -> None:
    end = time.monotonic() + (float("inf") if seconds is None else seconds)
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            time.sleep(0.2)
            watch.look()


def _report(out: Path, n: dict, recorder, link: dict, as_json: bool) -> None:
    down = {k: link[k] for k in ("losses", "down") if k in link}
    wrong = {"error": recorder.error, "faults": recorder.faults, "sync_failures": recorder.sync_failures}
    text = f"{out}: {n['rows']} rows in {n['messages']} messages; lost {n['lost']}, twice {n['duplicates']}"
    text += f", late {n['out_of_order']}, restarts {n['restarts']}"
    if down.get("losses"):
        text += f"; the link was lost {down['losses']} times, {lasting(down['down'])} in all"
    say(as_json, {"out": str(out), **n, **down, **wrong}, [text])
    for fault in [recorder.error, *recorder.faults]:
        if fault and not as_json:
            tell(fault)
    if recorder.error or recorder.faults:
        raise SystemExit(1)


@click.command()
@click.argument("store", type=FILE)
@JSON
def verify(store, as_json):
    """Says what of a store is whole: its file, each chunk, and what waits in its journal.

    What a killed recorder left in the journal is stored first. The exit code is 1 when something is damaged.
    """
    from ..live.verify import verified

    report = verified(store)
    say(as_json, report.data(), report.lines())
    if not report.whole:
        raise SystemExit(1)


@click.command()
@click.argument("store", type=FILE)
@click.option("--stream", help="Name of the stream (default: the only one).")
@click.option("--out", "-o", type=FILE, required=True, help="File: .parquet or .csv.")
@JSON
def export(store, stream, out, as_json):
    """Writes a recorded stream as Parquet or CSV, times as whole nanoseconds.

    What is damaged is left out and told; the exit code is then 1.
    """
    from ..live.store import Store, recover
    from ..live.store import export as write

    bad: list[str] = recover(store) if store.exists() else []
    with Store(store) as opened:
        channels = opened.stream(stream).channels
        rows = write(channels, opened.chunks(stream, bad=bad), out)
    say(as_json, {"rows": rows, "out": str(out), "damaged": bad}, [f"{store}: {rows} rows in {out}"])
    for text in bad:
        tell(text)
    if bad:
        raise SystemExit(1)


COMMANDS = (record, verify, export)
