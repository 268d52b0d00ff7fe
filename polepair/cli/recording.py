"""Commands that keep what comes: record, verify, export."""

import contextlib
import hashlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import click

from ..errors import plain
from ..live.refusals import PARTIAL, refusals, refused
from .common import FILE, JSON, say, tell
from .live import in_options, link_options, mqtt_options, source_options, span, stream_options


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


class State:
    """How a recording stands, in one line that is drawn again in place; only on a terminal."""

    EVERY = 0.5  # s
    SILENT = 2.0  # s without a sample that are told
    WIPE = "\r\x1b[2K"

    def __init__(self, source, recorder, quiet: bool):
        self.source, self.recorder = source, recorder
        self.drawn = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._before = recorder.backlog.stored
        self._due = time.monotonic() + self.EVERY
        self._rows, self._at = 0, time.monotonic()

    def show(self) -> None:
        """To be called a few times a second."""
        if not self.drawn or time.monotonic() < self._due:
            return
        self._due, parts = time.monotonic() + self.EVERY, self.parts()
        room = shutil.get_terminal_size().columns - 1
        while len(parts) > 1 and len(", ".join(parts)) > room:
            parts.pop()
        click.echo(f"{self.WIPE}{plain(', '.join(parts))[:room]}", err=True, nl=False)

    def wipe(self) -> None:
        """Room for another line."""
        if self.drawn:
            click.echo(self.WIPE, err=True, nl=False)

    def parts(self) -> list[str]:
        """The most important first."""
        link, n, now = self.source.link, self.source.stream.stats, time.monotonic()
        rate, self._rows, self._at = (n["rows"] - self._rows) / max(now - self._at, 1e-3), n["rows"], now
        stored, newest = self.recorder.backlog.stored - self._before, self.source.stream.window(1).arrival
        silent = time.time() - int(newest[0]) * 1e-9 if len(newest) else 0.0
        comes = f"nothing for {lasting(silent)}" if silent > self.SILENT else f"{rate:,.0f} rows/s"
        waits = len(newest) and stored < n["rows"]
        lag = max(int(newest[0]) - self.recorder.backlog.latest, 0) * 1e-9 if waits and stored else 0.0
        counts = {"lost": n["lost"], "refused": refused(n), "twice": n["duplicates"], "restarts": n["restarts"]}
        said = [f"{what} {count:,}" for what, count in counts.items() if count or what in ("lost", "refused")]
        return [f"link {link.state if link else 'down'}", comes, f"{stored:,} stored", *said, f"lag {lag:.1f} s"]


class Watch:
    """Says what changes while a recording runs: link, errors, and how long the disk lasts."""

    LOOK, SOON = 60.0, 86400.0  # s between looks at the disk; below that it is said again each time it halves

    def __init__(self, source, recorder, quiet: bool = False):
        self.source, self.recorder, self.quiet = source, recorder, quiet
        self.state = State(source, recorder, quiet)
        self._said: dict[str, object] = {}
        self._bytes, self._looked = recorder.bytes_used(), time.monotonic()
        self._warned = float("inf")
        self.full: str | None = None
        self._refused = self._taken = 0

    def look(self) -> None:
        """To be called a few times a second."""
        link = self.source.link
        if link is not None and link.state != "closed":
            self._change("link", link.state, "link {}")
        self._change("source", self.source.error, "{}")
        self._change("store", self.recorder.error, "{}")
        self._room()
        self._change("disk", self.full, "{}")
        for fault in self.recorder.faults:
            self._change(fault, fault, "{}")
        for refusal in refusals(self.source.stream):
            if refusal.reason not in self._said:
                word = "taken in part" if refusal.reason == PARTIAL else "refused"
                self._change(refusal.reason, refusal, f"messages {word}: {{}}")
        self.state.show()
        if time.monotonic() - self._looked >= self.LOOK:
            self._space()

    def _room(self) -> None:
        counts = self.source.stream.stats
        refused = counts["unjournaled"]
        taken = counts["messages"] - refused
        if refused > self._refused:
            self.full = (
                f"{self.recorder.folder}: the disk is full, what comes is left to the broker until there is room"
            )
        elif taken > self._taken:
            self.full = None
        self._refused, self._taken = refused, taken

    def away(self, why) -> None:
        """The broker was not reached; it will be tried again."""
        self._change("link", f"{why}; trying again", "{}")

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
            self.state.wipe()
            tell(f"{time.strftime('%H:%M:%S')} {text}")


def _client_id(out: Path, stream: str) -> str:
    """The same for each start, so that the broker goes on with the session; another for each stream of a store."""
    what = f"{out.resolve()}" if stream == "fast" else f"{out.resolve()} {stream}"
    return f"polepair-record-{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def _stop(*_) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # ending takes a moment: once is enough
    raise KeyboardInterrupt


