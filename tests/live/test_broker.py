"""The broker's configuration: keys stay with their owner, nothing that somebody else prepared is followed, no name is
more than a name."""

import base64
import hashlib
import os
import stat
import subprocess
import tempfile

import pytest

from polepair.errors import FileError
from polepair.live.broker import acl, write_config

SOMEBODY = 12345


def rights(path):
    about = path.lstat()
    return stat.S_IMODE(about.st_mode), about.st_uid


def test_the_authority_stays_with_its_owner(tmp_path):
    write_config(tmp_path / "b", ["m1"], mutual=True)
    secret = tmp_path / "b" / "secret"
    assert rights(secret) == (0o700, os.geteuid())
    held = {p.name for p in secret.iterdir()}
    assert {"ca.key", "m1.key", "twin.key", "m1", "twin"} <= held
    for path in secret.iterdir():
        assert rights(path) == (0o600, os.geteuid()), path
    keys = [p for p in (tmp_path / "b").rglob("*.key") if p.parent != secret]
    assert [p.name for p in keys] == ["broker.key"] and rights(keys[0])[0] == 0o600
    for name in ("broker", "m1", "twin"):
        chain = ["openssl", "verify", "-CAfile", "tls/ca.pem", f"tls/{name}.pem"]
        assert subprocess.run(chain, cwd=tmp_path / "b", capture_output=True).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_mosquitto_is_given_four_things(tmp_path):
    import pwd

    write_config(tmp_path / "b", ["m1"])
    try:
        mosquitto = pwd.getpwnam("mosquitto").pw_uid
    except KeyError:
        pytest.skip("no user mosquitto")
    given = {str(p.relative_to(tmp_path / "b")) for p in (tmp_path / "b").rglob("*") if p.stat().st_uid == mosquitto}
    assert given == {"data", "acl", "passwords", "tls/broker.key"}


@pytest.mark.parametrize("name", ["data/x", "acl", "passwords", "secret", "tls", "mosquitto.conf", "data"])
def test_what_lies_there_is_not_followed(tmp_path, name):
    victim, folder = tmp_path / "victim", tmp_path / "b"
    victim.write_text("mine")
    before = rights(victim)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(victim)
    with pytest.raises(FileError, match="expected an empty or new folder"):
        write_config(folder, ["m1"])
    assert victim.read_text() == "mine" and rights(victim) == before


def test_a_link_that_appears_meanwhile_is_not_followed(tmp_path, monkeypatch):
    """The folder was empty when it was looked at."""
    from polepair.live import broker

    victim, folder, sub = tmp_path / "victim", tmp_path / "b", broker.Folder.sub
    victim.write_text("mine")

    def prepared(self, name, mode):
        if name == "data":
            for late in ("acl", "passwords", "mosquitto.conf"):
                (folder / late).symlink_to(victim)
        return sub(self, name, mode)

    monkeypatch.setattr(broker.Folder, "sub", prepared)
    with pytest.raises(FileError, match="File exists, expected an empty or new folder"):
        write_config(folder, ["m1"], tls=False)
    assert victim.read_text() == "mine" and not any(folder.iterdir())


def test_whose_folder(tmp_path):
    folder = tmp_path / "b"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(FileError, match="can be written by everybody"):
        write_config(folder, ["m1"], tls=False)
    with pytest.raises(FileError, match="can be written by everybody, expected a folder out of reach"):
        write_config(folder / "deeper", ["m1"], tls=False)
    folder.chmod(0o755)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(FileError, match="Not a directory|symbolic links"):
        write_config(tmp_path / "link", ["m1"], tls=False)
    write_config(folder, ["m1"], tls=False)
    with pytest.raises(FileError, match="holds a broker configuration"):
        write_config(folder, ["m1"], tls=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_somebody_elses_folder(tmp_path):
    folder = tmp_path / "b"
    folder.mkdir()
    os.chown(folder, SOMEBODY, SOMEBODY)
    with pytest.raises(FileError, match="belongs to somebody else"):
        write_config(folder, ["m1"], tls=False)
    (tmp_path / "link").symlink_to(tmp_path)
    os.chown(tmp_path / "link", SOMEBODY, SOMEBODY, follow_symlinks=False)
    with pytest.raises(FileError, match="a link that belongs to somebody else"):
        write_config(tmp_path / "link" / "new", ["m1"], tls=False)


BAD = "x\nuser evil\ntopic readwrite #"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefix": BAD}, "prefix"),
        ({"prefix": "a/#"}, "prefix"),
        ({"prefix": "a/+/b"}, "prefix"),
        ({"prefix": "a b"}, "prefix"),
        ({"prefix": "a//b"}, "prefix"),
        ({"assets": [BAD]}, "asset"),
        ({"assets": ["m1", "m1"]}, "all different"),
        ({"assets": ["twin"]}, "none of them called twin"),
        ({"assets": []}, "at least one"),
        ({"assets": ["ca.key"]}, "asset ca.key"),
        ({"assets": ["broker"], "mutual": True}, "asset broker"),
        ({"hosts": ("a,DNS:evil",)}, "host"),
        ({"hosts": ("a\nb",)}, "host"),
        ({"hosts": ()}, "host"),
        ({"bind": "127.0.0.1\nallow_anonymous true"}, "bind"),
        ({"port": 0}, "port = 0"),
        ({"port": 65536}, "port = 65536"),
        ({"autosave": 0}, "autosave = 0"),
    ],
)
def test_names_that_are_more_than_names(tmp_path, options, message):
    assets = options.pop("assets", ["m1"])
    with pytest.raises(ValueError, match=message):
        write_config(tmp_path / "b", assets, **options)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("commands", [False, True])
