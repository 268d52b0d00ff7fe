"""Four publishers of QoS 1 whose broker resets each connection after 0.1 s: resetting.py SECONDS; prints how many."""

import contextlib
import socket
import sys
import threading
import time

from polepair.live.mqtt import Link

CONNACK, RESET = b"\x20\x02\0\0", b"\1\0\0\0\0\0\0\0"  # the latter: SO_LINGER, on, 0 s


def serve(listener):
    """Accepts; acknowledges nothing but the connection."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=reset_soon, args=(connection,), daemon=True).start()


def reset_soon(connection):
    """Reads for a while, then resets."""
    with contextlib.suppress(OSError), connection:
        connection.recv(4096)
        connection.sendall(CONNACK)
        connection.settimeout(0.02)
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                connection.recv(1 << 16)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    links = [Link(f"mqtt://127.0.0.1:{listener.getsockname()[1]}/m1", keep_alive=5).connect() for _ in range(4)]
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end:
        for link in links:
            for _ in range(20):
                link.publish("polepair/1/m1/t/fast", b"x" * 200, 1)
        time.sleep(0.0005)
    connections = sum(link.status["connections"] for link in links)
    for link in links:
        link.close()
    print(connections)


if __name__ == "__main__":
    main()
