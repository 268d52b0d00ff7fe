"""Decoders, sequence numbers and the ring: what is taken, what is refused, what is counted. No broker."""

import json
import random
import struct
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polepair import _core
from polepair.live.streams import ENCODINGS, RETAINED, Format, Layout, Stream, frame

CHANNELS = ("ia", "ib", "w")


def stream(kind="json", **more):
    size = {k: more.pop(k) for k in ("capacity", "size_limit") if k in more}
    return Stream(CHANNELS, Format(kind, **more), **size)


def say(stream_, /, **data):
    return stream_.push(json.dumps(data).encode())


def test_json_sample_and_batch():
    s = stream()
    say(s, t=1700000000000000001, n=0, ia=1.5, ib=-2e-3, w=3, note="x", deep={"a": [1, {"b": None}]})
    say(s, t=1700000000000000101, n=1, dt=50, s=[[1, 2, 3], [4, 5, 6]])
    rows = s.read()
    assert rows.time.tolist() == [1700000000000000001, 1700000000000000101, 1700000000000000151]
    assert rows.seq.tolist() == [0, 1, 1] and rows["ib"].tolist() == [-2e-3, 2, 5]
    assert s.stats["lost"] == s.stats["duplicates"] == 0 and (np.diff(rows.arrival) >= 0).all()


@settings(max_examples=300)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_numbers_are_correctly_rounded(x):
    s = stream(capacity=512)
    for n, text in enumerate((repr(x), f"{x:.17g}", f"{x:e}")):
        s.push(f'{{"n":{n},"ia":{text}}}'.encode())
        assert s.read()["ia"][0] == float(text)


BAD_JSON = {
    "empty": b"",
    "not json": b"hello",
    "cut": b'{"ia":1',
    "trailing": b'{"ia":1}x',
    "two values": b'{"ia":1}{"ia":2}',
    "leading zero": b'{"ia":01}',
    "plus": b'{"ia":+1}',
    "bare point": b'{"ia":1.}',
    "hex": b'{"ia":0x10}',
    "nan": b'{"ia":NaN}',
    "inf": b'{"ia":-Infinity}',
    "1e999": b'{"ia":1e999}',
    "comma": b'{"ia":1,}',
    "no comma": b'{"ia":1 "ib":2}',
    "twice": b'{"ia":1,"ia":1}',
    "t twice": b'{"t":1,"t":1,"ia":1}',
    "unknown only": b'{"zz":1}',
    "array": b"[1,2,3]",
    "short row": b'{"s":[[1,2]]}',
    "long row": b'{"s":[[1,2,3,4]]}',
    "no rows": b'{"s":[]}',
    "row and value": b'{"ia":1,"s":[[1,2,3]]}',
    "string value": b'{"ia":"1"}',
    "control": b'{"i\x01a":1}',
    "deep": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"ia":1}',
    "deep objects": b'{"x":' + b'{"a":' * 20 + b"1" + b"}" * 20 + b',"ia":1}',
    "negative seq": b'{"n":-1,"ia":1}',
    "huge seq": b'{"n":99999999999999999999,"ia":1}',
    "huge time": b'{"t":9223372036854775807,"ia":1}',
    "huge step": b'{"dt":5e18,"s":[[1,2,3],[1,2,3],[1,2,3]]}',
    "negative step": b'{"t":1,"dt":-1,"s":[[1,2,3]]}',
    "nul": b'{"ia":1\x00}',
    "long number": b'{"ia":' + b"1" * 500 + b"}",
}


def any_number(dice):
    """Text of a number in one of the ways that devices write them."""
    shape, scale = dice.random(), 10.0 ** dice.randint(-6, 9)
    if shape < 0.6:
        return f"{dice.uniform(-scale, scale):.{dice.randint(0, 8)}f}"
    if shape < 0.8:
        return str(dice.randint(1, 10 ** dice.randint(1, 12)) * dice.choice((1, -1)))
    return dice.choice(
        ("0", "0.0", "-1", "9999999", "99999999", "1234567.8", "-0.1234567", "1e3", "1E-2", f"{scale:e}")
    )


