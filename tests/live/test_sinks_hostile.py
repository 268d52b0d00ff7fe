"""Sinks beside servers that refuse, lie, stop in the middle or lead elsewhere; real sockets throughout."""

import ssl
import stat
import time
import warnings
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live.test_sinks import CHANNELS, filled
from support.servers import DONE, Server, answer
from support.waiting import until

from polepair.errors import ClearTextWarning
from polepair.live.sinks import Influx, Pump, RejectedError, SinkError
from polepair.live.streams import Stream


@pytest.fixture
def serve():
    servers = []

    def start(*args, **more):
        servers.append(Server(*args, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


FAULTS = {
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
    "nothing": (b"", "expected an InfluxDB that answers"),
    "half a status": (b"HTTP/1.1 204 No Con", "expected an InfluxDB that answers"),
    "half the headers": (b"HTTP/1.1 204 No Content\r\nDate: Tue", "expected an InfluxDB that answers"),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "expected an InfluxDB that answers"),
    "half an error": (b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf", "500 half an answer"),
    "a status that is none": (b"HTTP/1.1 banana\r\n\r\n", "banana"),
    "endless headers": (b"HTTP/1.1 204 No Content\r\n" + b"X: y\r\n" * 1000, "expected an InfluxDB that answers"),
    "escape sequences": (answer("500 Oops", b"\x1b]0;title\x07\nmore"), "500"),
    "302": (answer("302 Found", b"", "Location: http://127.0.0.1:1/"), "redirects are not followed"),
    "307": (answer("307 Temporary Redirect", b"", "Location: /write"), "redirects are not followed"),
    "304": (answer("304 Not Modified"), "a redirect"),
    "401": (answer("401 Unauthorized", b'{"error":"authorization failed"}'), "401 .*authorization failed"),
    "404": (answer("404 Not Found", b"database not found"), "404 database not found"),
    "429": (answer("429 Too Many Requests"), "429"),
    "500": (answer("500 Internal Server Error"), "500"),
    "503": (answer("503 Service Unavailable"), "503"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_counted_and_seen_and_ends(serve, fault, tmp_path):
    """The rows wait for a server that is well; then they are written, once, and the error is gone."""
    said, text = FAULTS[fault]
    server = serve(said)
    with pytest.raises(SinkError, match=text) as e:
        Influx(f"{server.url}/write?db=x").write(filled(1).read())
    assert str(e.value).isprintable() and not isinstance(e.value, RejectedError)
    s = Stream(CHANNELS, "json", 1 << 16)
    pump = Pump(s, Influx(f"{server.url}/write?db=x", timeout=5), wait=0.01, aside=tmp_path / "x.lp")
    filled(10, stream=s)
    until(lambda: pump.failures >= 2 and pump.error)
    assert pump.written == pump.rejected == pump.missed == 0 and pump.running
    server.say = DONE
    until(lambda: pump.written == 10)
    until(lambda: pump.error is None)
    pump.close()
    assert not (tmp_path / "x.lp").exists() and pump.missed == 0


def test_silence_and_resets(serve):
    with pytest.raises(SinkError, match="expected an InfluxDB that answers"):
        Influx(f"{serve(None).url}/write", timeout=0.3).write(filled(1).read())
    with pytest.raises(SinkError, match="expected an InfluxDB that answers"):
        Influx(f"{serve(b'HTTP/1', reset=True).url}/write", timeout=5).write(filled(1).read())


def test_an_answer_that_never_ends(serve):
    """A byte now and then keeps every timeout of a socket away; the answer as a whole has one."""

    def dribble(_):
        yield b"HTTP/1.1 204 No Content\r\nX: "
        while True:
            time.sleep(0.05)
            yield b"x"

    with pytest.raises(SinkError, match="expected an InfluxDB that answers"):
        Influx(f"{serve(dribble).url}/write", timeout=0.5).write(filled(1).read())


def test_tls_is_verified(serve, tmp_path, monkeypatch):
    from polepair.live.broker import write_config

    write_config(tmp_path / "b", ["m1"], hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "b/tls/broker.pem", tmp_path / "b/tls/broker.key")
    server = serve(DONE, tls=context)
    with pytest.raises(SinkError, match="certificate verify failed"):
        Influx(f"{server.url}/write", token="t").write(filled(1).read())
    assert server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "b/tls/ca.pem"))
    Influx(f"{server.url}/write", token="t").write(filled(1).read())
    assert len(server.requests) == 1
    server.say = None
    with pytest.raises(SinkError, match="expected an InfluxDB that answers"):
        Influx(f"{server.url}/write", timeout=0.5).write(filled(1).read())


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_a_token_stays_with_its_server(serve, status):
    other = serve(DONE)
    server = serve(answer(f"{status} Elsewhere", b"", f"Location: {other.url}/write"))
    with pytest.warns(ClearTextWarning):
        sink = Influx(f"{server.url}/write?db=x", token="s3cret-token")
    with pytest.raises(SinkError, match="redirects are not followed") as e:
        sink.write(filled(1).read())
    assert other.requests == [] and len(server.requests) == 1
    assert "Authorization: Token s3cret-token" in server.requests[0][0] and "s3cret" not in str(e.value)


@pytest.mark.parametrize("status", ["400 Bad Request", "413 Too Large", "422 Unprocessable"])
def test_a_bad_batch_is_set_aside(serve, tmp_path, status):
    """What the server calls bad is kept in a file and not sent again; the rest flows on."""
    server = serve(lambda body: answer(status, b"unable to parse") if b"w=3 " in body else DONE)
    s, kept = Stream(CHANNELS, "json", 1 << 16), tmp_path / "state" / "bad.lp"
    pump = Pump(s, Influx(f"{server.url}/write?db=x"), batch=5, wait=0.01, aside=kept)
    filled(20, stream=s)
    until(lambda: pump.written == 15)
    assert (pump.rejected, pump.failures, pump.missed) == (5, 1, 0)
    assert str(kept) in pump.error and "5 rows rejected" in pump.error and "unable to parse" in pump.error
    lines = kept.read_text().splitlines()
    assert lines[0].startswith("# ") and [x.split()[0] for x in lines[1:]] == ["motor"] * 5
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    pump.close()
    assert sum(body.count(b"\n") for _, body in server.requests) == 20


def test_only_the_bad_slice_of_a_batch(serve, tmp_path, monkeypatch):
    monkeypatch.setattr("polepair.live.sinks.SLICE", 4)
    server = serve(lambda body: answer("400 Bad Request") if b"w=9," in body else DONE)
    with pytest.raises(RejectedError) as e:
        Influx(f"{server.url}/write").write(filled(20).read())
    assert e.value.rows == 4 and len(e.value.bodies) == 1 and len(server.requests) == 5


def test_what_is_set_aside_is_bounded(serve, tmp_path):
    server, s = serve(answer("400 Bad Request")), Stream(CHANNELS, "json", 1 << 16)
    pump = Pump(s, Influx(f"{server.url}/write"), batch=10, wait=0.01, aside=tmp_path / "bad.lp")
    pump.aside.limit = 2000
    filled(200, stream=s)
    until(lambda: pump.rejected == 200)
    assert "not kept" in pump.error and 0 < (tmp_path / "bad.lp").stat().st_size <= 2000
    pump.close()


def test_where_it_is_set_aside_unless_told(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    server, s = serve(answer("422 Bad")), Stream(CHANNELS, "json", 1 << 16)
    pumps = [Pump(s, Influx(f"{server.url}/write"), wait=0.01) for _ in range(2)]
    assert not (tmp_path / "state").exists()
    filled(5, stream=s)
    for pump in pumps:
        until(lambda pump=pump: pump.rejected == 5)
        pump.close()
    kept = sorted((tmp_path / "state/polepair").iterdir())
    assert sorted(p.aside.path for p in pumps) == kept and stat.S_IMODE(kept[0].stat().st_mode) == 0o600


def test_a_link_in_the_way_of_the_file_is_not_followed(serve, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "bad.lp").symlink_to(victim)
    server, s = serve(answer("400 Bad Request")), Stream(CHANNELS, "json", 1 << 16)
    pump = Pump(s, Influx(f"{server.url}/write"), wait=0.01, aside=tmp_path / "bad.lp")
    filled(5, stream=s)
    until(lambda: pump.rejected == 5)
    assert "not kept" in pump.error and victim.read_text() == "mine"
    pump.close()


class Raising:
    """A bridge with a defect."""

    def __init__(self, error):
        self.error, self.rows = error, 0

    def write(self, rows):
        if self.error:
            raise self.error
        self.rows += len(rows)

    def close(self):
        pass


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("no"), MemoryError(), UnicodeError("u"), SinkError("s")])
def test_no_exception_ends_the_thread(error):
    s, sink = Stream(CHANNELS, "json", 1 << 16), Raising(error)
    pump = Pump(s, sink, wait=0.01)
    filled(5, stream=s)
    until(lambda: pump.failures >= 2)
    assert pump.running and pump.error and pump.written == 0
    sink.error = None
    until(lambda: pump.written == 5)
    pump.close()
    assert sink.rows == 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exit_asked_for_is_seen():
    s = Stream(CHANNELS, "json", 1 << 16)
    pump = Pump(s, Raising(SystemExit(3)), wait=0.01)
    filled(5, stream=s)
    until(lambda: not pump.running)
    assert "thread has ended" in pump.error and pump.failures == 1


PLACES = ("user", "password", "u", "p", "token", "other")
secrets = st.text("abcdefXYZ0123456789+/%&=?#@:;é\"<'", min_size=6, max_size=20)


@given(secret=secrets, place=st.sampled_from(PLACES), fault=st.sampled_from(["302", "401", "500", "echo", "none"]))
def test_no_secret_in_any_message(secret, place, fault):
    """Wherever the secret stands, and though the server repeats its request, no text of ours holds it."""
    said = {"302": answer("302 Found", secret.encode()), "401": answer("401 No"), "500": answer("500 No"), "none": b""}
    server = Server(said.get(fault, b""))
    if fault == "echo":
        server.say = lambda body: answer("400 Bad", f"{server.requests[-1][0]} {secret}".encode())
    spelled = quote(secret, "")
    login = {"user": f"{spelled}@", "password": f"bob:{spelled}@"}.get(place, "")
    query = "" if place in ("user", "password", "token") else f"&{ {'other': 'key'}.get(place, place) }={spelled}"
    token = "".join(c for c in secret if "!" <= c <= "~") or None if place == "token" else None
    texts = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sink = Influx(f"http://{login}127.0.0.1:{server.port}/write?db=x{query}", token=token)
        texts += [str(w.message) for w in caught] + [repr(sink), str(sink)]
        with pytest.raises(SinkError) as e:
            sink.write(filled(1).read())
        texts.append(str(e.value))
        sink.close()
    finally:
        server.close()
    assert not [t for t in texts for form in {secret, spelled, token or secret} if len(form) > 3 and form in t], texts


@given(secret=st.text("abcXYZ0123", min_size=8, max_size=12), data=st.data())
def test_no_secret_of_a_wrong_url(secret, data):
    """A url that is refused is not repeated, whatever is wrong with it."""
    parts = [
        "http",
        "https",
        "ftp",
        "://",
        ":",
        "/",
        "@",
        "?",
        "u=",
        "&p=",
        "#",
        "host",
        "[::1]",
        "[",
        "99999",
        " ",
        "\n",
    ]
    pieces = data.draw(st.lists(st.sampled_from(parts), max_size=8))
    pieces.insert(data.draw(st.integers(0, len(pieces))), secret)
    try:
        sink = Influx("".join(pieces))
    except ValueError as e:
        assert secret.lower() not in str(e).lower()
    else:
        assert secret.lower() in sink.where.lower() or secret not in repr(sink)


def test_a_token_that_is_no_header(serve):
    for bad in ("a\nb", "a b", "ü", ""):
        with pytest.raises(ValueError, match="token: expected printable ASCII"):
            Influx("https://h/write", token=bad)
    for bad in ("a\nb", "", "a\\"):
        with pytest.raises(ValueError, match="measurement and tags"):
            Influx("https://h/write", bad)


@pytest.mark.parametrize(
    ("url", "token", "clear"),
    [
        ("http://h/write?db=x", "t", True),
        ("http://u:p@h/write", None, True),
        ("http://h/write?u=a&p=b", None, True),
        ("http://h/write?db=x", None, False),
        ("https://u:p@h/write?p=x", "t", False),
    ],
)
def test_clear_text_is_told(url, token, clear):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Influx(url, token=token)
    assert [w.category for w in caught] == [ClearTextWarning] * clear


def test_a_user_goes_as_basic_authentication(serve):
    server = serve(DONE)
    with pytest.warns(ClearTextWarning):
        sink = Influx(f"http://bob:hunter2@127.0.0.1:{server.port}/write?db=x")
    sink.write(filled(1).read())
    assert "Authorization: Basic Ym9iOmh1bnRlcjI=" in server.requests[0][0]
