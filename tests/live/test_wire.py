"""Addresses and births from strangers: one line for every mistake, and no address is ever repeated."""

import json
import subprocess
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polepair.errors import ClearTextWarning
from polepair.live.wire import BIRTH_LIMIT, Address, StreamInfo, address, read_birth, warn_if_clear

PIECES = [
    "mqtt",
    "mqtts",
    "http",
    "://",
    ":",
    "/",
    "//",
    "@",
    "?",
    "#",
    "%",
    "%00",
    "%40",
    "[::1]",
    "[",
    "]",
    "host",
    "m1",
]
PIECES += ["1883", "99999", "-1", "0", " ", "\n", "\x1b", "é", "bob:", "password=", "x" * 70, "\u2100", "..", "+"]


@given(secret=st.text("abcXYZ0189", min_size=8, max_size=12), data=st.data())
def test_no_part_of_a_refused_address_is_repeated(secret, data):
    pieces = data.draw(st.lists(st.sampled_from(PIECES), max_size=8))
    pieces.insert(data.draw(st.integers(0, len(pieces))), secret)
    if data.draw(st.booleans()):
        pieces.insert(0, "mqtt://")
    try:
        found = address("".join(pieces))
    except ValueError as e:
        assert secret.lower() not in str(e).lower() and str(e).isprintable()
        assert e.__cause__ is None and e.__context__ is None
    else:
        assert isinstance(found, Address) and found.uri.isprintable() and 1 <= found.port <= 65535


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://bob:hunter2@host:99999/m1",
        "mqtt://bob:hunter2/m1",
        "mqtt://bob:hunter2@/m1",
        "mqtt://bob:hunter2@host/a b",
        "mqtt://bob:hun/hunter2@host/m1",
        "htp://bob:hunter2@host/m1",
        "mqtt://bob:hunter2@[::1/m1",
        "mqtt://bob:hunter2@host\u2100/m1",
        "bob:hunter2@host/m1",
        "mqtt://host/m1?password=hunter2",
        "mqtt://host/hunter2 ",
        "mqtt://:hunter2@host/m1",
    ],
)
@pytest.mark.parametrize("command", [["record", "-o", "x"], ["live", "--time", "0", "--mqtt"], ["device", "--mqtt"]])
def test_the_commands_keep_the_password(url, command):
    from click.testing import CliRunner

    from polepair.cli.main import main

    given = [*command, url] if "--mqtt" in command else [*command[:1], url, *command[1:]]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 2 and "polepair: " in done.output and "expected" in done.output
    assert "hunter2" not in done.output and done.exc_info[0] is SystemExit


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://bob:hunter2@host/m1",
        "bob:hunter2@host/m1",
        "mqtt://bob:hunter2/m1",
        "MQTT://hunter2@host",
        "https://a:hunter2@h",
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        *("live", "live outrunner-12s14p", "run", "design", "list", "record mqtt://h/m1 -o x", "export -o x.csv"),
        *("device", "replay --mqtt mqtt://h/m1", "estimate --motor outrunner-12s14p", "live --serial", "live --replay"),
        *("live --mqt", "run outrunner-12s14p --set", "broker-config", "record -o"),
    ],
)
def test_an_address_in_another_place(url, command):
    """A slip of the hand: the address where a motor, a file or nothing at all was expected."""
    from click.testing import CliRunner

    from polepair.cli.main import main

    done = CliRunner().invoke(main, [*command.split(), url])
    assert done.exit_code == 2 and done.exc_info[0] is SystemExit and "hunter2" not in done.output, done.output


@pytest.mark.parametrize(("url", "port"), [("mqtt://h/m", 1883), ("mqtts://h/m", 8883), ("mqtt://[::1]:5/a/b", 5)])
def test_addresses(url, port):
    assert address(url).port == port
    assert address("mqtt://a%20b@h/m").user == "a b" and address("mqtt://h/x/y").prefix == "x/"