def test_json_numbers_of_every_shape():
    """Samples and rows, spaced or not, with keys that no column takes, in changing order: as Python reads them."""
    s, dice = stream(), random.Random(5)
    for n in range(5000):
        row, gap = [any_number(dice) for _ in CHANNELS], dice.choice(("", "", " ", "\n"))
        pairs = [f'"{c}":{gap}{v}' for c, v in zip(CHANNELS, row, strict=True)]
        if n % 3 == 0:
            pairs.insert(dice.randint(0, 3), f'"unknown{n % 7}":"text"')
        if n % 500 > 400:
            dice.shuffle(pairs)
        body = ("," + gap).join(pairs) if n % 2 else f'"s":[[{("," + gap).join(row)}]]'
        assert s.push(f'{{"n":{n},{body}}}'.encode())
        rows = s.read()
        assert [rows[c].tolist() for c in CHANNELS] == [[float(v)] for v in row], body


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_writes_no_row(name):
    s = stream()
    assert s.push(BAD_JSON[name])
    stats = s.stats
    assert stats["rows"] == 0 and s.head == 0 and sum(v for k, v in stats.items() if " " in k) == 1
    say(s, n=1, ia=1)  # and the next one is fine
    assert s.stats["rows"] == 1


def test_missing_values_are_nan():
    s = stream()
    say(s, n=0, ia=None, ib=True)
    rows = s.read()
    assert np.isnan(rows["ia"][0]) and rows["ib"][0] == 1 and np.isnan(rows["w"][0])


def test_size_limit_comes_before_parsing():
    s = stream(size_limit=100)
    s.push(b'{"ia":' + b" " * 200 + b"1}")
    s.push(bytes(256 << 20))
    assert s.stats["larger than the limit"] == 2 and s.head == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=60)
@given(data=st.data())
def test_frames_come_back(encoding, data):
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 8))
    values = np.array(
        data.draw(st.lists(st.floats(-1000, 1000, width=32), min_size=rows * columns, max_size=rows * columns))
    )
    values = values.reshape(rows, columns)
    scales = {f"c{i}": 0.05 for i in range(columns)}
    s = Stream([f"c{i}" for i in range(columns)], Format("frame", scales=scales), 4096)
    s.push(frame(values, 10**18, 1000, 7, 3, encoding, list(scales.values())))
    got = s.read()
    error = np.abs(np.column_stack(got.columns) - values).max()
    assert error <= (0.0251 if encoding in ("int16", "delta") else 0) and got.seq.tolist() == list(range(7, 7 + rows))
    assert got.time.tolist() == [10**18 + 1000 * i for i in range(rows)]


def test_delta_is_smaller_than_int16():
    t = np.arange(50)
    values = np.column_stack([300 * np.sin(t / 10 + k) for k in range(6)])
    sizes = {e: len(frame(values, 0, 1, 0, 0, e, [1.0] * 6)) for e in ("int16", "delta", "float32")}
    assert sizes["delta"] < 0.75 * sizes["int16"] < sizes["float32"]


def test_frames_refused():
    s = stream("frame")
    good = frame(np.ones((4, 3)), 0, 1, 0)
    for bad in (
        good[:31],
        good[:-1],
        good + b"x",
        b"Q" + good[1:],
        good[:1] + b"\2" + good[2:],
        good[:2] + b"\x09" + good[3:],
    ):
        s.push(bad)
    s.push(frame(np.ones((4, 2)), 0, 1, 0))
    s.push(good[:32] + struct.pack("<12f", *([float("nan")] * 12)))
    s.push(good[:3] + b"\0" + good[4:])
    assert s.head == 0 and sum(v for k, v in s.stats.items() if " " in k) == 9
    for values in ([[np.nan]], [[1e9]], [1.0], np.empty((0, 3))):
        with pytest.raises(ValueError):
            frame(values, 0, 1, 0, encoding="int16")


def test_packed_layout():
    layout = Layout(24, magic=b"PK", time=(2, 8), seq=(10, 4), step=(14, 4), samples=(18, 2), channels=(20, 1))
    s = stream("packed", layout=layout, time_unit="us")
    head = b"PK" + struct.pack("<qIIHB3x", 1000, 5, 7, 2, 3)
    s.push(head + struct.pack("<6f", *range(6)))
    rows = s.read()
    assert rows.time.tolist() == [1000000, 1007000] and rows["w"].tolist() == [2, 5] and rows.seq.tolist() == [5, 5]
    for bad in (head, head + bytes(23), b"XX" + head[2:] + bytes(24), head[:20] + b"\4" + head[21:] + bytes(24)):
        s.push(bad)
    assert s.head == 2
    with pytest.raises(ValueError, match="layout"):
        stream("packed", layout=Layout(8, time=(4, 8)))
    with pytest.raises(ValueError, match="needs a layout"):
        stream("packed")


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def metric(alias=None, name=b"", single=None, whole=None, kind=9):
    body = (b"\x0a" + varint(len(name)) + name if name else b"") + (
        b"\x10" + varint(alias) if alias is not None else b""
    )
    body += b"\x20" + varint(kind)
    body += b"\x65" + struct.pack("<f", single) if single is not None else b""
    body += b"\x58" + varint(whole) if whole is not None else b""
    return b"\x12" + varint(len(body)) + body


