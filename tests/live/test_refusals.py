"""What is not taken is told: which reason, how often, what was expected and what came."""

import json
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import until

from polepair.live.refusals import Refusal, keys_of, reasons, refusals, refused
from polepair.live.sources import Recording, Simulated
from polepair.live.store import Store
from polepair.live.streams import Format, Layout, Stream, frame


def told(channels, kind, *messages, **options):
    stream = Stream(channels, kind, **options)
    for message in messages:
        assert stream.push(message)
    return [str(r) for r in refusals(stream)]


def test_every_reason_is_a_row_of_the_table(root):
    text = (root / "csrc/include/polepair/refusal.def").read_text()
    assert [f'PP_REFUSAL({code}, "{text}")' for code, text in reasons().items()] == text.splitlines()[2:]
    page = (root / "docs/wire.md").read_text()
    assert all(f"| {text} |" in page for text in reasons().values())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"3.2", "1 no record, but a number, a text or a list (the newest: 3.2)"),
        (b"on", "1 not of the stream's format (the newest: on)"),
        (b"", "1 empty, or shorter than its header"),
        (b"{}", "1 no known channel (expected ia, ib)"),
        (b'{"Ia":1,"Ib":2,"t":3}', "1 no known channel (expected ia, ib; came Ia, Ib, t)"),
        (b'{"x":{"ia":1},"y":[{"ib":1}]}', "1 no known channel (expected ia, ib; came x, y)"),
        (b'{"ia":1,"Ib":2}', "1 without some of the channels (expected ib; came ia, Ib)"),
        (b'{"ia":"1"}', '1 a text or a list where a number belongs (the newest: {"ia":"1"})'),
        (b'{"ia":nan}', '1 a number that is not finite or out of range (the newest: {"ia":nan})'),
        (b'{"s":[[1]]}', '1 wrong number of channels or samples (the newest: {"s":[[1]]}; expected 2 channels)'),
        (b'{"ia":1,"ia":2}', '1 a key twice, or rows beside single values (the newest: {"ia":1,"ia":2})'),
        (frame([[1.0, 2.0]], 0, 1, 0), "1 not of the stream's format (the newest: 50 01 00 02 01 00 00 00 ...; "
         "expected json, and it looks like frame)"),
        (b'{"ia":1}' + b" " * 2000, "1 larger than the limit (expected at most 1000 bytes)"),
        (b'{"\x1b[2J":1}', "1 not of the stream's format (the newest: {\"\N{REPLACEMENT CHARACTER}[2J\":1})"),
    ],
)  # fmt: skip
def test_json_that_is_refused(message, expected):
    assert told(("ia", "ib"), "json", message, size_limit=1000) == [expected]


def test_json_where_a_frame_was_expected():
    assert told(("ia",), "frame", b'{"ia":1.5,"t":17000000000000,"n":12}') == [
        "1 not of the stream's format (the newest: "
        '{"ia":1.5,"t":17000000000000,"n":12}; expected frame, and it looks like json)'
    ]


def test_the_names_of_the_payload_are_what_is_expected():
    fmt = Format("json", names={"current_a": "ia"})
    assert told(("ia", "ib"), fmt, b'{"ia":1}') == ["1 no known channel (expected current_a, ib; came ia)"]


def test_the_newest_example_of_each_reason_is_kept():
    stream = Stream(("ia",), "json")
    for message in (b"1", b"2", b"{", b'{"ia":1}', b'{"b":1}', b"3"):
        stream.push(message)
    assert refusals(stream) == [
        Refusal(reasons()["SYNTAX"], 1, "the newest: {"),
        Refusal(reasons()["RECORD"], 3, "the newest: 3"),
        Refusal(reasons()["KEYS"], 1, "expected ia; came b"),
    ]
    assert refused(stream.stats) == 5 and stream.stats["partial"] == 0 and stream.head == 1


@given(st.lists(st.binary(max_size=600), max_size=5), st.sampled_from(["json", "frame", "sparkplug", "packed"]))
def test_any_message_is_told_in_a_line(messages, kind):
    fmt = Format(kind, layout=Layout(8)) if kind == "packed" else kind
    for said in told(("a", "b"), fmt, *messages):
        assert said.isprintable() and len(said) < 300


def nested(values):
    return st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)


@given(st.recursive(st.integers() | st.text(max_size=5), nested, max_leaves=9))
def test_the_keys_of_an_object_are_the_outermost(value):
    keys = keys_of(json.dumps({"a": value, "b": 1}).encode())
    assert keys == ["a", "b"] and keys_of(b"[1]") == [] and keys_of(b'{"a":1,"b') == ["a"]


