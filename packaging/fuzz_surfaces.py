"""What strangers can write into and Python reads, for fuzz_python.py: how each is read and what must not come of it."""

import json
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SLOW = 1.0  # processor seconds for one input that are a finding
SECRET = "hunter2"


class FindingError(AssertionError):
    """Something that must not happen."""


def need(condition, text: str) -> None:
    """FindingError unless the condition holds."""
    if not condition:
        raise FindingError(text)


class Surface:
    """What a stranger can write into. judge(data) gives a short word for what came of it, or raises."""

    words: tuple[str, ...] = ()
    errors: tuple[type, ...] = (ValueError,)  # exactly these

    def judge(self, data: bytes) -> str:
        """Reads data as polepair would."""
        raise NotImplementedError

    def tried(self, data: bytes) -> str:
        """The outcome of judge, with polepair's own errors among the outcomes."""
        began = time.thread_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                said = self.judge(data)
        except self.errors as e:
            need(type(e) in self.errors, f"{type(e).__name__}: {e}")
            text = str(e)
            need(SECRET not in text or SECRET.encode() not in data or not self.secret, f"a secret in: {text}")
            said = re.sub(r"\d+|'[^']*'", "", text)[:60]
        spent = time.thread_time() - began
        need(spent < SLOW, f"{spent:.1f} s for one input")
        return said

    secret = False

    def close(self) -> None:
        """Gives back what it holds."""


def text_of(data: bytes) -> str:
    """Bytes as text, whatever they are."""
    return data.decode("utf-8", "surrogateescape").replace("\0", "")


class Units(Surface):
    """A number with a unit."""

    words = (
        '1', '2.5e3', ' ', 'mm', 'kg', 'N', '^', '**', '*', '/', '(', ')', '2', '-', '.', '\xb7', '\u03a9',
        '%', 'degC', 'rpm',
    )  # fmt: skip

    def judge(self, data):
        """Converts it to four kinds of unit."""
        from polepair.units import to_si

        text, found = data.decode("utf-8", "replace"), []
        for unit in ("m", "N*m*s", "degC", "W*s^1.5/(T^1.5*kg)"):
            try:
                found.append(type(to_si(text, unit)) is float)
            except ValueError as e:
                need(type(e) is ValueError and str(e).isprintable(), f"{type(e).__name__}: {e}")
                found.append(str(e)[:9])
        return str(found)


class Motor(Surface):
    """A motor file."""

    words = (
        'schema = 1\n', '[stator]\n', 'slots', 'length', ' = ', '"', "'", '\n', '7 mm', '[', ']', '{', '}',
        '1e999', 'nan', '-', '[motor]\n', 'name', 'a.b.c', 'inf', 'true', '1979-05-27', '0x', '_', '"""',
        '\\u0000', ',', '#',
    )  # fmt: skip

    def __init__(self):
        from polepair.errors import FileError

        self.errors = (FileError,)
        self.path = Path(tempfile.mkdtemp()) / "m.toml"

    def judge(self, data):
        """Loads it from a file."""
        import polepair as pp

        self.path.write_bytes(data)
        return f"{len(pp.load(self.path).changed())} values"

    def close(self):
        """Removes the file."""
        self.path.unlink(missing_ok=True)
        self.path.parent.rmdir()


class Result(Motor):
    """A saved result: loaded, it has to be one of the seeds."""

    words = (
        'PK\x01\x02', 'PK\x03\x04', 'PK\x05\x06', 'PAR1', 'names.npy', 'block.npy', "{'descr': '<f8'",
        '(7, 3)', 'digest',
    )  # fmt: skip

    def __init__(self):
        super().__init__()
        self.known = {self._meaning(path) for path in seeds_of("result")}

    def _meaning(self, path) -> str:
        import polepair as pp

        found = pp.Result.load(path)
        return json.dumps([found.names, found.block.tolist(), found.about], sort_keys=True)

    def judge(self, data):
        """Loads it as both kinds of file."""
        from polepair.errors import FileError

        said = []
        for suffix in (".npz", ".parquet"):
            path = self.path.with_suffix(suffix)
            path.write_bytes(data)
            try:
                need(self._meaning(path) in self.known, f"read as other data, as {suffix}")
                said.append("loaded")
            except FileError as e:
                said.append(re.sub(r"\d+|'[^']*'", "", str(e).removeprefix(str(path)))[:40])
        return str(said)

    def close(self):
        """Removes the files."""
        for suffix in (".npz", ".parquet"):
            self.path.with_suffix(suffix).unlink(missing_ok=True)
        super().close()