def _known(out: Path, stream: str):
    """What a store says of a stream; None where it has none yet."""
    from ..live.store import Store
    from ..live.wire import StreamInfo

    if not out.exists():
        return None
    with Store(out) as store:
        rows = [row for row in store.rows_of_streams() if row.name == stream]
    return StreamInfo(rows[0].channels, rows[0].format) if rows else None


class Recording:
    """A source and its recorder; at the end what came of them."""

    RETRY = 10.0  # s between tries to reach a broker that was never reached

    def __init__(self, quiet: bool):
        self.quiet, self.source, self.recorder, self.watch, self.link = quiet, None, None, None, {}

    def open(self, out: Path, stream: str, kept: float | None, url: str, **options) -> None:
        """From here on what comes is kept, once the link stands."""
        from ..live.mqtt import MqttSource
        from ..live.store import Recorder

        name = _client_id(out, stream)
        self.source = MqttSource(url, stream, client_id=name, clean=False, **options)
        self.recorder = Recorder(out, self.source.stream, stream, kept)
        self.source.reborn = self._reborn

    def _reborn(self, info) -> bool:
        self.recorder.reformat(info.format)
        return True

    def run(self, patient: bool, seconds: float | None) -> None:
        """Until the time is over or a signal comes. patient: the broker may come later."""
        end = time.monotonic() + (float("inf") if seconds is None else seconds)
        self.watch = watch = Watch(self.source, self.recorder, self.quiet)
        while time.monotonic() < end and not self._reach(watch, patient):
            wait = min(time.monotonic() + self.RETRY, end)
            while time.monotonic() < wait:
                time.sleep(0.2)
                watch.look()
        while time.monotonic() < end:
            time.sleep(0.2)
            watch.look()

    def _reach(self, watch: Watch, patient: bool) -> bool:
        from ..errors import LinkError

        try:
            self.source.start()
        except LinkError as e:
            if not patient or type(e) is not LinkError:  # not let in: that does not pass by waiting
                raise
            watch.away(e)
            return False
        watch.look()
        return True

    def close(self) -> None:
        """Ends both."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.source is not None:
            with contextlib.suppress(RuntimeError):  # never stood
                self.link = self.source.link.status if self.source.link else {}
            self.source.close()
        if self.recorder is not None:
            self.recorder.close()


@click.command()
@click.argument("url")
@click.option("--out", "-o", type=FILE, required=True, help="Store to write into; it is made, or gone on with.")
@click.option("--stream", default="fast", show_default=True)
@stream_options
@click.option("--time", "seconds", type=float, callback=span, help="Stop after so many seconds.")
@click.option("--keep", help="Keep only the newest, by their arrival: 12h, 7d (default: all).")
@mqtt_options
@JSON
def record(url, out, stream, seconds, keep, as_json, **given):
    """Keeps what comes from URL: mqtt://host/asset. Nothing acknowledged is lost if this is killed.

    SIGTERM and Ctrl-C end it well. The exit code is 1 when something could not be stored, the disk is full, all that
    came was refused, or no broker lets it in; 2 for a mistake in the command line. Where the store knows the stream
    already it waits for a broker that is not there yet.
    """
    kept = _seconds(keep) if keep else None
    known = None if given["channels"] else _known(out, stream)
    recording = Recording(as_json)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with in_options():
            recording.open(out, stream, kept, url, known=known, **source_options(given), **link_options(given))
        recording.run(known is not None, seconds)
    except KeyboardInterrupt:
        pass
    finally:
        recording.close()
        if recording.watch:
            recording.watch.state.wipe()
    if recording.recorder is None:
        tell("ended before the recording began")
        return
    _report(out, recording, as_json)


def _report(out: Path, recording: Recording, as_json: bool) -> None:
    n, recorder, link = recording.source.stream.stats, recording.recorder, recording.link
    down = {k: link[k] for k in ("losses", "down") if k in link}
    error = recorder.error or (recording.watch and recording.watch.full)
    wrong = {"error": error, "faults": recorder.faults, "sync_failures": recorder.sync_failures}
    text = f"{out}: {n['rows']} rows in {n['messages']} messages; lost {n['lost']}, twice {n['duplicates']}"
    text += f", late {n['out_of_order']}, restarts {n['restarts']}, refused {refused(n)}"
    if down.get("losses"):
        text += f"; the link was lost {down['losses']} times, {lasting(down['down'])} in all"
    told = refusals(recording.source.stream)
    data = {"out": str(out), **n, "refused": refused(n), "refusals": [r._asdict() for r in told], **down, **wrong}
    say(as_json, data, [text, *(f"  {r}" for r in told)])
    for fault in [error, *recorder.faults]:
        if fault and not as_json:
            tell(fault)
    if error or recorder.faults or (refused(n) and not n["rows"]):
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