def test_sparkplug_birth_teaches_aliases():
    s = stream("sparkplug")
    stamp = b"\x08" + varint(1700000000000)
    s.push(stamp + metric(7, single=1.0) + b"\x18\x00")  # an alias nobody explained
    assert s.head == 0
    s.push(stamp + metric(7, b"ia", 1.0) + metric(8, b"w", 2.0) + b"\x18\x00")
    s.push(stamp + metric(7, single=3.0) + metric(8, single=4.0) + b"\x18\x01")
    s.push(stamp + metric(7, single=5.0) + b"\x18\x04")  # 2 and 3 are missing
    rows = s.read()
    assert rows["ia"].tolist() == [1, 3, 5] and rows.time[0] == 1700000000000 * 10**6 and s.stats["lost"] == 2
    for n in range(5, 600):
        s.push(stamp + metric(7, single=float(n)) + b"\x18" + varint(n % 256))
    assert s.stats["lost"] == 2 and s.stats["duplicates"] == 0 and s.head == 598


def test_sparkplug_metrics_in_the_usual_form():
    """Alias, datatype, float, which is read by a way of its own: as in another order; twice or not finite refused."""
    stamp, value = b"\x08" + varint(1700000000000), struct.pack("<f", 2.5)
    forms = [b"\x10\x07\x20\x09\x65" + value, b"\x20\x09\x10\x07\x65" + value, b"\x65" + value + b"\x10\x07\x20\x09"]
    s = stream("sparkplug", aliases={7: "ia"})
    for n, body in enumerate(forms):
        assert len(body) == 9
        s.push(stamp + b"\x12\x09" + body + b"\x18" + bytes([n]))
    assert s.read()["ia"].tolist() == [2.5] * 3
    s.push(stamp + 2 * (b"\x12\x09" + forms[0]) + b"\x18\x03")
    s.push(stamp + b"\x12\x09" + forms[0][:5] + struct.pack("<f", float("nan")) + b"\x18\x03")
    s.push(stamp + b"\x12\x09" + forms[0].replace(b"\x07", b"\x08") + b"\x18\x03")  # nobody's alias
    assert s.head == 3 and sum(v for k, v in s.stats.items() if " " in k) == 3


def test_truncated_sparkplug_values_are_refused():
    for tag, size in ((b"\x65", 4), (b"\x69", 8)):  # float, double
        for have in range(size):
            s = stream("sparkplug", aliases={7: "ia"})
            body = b"\x10\x07" + tag + bytes(have)
            s.push(b"\x12" + varint(len(body)) + body)
            assert s.head == 0 and s.stats["not of the stream's format"] == 1


def test_sequence_counts():
    s = stream()
    for n in (0, 1, 2, 5, 5, 1, 6, 3, 3, 10):
        say(s, t=1000 + n, n=n, ia=n)
    stats = s.stats
    assert s.read()["ia"].tolist() == [0, 1, 2, 5, 6, 3, 10]
    assert (stats["lost"], stats["duplicates"], stats["out_of_order"], stats["restarts"]) == (1 + 3, 3, 1, 0)


@pytest.mark.parametrize("with_boot", [True, False])
def test_device_restarts(with_boot):
    s = stream()
    for boot, start in ((5, 10**6), (9, 2 * 10**6)):
        for n in range(20):
            more = {"boot": boot} if with_boot else {}
            say(s, t=start + n, n=n, ia=n, **more)
    assert s.head == 40 and s.stats["restarts"] == 1 and s.stats["duplicates"] == s.stats["lost"] == 0


def test_restart_with_an_uptime_clock():
    s = stream()
    for n in range(30):
        say(s, t=1000 * n, n=n, ia=n)
    for n in range(30):
        say(s, t=1000 * n + 17, n=n, ia=n)
    assert s.head == 60 and s.stats["restarts"] == 1


def test_clock_jumps_are_kept_and_harmless():
    s = stream()
    hour = 3600 * 10**9
    for n, t in enumerate((10 * hour, 10 * hour + 1, 11 * hour, 9 * hour, 9 * hour + 1)):
        say(s, t=t, n=n, ia=n)
    rows = s.read()
    assert len(rows) == 5 and s.stats["restarts"] == 0 and rows.time[3] == 9 * hour


@settings(max_examples=150)
@given(st.lists(st.integers(0, 40), max_size=120))
def test_every_number_is_kept_once(numbers):
    s = stream(capacity=512)
    for n in numbers:
        say(s, t=n, n=n, ia=n)
    kept = s.read()["ia"].tolist()
    assert len(set(kept)) == len(kept) and set(kept) == set(numbers)