class Records(Motor):
    """A record of columns: CSV, or .npz with an array a column."""

    words = (
        'time', ',', '\n', '1.5', '-', 'nan', '#', ' [s]', 'e', '"', 'PK\x03\x04', 'time.npy', 'inf', '\r',
        '\ufeff',
    )  # fmt: skip

    def judge(self, data):
        """Reads it as both, and looks at the columns as the estimator does."""
        from polepair.errors import FileError
        from polepair.live.estimation import checked, read_record

        said = []
        for suffix in (".npz", ".csv"):
            path = self.path.with_suffix(suffix)
            path.write_bytes(data)
            try:
                columns = read_record(path)
                rows = {len(np.atleast_1d(c)) for c in columns.values()}
                said.append(f"{len(columns)} {len(rows)}")
                checked(columns)
            except ValueError as e:
                need(type(e) in (FileError, ValueError), f"{type(e).__name__}: {e}")
                said.append(re.sub(r"\d+|'[^']*'", "", str(e).removeprefix(str(path)))[:40])
            path.unlink()
        return str(said)


class Birth(Surface):
    """A birth message."""

    words = (
        '{', '}', '[', ']', '"polepair"', ':', '1', ',', '"streams"', '"fast"', '"channels"', '"scales"',
        '"period"', '"a"', '"format"', '"frame"', 'null', 'true', 'NaN', '-', '1e400', '"time"',
        '"\\u001b"', '"\\ud800"', "9" * 400,
    )  # fmt: skip

    def judge(self, data):
        """Reads it; what is taken is what the rest of polepair can live with."""
        from polepair.live.streams import Stream
        from polepair.live.wire import read_birth

        found = read_birth(data)
        for info in found.values():
            need(all(c.isprintable() and c not in ("time", "seq", "arrival") for c in info.channels), "a bad name")
            need(0 <= info.period < 1e6, "a bad period")
            Stream(info.channels, info.format, 256)
        return f"{len(found)} streams"


class Address(Surface):
    """An MQTT address; every seed holds a password."""

    secret = True
    words = (
        'mqtt', 'mqtts', '://', ':', '/', '@', '?', '#', '%40', '[::1]', '[', ']', SECRET, '99999', 'host',
        '\xe9', '\u2100', ' ',
    )  # fmt: skip

    def judge(self, data):
        """Reads it; the password is not in what an error would show of it."""
        from polepair.live.wire import address

        found = address(data.decode("utf-8", "replace"))
        need(found.uri.isprintable() and found.base.isprintable(), "what is no topic")
        return found.uri[:6]


class Csv(Surface):
    """Lines of a serial line."""

    words = (
        '1', ',', '-2.5', 'e', '3', '[', ']', '{', '}', '"', ':', '\n', 'null', ' ', '#', '\r', '.', '+',
        '0x', 'true',
    )  # fmt: skip

    def judge(self, data):
        """A row a line at most."""
        from polepair.live.sources import Serial

        source = Serial("/dev/null", ("a", "b"), kind="csv")
        lines = data.split(b"\n")[:50]
        for line in lines:
            source._line(line)
        counts = source.stream.stats
        refused = sum(v for k, v in counts.items() if " " in k)
        said = [x.strip() for x in lines]
        meant = sum(1 for x in said if x and not x.startswith(b"#"))
        need(source.stream.head + refused == meant, f"{source.stream.head} rows and {refused} refused of {meant} lines")
        return f"{min(source.stream.head, 3)} {min(refused, 3)}"


class Sinks(Surface):
    """What a server answers to a batch; the batch has a token that the answer may repeat."""

    secret = True
    words = (
        'HTTP/1.1 ', '204 No Content', '400 Bad', '302 Found', '500 Oops', '\r\n', '\n',
        'Location: http://127.0.0.1:1/', 'Content-Length: ', '5', '-1', 'Transfer-Encoding: chunked',
        'ffffffff', '0', SECRET, '\x1b]0;', 'HTTP/9.9 ', '{', ': ',
    )  # fmt: skip

    def __init__(self):
        sys.path.insert(0, str(ROOT / "tests"))
        from support.servers import Server

        from polepair.live.sinks import Influx, RejectedError, SinkError
        from polepair.live.streams import Stream

        self.errors = (SinkError, RejectedError)
        self.server = Server(b"")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a token over http, on purpose
            self.sink = Influx(f"{self.server.url}/write?db=x", token=SECRET, timeout=20)
        stream = Stream(("a",), "json", 256)
        stream.push(b'{"t":1,"n":1,"a":1}')
        self.rows = stream.read()

    def judge(self, data):
        """Posts a row and gets data for an answer."""
        self.server.say = data
        self.server.requests.clear()
        self.sink.write(self.rows)
        return "written"

    def close(self):
        """Ends server and sink."""
        self.sink.close()
        self.server.close()


