"""A publisher that knows what was acknowledged: publisher.py --url URL --secret FILE --first N [--count M].

Publishes numbered QoS 1 messages, one after the other's acknowledgement (a raw MQTT 3.1.1 client, so that a PUBACK is a
PUBACK), until the broker dies or M are sent. Prints the number of the first message that was not acknowledged.
"""

import argparse
import socket
from pathlib import Path
from urllib.parse import urlsplit


def packet(kind, body):
    n, length = len(body), b""
    while True:
        n, byte = n >> 7, n & 127
        length += bytes([byte | (128 if n else 0)])
        if not n:
            return bytes([kind]) + length + body


def text(s):
    return len(s).to_bytes(2, "big") + s


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--url")
    ap.add_argument("--secret", type=Path)
    ap.add_argument("--first", type=int)
    ap.add_argument("--count", type=int, default=1 << 30)
    o = ap.parse_args()
    url, n = urlsplit(o.url), o.first
    topic = f"polepair/1{url.path}/t/fast".encode()
    try:
        s = socket.create_connection((url.hostname, url.port), 5)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        login = text(url.username.encode()) + text(o.secret.read_text().strip().encode())
        s.sendall(packet(0x10, text(b"MQTT") + b"\4\xc2\0\x3c" + text(b"publisher") + login))
        assert s.recv(4)[3] == 0
        while n < o.first + o.count:
            body = b'{"n":%d,"t":%d,"a":%d,"b":0.5}' % (n, n * 1000, n)
            s.sendall(packet(0x32, text(topic) + (n % 65535 + 1).to_bytes(2, "big") + body))
            answer = b""
            while len(answer) < 4:
                more = s.recv(4 - len(answer))
                if not more:
                    raise OSError
                answer += more
            n += 1
    except OSError:
        pass
    print(n)


if __name__ == "__main__":
    main()
