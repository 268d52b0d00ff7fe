"""What the host's C remembers and writes, in C: numbers, descriptions, segments, journal, decoders; under ASan, UBSan
and with the core's assertions."""

import subprocess

PARTS = ("stream_numbers", "stream_describe", "stream_decode", "stream_json", "stream_disk", "stream_sync")
FLAGS = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-DPP_ASSERTS", "-fno-omit-frame-pointer"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def test_stream(root, tmp_path):
    sources = [*(root / f"tests/c/{p}.c" for p in PARTS), *sorted(root.glob("csrc/host/stream/*.c"))]
    sources += [root / "csrc/host/clock.c", *sorted(root.glob("csrc/core/wire/*.c"))]
    binary, folder = tmp_path / "stream", tmp_path / "journal"
    command = ["gcc", *FLAGS, *SANITIZED, f"-I{root}/csrc/include", *sources, "-lpthread", "-lm", "-o", binary]
    subprocess.run(command, check=True)
    folder.mkdir()
    done = subprocess.run([binary, folder], capture_output=True, text=True)
    assert done.returncode == 0 and ", 0 failed" in done.stdout, done.stdout + done.stderr
    assert not list(folder.iterdir())