def test_who_may_do_what(commands):
    """Every line of the access list: a device writes its own topics and no commands, the twin nothing of a device."""
    base = "p/polepair/1/m1"
    device = [f"topic write {base}/{t}" for t in ("birth", "state", "t/#", "ev", "ack", "cfg/ack")]
    device += [f"topic read {base}/{t}" for t in ("cmd", "cfg", "time")]
    twin = [f"topic read {base}/#", f"topic write {base}/est", f"topic write {base}/time"]
    twin += [f"topic write {base}/cmd"] if commands else []
    lines = [x for x in acl(["m1"], "p/", commands).splitlines() if x and not x.startswith("#")]
    assert lines == ["user m1", *device, "user twin", *twin]


def test_what_the_configuration_says(tmp_path):
    """The lines that safety and durability hang on."""
    text = write_config(tmp_path / "b", ["m1"], mutual=True, port=1234, bind="::1")["configuration"].read_text()
    here = tmp_path / "b"
    for line in (
        *("listener 1234 ::1", "allow_anonymous false", "persistence true", "autosave_on_changes true"),
        *("require_certificate true", "tls_version tlsv1.2", "autosave_interval 1", "max_packet_size 1048576"),
        *(f"password_file {here}/passwords", f"acl_file {here}/acl", f"keyfile {here}/tls/broker.key"),
        *(f"cafile {here}/tls/ca.pem", f"certfile {here}/tls/broker.pem", f"persistence_location {here}/data/"),
    ):
        assert line in text.splitlines(), line
    user, _, stored = (here / "passwords").read_text().splitlines()[0].partition(":")
    _, kind, rounds, salt, digest = stored.split("$")
    password = (here / "secret" / user).read_text().strip().encode()
    made = hashlib.pbkdf2_hmac("sha512", password, base64.b64decode(salt), int(rounds))
    assert (kind, base64.b64decode(digest)) == ("7", made) and int(rounds) >= 10_000 and len(password) >= 32


def test_a_folder_whose_name_is_a_line(tmp_path):
    with pytest.raises(ValueError, match="control characters"):
        write_config(tmp_path / "b\nallow_anonymous true", ["m1"])


def test_rights_do_not_hang_on_the_umask(tmp_path):
    old = os.umask(0)
    try:
        write_config(tmp_path / "open", ["m1"])
        os.umask(0o077)
        write_config(tmp_path / "closed", ["m1"])
    finally:
        os.umask(old)
    modes = [
        {str(p.relative_to(f)): rights(p)[0] for p in f.rglob("*")} for f in (tmp_path / "open", tmp_path / "closed")
    ]
    assert modes[0] == modes[1] and not [n for n, mode in modes[0].items() if mode & 0o022]


def test_a_folder_that_the_broker_may_not_enter_is_told(tmp_path):
    from click.testing import CliRunner

    from polepair.cli.main import main
    from polepair.live.broker import _mosquitto

    if not _mosquitto():
        pytest.skip("only root hands files to the user mosquitto")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        for mode, told in ((0o700, True), (0o711, False)):
            os.chmod(place, mode)
            done = CliRunner().invoke(main, ["broker-config", "m1", "--no-tls", "--out", f"{place}/{mode}"])
            assert done.exit_code == 0 and (f"{place}: the user mosquitto may not enter" in done.stderr) == told
