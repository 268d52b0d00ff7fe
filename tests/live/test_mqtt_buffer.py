"""The layer between the MQTT library and its sockets, in C on socket pairs, plain and under ASan and UBSan."""

import subprocess

import pytest

PARTS = ("connection", "socket_buffer", "exchange", "birth")
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


@pytest.mark.parametrize("flags", [[], SANITIZED], ids=["plain", "sanitized"])
def test_buffer(root, tmp_path, flags):
    sources = [root / "tests/c/mqtt_buffer.c", *(root / f"csrc/mqtt/{p}.c" for p in PARTS), root / "csrc/host/clock.c"]
    command = ["gcc", "-std=c11", "-g", "-O1", "-Wall", "-Wextra", *flags, f"-I{root}/csrc/include", *sources]
    subprocess.run([*command, "-lpthread", "-o", tmp_path / "buffer"], check=True)
    done = subprocess.run([tmp_path / "buffer"], capture_output=True, text=True)
    assert done.returncode == 0 and ", 0 failed" in done.stdout, done.stdout + done.stderr
