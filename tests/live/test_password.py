"""Passwords from files: the first line, however it ends."""

import pytest

from polepair.errors import FileError
from polepair.live.mqtt import password_from


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\nsecond\n", "\r\nsecond\r\n"])
def test_the_first_line_of_a_file(tmp_path, end):
    path = tmp_path / "password"
    path.write_bytes(b" a b\xc3\xa9 " + end.encode())
    found = password_from(path)
    assert found.reveal() == " a b\xe9 " and "a b" not in repr(found)


def test_no_password_and_no_file(tmp_path, monkeypatch):
    monkeypatch.delenv("POLEPAIR_MQTT_PASSWORD", raising=False)
    assert password_from().reveal() is None and repr(password_from()) == "Secret(none)"
    (tmp_path / "latin").write_bytes(b"\xe9\n")
    for name, why in (("gone", "No such file"), ("latin", "not UTF-8")):
        with pytest.raises(FileError, match=f"{name}: password file cannot be read .*{why}"):
            password_from(tmp_path / name)