def test_retained_messages_are_old_by_definition():
    s = stream()
    s.push(b'{"n":1,"ia":1}', 1, RETAINED)
    assert s.head == 0 and s.stats["retained"] == 1


def test_views_are_read_only_and_outlive_the_stream():
    s = stream()
    say(s, n=0, ia=4)
    view = s.window()["ia"]
    with pytest.raises(ValueError):
        view[0] = 1
    del s
    assert view[0] == 4


def test_ring_goes_round_and_says_what_was_missed():
    s = stream(capacity=512)
    for n in range(2000):
        say(s, t=n, n=n, ia=n)
    rows = s.read()
    assert rows["ia"][-1] == 1999 and rows.missed + len(rows) == 2000 and (np.diff(rows["ia"]) == 1).all()
    with pytest.raises(IndexError):
        s.core.column(0, 0, 5)


def test_wait_wakes_a_reader():
    s = stream()
    assert not s.wait(timeout=0.05)
    threading.Timer(0.05, lambda: say(s, n=0, ia=1)).start()
    assert s.wait(timeout=5.0)


def test_one_writer_many_readers():
    """Rows read while others come are whole: all channels of a row belong together."""
    s = stream(capacity=1024)

    def write():
        for n in range(30000):
            s.push(b'{"n":%d,"t":%d,"ia":%d,"ib":%d,"w":%d}' % (n, n, n, n, n))

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while writer.is_alive() or s.head > seen:
        rows = s.read()
        seen += len(rows) + rows.missed
        assert (rows["ia"] == rows["w"]).all() and (rows["ib"] == rows.seq).all() and (rows.time == rows.seq).all()
    writer.join()
    assert seen == 30000


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: Stream((), "json"), "channels"),
        (lambda: Stream(("a", "a"), "json"), "channels"),
        (lambda: Stream(("a",), "xml"), "format"),
        (lambda: Stream(("a",), Format("json", time_unit="h")), "time_unit"),
        (lambda: Stream(("a",), Format("json", keys={"t": "tme"})), "tme"),
        (lambda: Stream(("a" * 60,), "json"), "key"),
        (lambda: Stream([f"c{i}" for i in range(65)], "frame"), "64"),
        (lambda: Stream(("a",), "json", capacity=0), "capacity"),
        (lambda: _core.Stream(9, 1, [], [], [1.0], None, 10, 10, False, 1.0), "stream"),
    ],
)
def test_streams_that_cannot_be(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_cobs():
    for packet in (b"", b"\0", b"abc", bytes(300), bytes(range(256)) * 3, b"\1" * 254, b"\1" * 255):
        line = _core.cobs_encode(packet)
        assert 0 not in line and _core.cobs_decode(line) == packet
    for broken in (b"\5a", b"\0", b"\3a\0b"):
        with pytest.raises(ValueError):
            _core.cobs_decode(broken)


def test_rows_from_the_floor_on_stay_while_a_message_is_decoded():
    """The largest message that a stream takes is written behind the head before it is known to be good."""
    s = stream(capacity=512)
    bad = b'{"s":[' + b",".join([b"[7,7,7]"] * 127) + b',[7,7,"x"]]}'
    for n in range(700):
        assert say(s, n=n, t=n, ia=n, ib=-n, w=0)
        if n % 100 == 99 or n in (384, 385, 511, 512):
            first, head = s.core.floor, s.head
            before = [bytes(s.core.column(c, first, head)) for c in range(-3, 3)]
            assert s.push(bad) and s.head == head
            assert [bytes(s.core.column(c, first, head)) for c in range(-3, 3)] == before
            assert head - first == min(head, 384)
    assert sum(v for k, v in s.stats.items() if " " in k) == 11


def test_a_device_that_starts_anew_with_almost_the_same_is_taken():
    """Without boot number and time only the values tell a new start from a message that came again."""
    layout = Layout(24, magic=b"PK", seq=(10, 4), value=8)
    for rows in (1, 20, 60):
        for change in range(rows):
            first, other = np.ones((2, rows, 3))
            other[change, :2] = -1
            s = stream("packed", layout=layout)
            head = b"PK".ljust(24, b"\0")
            for values in (first, first, other, other):
                assert s.push(head + values.tobytes())
            assert s.head == 2 * rows and s.stats["duplicates"] == 2 and s.stats["restarts"] == 1


@pytest.mark.parametrize("encoding", ["float16", "", "FLOAT32", None, 7])
def test_frames_have_the_encodings_that_there_are(encoding):
    with pytest.raises(ValueError, match=f"encoding = {encoding!r}: expected one of"):
        frame(np.ones((1, 1)), 0, 1, 0, encoding=encoding)