def test_a_password_in_clear_is_told():
    def told(url, password):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_if_clear(address(url), password)
        return [str(w.message) for w in caught if w.category is ClearTextWarning]

    assert told("mqtts://h/m", "hunter2") == told("mqtt://h/m", None) == []
    assert "clear text" in told("mqtt://h/m", "hunter2")[0] and "hunter2" not in told("mqtt://h/m", "hunter2")[0]


def test_the_command_tells_it_once(tmp_path):
    (tmp_path / "password").write_text("hunter2\n")
    given = ["record", "mqtt://bob@127.0.0.1:1/m1", "-o", str(tmp_path / "x.ppdb"), "--password-file"]
    command = [sys.executable, "-m", "polepair", *given, str(tmp_path / "password")]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith("polepair: warning: 127.0.0.1: the password goes over")
    assert "hunter2" not in done.stderr


def said(**changes) -> bytes:
    stream = {"format": "frame", "channels": ["a", "b"], "scales": [1, 2], "period": 1e-4, **changes}
    return json.dumps({"polepair": 1, "streams": {"fast": stream}}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        *({"channels": x} for x in (None, 5, "ab", [], ["a", "a"], [1], [None], [[]], ["x" * 48], [""], ["a"] * 65)),
        *(
            {"channels": [x]}
            for x in ("time", "seq", "arrival", "a\x1b[2J", "a\n", "\x7f", "\ud800", "\u202e", "é" * 24)
        ),
        *({"scales": x} for x in (5, "ab", [1, 2, 3], ["1"], [None], [True], [0], [10**400], [float("inf")], {"a": 1})),
        *({"period": x} for x in (-1, "1", None, [], 10**400, float("nan"), True, 1e9)),
        *({"format": x} for x in (5, None, [], {}, "packed", "xml", "x" * 1000)),
    ],
)
def test_every_field_is_looked_at(changes):
    (field,) = changes
    changes = {"scales": [], **changes} if field == "channels" else changes
    with pytest.raises(ValueError, match=f"^birth: stream fast: {field.removesuffix('s')}") as e:
        read_birth(said(**changes))
    assert str(e.value).isprintable() and len(str(e.value)) < 250


@pytest.mark.parametrize(
    "streams", [5, [], "x", None, True, 1.5, {"a": 5}, {"a": []}, {"a": None}, {"": {}}, {"x\x1b": {}}]
)
def test_streams_of_another_kind(streams):
    with pytest.raises(ValueError, match="birth|stream"):
        read_birth(json.dumps({"polepair": 1, "streams": streams}).encode())


@pytest.mark.parametrize("version", [True, 1.0, "1", None, 2, 10**400, []])
def test_versions(version):
    with pytest.raises(ValueError, match="birth: version"):
        read_birth(json.dumps({"polepair": version, "streams": {}}).encode())


names = st.sampled_from(["polepair", "streams", "channels", "scales", "period", "format", "fast", "a", "time"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400)
values = st.recursive(leaves, lambda x: st.lists(x, max_size=4) | st.dictionaries(names, x, max_size=4), max_leaves=12)


@given(st.fixed_dictionaries({"polepair": st.just(1), "streams": st.dictionaries(names, values, max_size=3)}) | values)
def test_any_json_is_a_birth_or_one_line(data):
    payload = json.dumps(data).encode()
    try:
        found = read_birth(payload)
    except ValueError as e:
        assert str(e).isprintable()
        return
    for info in found.values():
        assert isinstance(info, StreamInfo) and info.channels and info.period >= 0
        assert all(c.isprintable() and c not in ("time", "seq", "arrival") for c in info.channels)


def test_what_is_no_json():
    for payload in (b"[" * 60_000, b"\xff", b"x" * (BIRTH_LIMIT + 1), b'{"polepair":1,"streams":', b"1" * 5000, b""):
        with pytest.raises(ValueError, match="birth"):
            read_birth(payload)


@pytest.mark.parametrize("url", ["mqtt://[v1.x]/m", "mqtt://bob@[host]:1883/m"])
def test_brackets_are_for_ipv6(url):
    with pytest.raises(ValueError, match="address: (host: )?expected"):
        address(url)