class Set(Surface):
    """What follows --set."""

    words = (
        'stator.length', 'magnet.Br', '=', '1 mm', '^', '9', '*', '(', ' ', '.', 'e', '-', 'nan',
        'drive.kind', 'foc', 'slots',
    )  # fmt: skip

    def __init__(self):
        from polepair.errors import FileError

        self.errors = (ValueError, FileError)

    def judge(self, data):
        """Lays it over a motor and derives that."""
        from polepair.cli.common import chosen_motor

        chosen_motor("outrunner-12s14p", [text_of(data)]).derive()
        return "set"


class Store(Motor):
    """A store: what is read from it is told to be damaged, or it is the seed's."""

    words = ("chunk", "stream", "SQLite format 3\0", "CREATE TABLE", "meta", "\0\0\0\1", "fast", "{", "}", "json")

    def __init__(self):
        from polepair.errors import StoreError

        super().__init__()
        self.errors = (StoreError,)
        self.path = self.path.with_name("x.ppdb")
        (seed,) = seeds_of("store")
        self.known = self._rows(seed, [])
        need(self.known, "a seed without rows")

    @staticmethod
    def _rows(path, bad) -> dict:
        from polepair.live.store import Store as Opened

        with Opened(path) as store:
            need(len(store.streams) < 3, "more streams than there were")
            kept = {n: store.read(n, bad=bad) for n in store.streams}
        return {
            n: repr([c.tolist() for c in (r.time, r.seq, r.arrival, *r.columns)]) for n, r in kept.items() if len(r)
        }

    def judge(self, data):
        """Opens it and reads all that it has."""
        for left in self.path.parent.iterdir():
            left.unlink()
        self.path.write_bytes(data)
        bad = []
        rows = self._rows(self.path, bad)
        need(bad or rows == self.known or not rows, "read as other data")
        return f"{len(bad)} damaged" if bad else f"{len(rows)} whole"

    def close(self):
        """Removes the files."""
        import shutil

        shutil.rmtree(self.path.parent)


class Journal(Store):
    """A segment that waits for the store: no row comes of it that was not written, and none twice."""

    words = ("PPJRNL2\n", "PPJRNL1\n", "\0\0\0\0", '{"n":1,"t":1,"a":1,"b":1}', "fast", "\1", "\xff")
    channels = ("a", "b")

    def __init__(self):
        from polepair.errors import StoreError
        from polepair.live.backlog import about

        Motor.__init__(self)
        self.errors = (StoreError,)
        self.path = self.path.with_name("x.ppdb")
        self.about = about("fast", self.channels)
        self.known = {row for seed in seeds_of("journal") for row in self._decoded(seed.read_bytes())[0]}
        need(self.known, "a seed without rows")

    def _decoded(self, data) -> tuple[list, str]:
        """Rows as (number, time, values), and how the segment ended."""
        from polepair import _core

        decoder, offset, rows, ending = _core.Decoder(self.about), 0, [], "rows"
        while ending == "rows":
            offset, times, seq, _, columns, damaged, refused, ending = decoder.read(data, offset, 4096, True, 1)
            rows += zip(seq.tolist(), times.tolist(), *(c.tolist() for c in columns), strict=True)
        return rows, f"{ending} {min(damaged, 3)} {min(refused, 3)}"

    def judge(self, data):
        """Decodes it; a few are found by a recorder as well."""
        import zlib

        try:
            rows, ending = self._decoded(data)
        except ValueError as e:
            rows, ending = [], str(e)
        need(set(rows) <= self.known and len(set(rows)) == len(rows), "a row that was not written")
        if zlib.crc32(data) % 256 == 0:
            self._recorded(data)
        return f"{len(rows)} {ending}"

    def _recorded(self, data) -> None:
        import shutil

        from polepair.live.recorder import Recorder, journal_of
        from polepair.live.store import Store as Opened
        from polepair.live.streams import Stream

        shutil.rmtree(self.path.parent)
        folder = journal_of(self.path)
        folder.mkdir(parents=True)
        (folder / f"{1:04x}{1:012x}.journal").write_bytes(data)
        recorder = Recorder(self.path, Stream(self.channels, "json", 1 << 10), segment_bytes=1 << 14)
        recorder.close()
        with Opened(self.path) as store:
            kept = store.read("fast")
        rows = set(zip(kept.seq.tolist(), kept.time.tolist(), *(c.tolist() for c in kept.columns), strict=True))
        need(rows <= self.known, "stored what was not written")
        need(recorder.error is None, f"{recorder.error}")


SURFACES = {
    c.__name__.lower(): c for c in (Units, Motor, Result, Records, Birth, Address, Csv, Sinks, Set, Store, Journal)
}


def seeds_of(name: str) -> list[Path]:
    """Files that a surface begins with."""
    return sorted((ROOT / "tests/fuzz" / name).iterdir())