def test_a_constant_boot_number_loses_no_start():
    """With the clock of the day, and with one that begins anew with the board."""
    for days_clock in (True, False):
        stream, taken = Stream(("ia", "ib"), "json"), 0
        for start, count in enumerate((300, 280, 3000, 2500)):
            for n in range(count):
                at = n * 10**7 + (start + 1) * (10**12 if days_clock else 977)
                text = f'{{"t":{at},"n":{n},"boot":1,"ia":{start + n / 7:.3f},"ib":-0.7}}'
                taken += stream.push(text.encode())
        assert stream.head == taken == 6080
        assert stream.stats["restarts"] == 3 and stream.stats["duplicates"] == stream.stats["lost"] == 0


@pytest.mark.parametrize("pace", [-1, float("nan"), "1", None])
def test_a_pace_is_a_number_from_0_on(pace):
    with pytest.raises(ValueError, match="pace = .*: expected 0 .at once. or more"):
        Recording({"time": [0.0, 1.0], "a": [1.0, 2.0]}, pace)


def test_a_simulation_lasts_a_time_from_0_on():
    import polepair as pp

    for wrong in ({"seconds": -1}, {"seconds": float("nan")}, {"noise": -0.1}, {"pace": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} = .*: expected 0"):
            Simulated(pp.Twin(pp.load("outrunner-12s14p")), **wrong)
    for kind in ("yaml", "", 7, None):
        with pytest.raises(ValueError, match="format: kind = .*: expected one of frame, json"):
            Format(kind)
    with pytest.raises(TypeError, match="expected columns by name in a dict"):
        pp.replay("x.npz")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    pytest.importorskip("polepair._mqtt")
    if not shutil.which("mosquitto"):
        pytest.skip("no mosquitto")
    from support.brokers import Broker

    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.close()


def recorded(broker, out, asset, messages, *more, rows=0):
    """What `polepair record` says and ends with when these wait for it: after so many rows, or by Ctrl-C."""
    from polepair.live.mqtt import Link

    command = [sys.executable, "-m", "polepair", "record", f"{broker.url}/{asset}", "-o", str(out), "--format", "json"]
    subprocess.run([*command, *more, "--time", "0.1"], check=True, capture_output=True)  # now the broker keeps for it
    link = Link(f"{broker.url}/{asset}").connect()
    for message in messages:
        assert link.publish(f"polepair/1/{asset}/t/fast", message, 1)
    with open(out.with_suffix(".said"), "w+") as said, open(out.with_suffix(".beside"), "w+") as beside:
        process = subprocess.Popen([*command, *more], stdout=said, stderr=beside)
        if rows:
            until(lambda: sum(Store(out).streams.values()) == rows, 60)
        else:
            until(lambda: "a key twice" in out.with_suffix(".beside").read_text(), 60)
        process.terminate()
        code = process.wait(60)
        link.close()
        return code, out.with_suffix(".said").read_text(), out.with_suffix(".beside").read_text()


TWICE = b'{"ia":1,"ia":1}'  # comes last: then all before it came


def test_a_recording_says_what_it_refused(broker, tmp_path):
    messages = [b"%d" % n for n in range(60)] + [b'"on"', b'{"\x1b[2J":1}', b'{"Ia":1,"Ib":2}', TWICE]
    code, said, beside = recorded(broker, tmp_path / "x.ppdb", "m1", messages, "--channels", "ia,ib")
    assert code == 1 and "0 rows in 64 messages; lost 0, twice 0, late 0, restarts 0, refused 64\n" in said
    assert '  61 no record, but a number, a text or a list (the newest: "on")\n' in said
    assert "  1 no known channel (expected ia, ib; came Ia, Ib)\n" in said and "\x1b" not in said + beside
    assert beside.count("messages refused: ") == 4  # each reason once, as it comes


def test_a_recording_with_something_in_it_is_well(broker, tmp_path):
    messages = [b"3"] + [b'{"t":%d,"n":%d,"boot":1,"ia":1.5,"Ib":%d}' % (n + 1, n % 20, n) for n in range(40)]
    more = ("--channels", "ia,ib", "--json")
    code, said, beside = recorded(broker, tmp_path / "x.ppdb", "m2", messages, *more, rows=40)
    data = json.loads(said)
    assert code == 0 and not beside and data["rows"] == 40 and data["restarts"] == 1 and data["refused"] == 1
    assert [r["count"] for r in data["refusals"]] == [1, 40]
    assert data["refusals"][1]["detail"] == "expected ib; came t, n, boot, ia, Ib"
