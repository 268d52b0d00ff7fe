"""A device's own MQTT client (raw 3.1.1, plain or TLS) that keeps what was not acknowledged and sends it again, and
ranges of numbers for the books of a long run."""

import contextlib
import select
import socket
import ssl
import threading
import time
from bisect import bisect_left, bisect_right
from collections import deque

from support.publisher import packet, text

WINDOW = 200  # messages under way
KEEP_ALIVE = 600  # s: the most that the shipped configuration allows; 0, for ever, is refused by mosquitto 2.1
PATIENCE = 2.0  # s that a socket may block
DUP = 0x08


class Ranges:
    """Whole numbers as ranges [first, end): memory by their gaps, not by how many they are."""

    def __init__(self):
        self.firsts: list[int] = []
        self.ends: list[int] = []

    def add(self, first: int, end: int) -> int:
        """Takes a range; how many of its numbers were there already."""
        i, j = bisect_left(self.ends, first), bisect_right(self.firsts, end)
        met = range(i, j)
        twice = sum(max(0, min(end, self.ends[k]) - max(first, self.firsts[k])) for k in met)
        if met:
            first, end = min(first, self.firsts[i]), max(end, self.ends[j - 1])
        self.firsts[i:j], self.ends[i:j] = [first], [end]
        return twice

    def __len__(self) -> int:
        return sum(self.ends) - sum(self.firsts)

    def without(self, other: "Ranges") -> "Ranges":
        """Those that the other one does not hold."""
        out = Ranges()
        for first, end in zip(self.firsts, self.ends, strict=True):
            k = bisect_right(other.ends, first)
            while first < end:
                upto = min(end, other.firsts[k]) if k < len(other.firsts) else end
                if first < upto:
                    out.add(first, upto)
                first = max(first, other.ends[k]) if k < len(other.ends) else end
                k += 1
        return out


class Sender(threading.Thread):
    """Sends in order, connects anew for ever; acknowledged(tag) is called for each message that the broker took."""

    def __init__(self, port: int, user="", password="", ca=None, acknowledged=lambda tag: None, window=WINDOW):
        super().__init__(daemon=True, name="sender")
        self.port, self.user, self.password = port, user, password
        self.tls = ssl.create_default_context(cafile=str(ca)) if ca else None
        self.acknowledged, self.connections, self.paused, self.window = acknowledged, 0, False, window
        self._queue: deque = deque()
        self._flying: dict[int, tuple] = {}
        self._number, self._socket, self._bytes, self._ending = 0, None, b"", False
        self.start()

    def put(self, topic: str, payload: bytes, tag=None, qos: int = 1, retain: bool = False) -> None:
        """Queues a message."""
        self._queue.append((topic, payload, tag, qos, retain))

    def left(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._queue) + len(self._flying)

    def flying(self) -> int:
        """Of these, those that the broker was sent."""
        return len(self._flying)

    def close(self) -> None:
        """Ends; what is not acknowledged is forgotten."""
        self._ending = True
        self.join()
        self._lose()

    def run(self) -> None:
        """Until closed."""
        while not self._ending:
            try:
                if self._socket is None:
                    self._connect()
                self._send()
                self._receive(0.005)
            except (OSError, EOFError):  # ssl.SSLError is one
                self._lose()
                time.sleep(0.1)

    def _lose(self) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.close()
        self._socket, self._bytes = None, b""

    def _connect(self) -> None:
        s = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = s = self.tls.wrap_socket(s, server_hostname="localhost") if self.tls else s
        login = text(self.user.encode()) + text(self.password.encode()) if self.user else b""
        flags = bytes([0xC2 if self.user else 2])
        s.sendall(packet(0x10, text(b"MQTT") + b"\4" + flags + KEEP_ALIVE.to_bytes(2, "big") + text(b"device") + login))
        answer = s.recv(4)
        if len(answer) < 4 or answer[3]:
            raise EOFError
        self.connections += 1
        for number, message in list(self._flying.items()):
            self._publish(number, message, DUP)

    def _publish(self, number: int, message, dup: int = 0) -> None:
        topic, payload, _, qos, retain = message
        head = text(topic.encode()) + (number.to_bytes(2, "big") if qos else b"")
        self._socket.settimeout(PATIENCE)
        self._socket.sendall(packet(0x30 | dup | qos << 1 | retain, head + payload))

    def _send(self) -> None:
        while self._queue and len(self._flying) < self.window and not self.paused:
            message = self._queue[0]
            if message[3]:
                self._number = self._number % 65535 + 1
                self._flying[self._number] = message  # before it leaves the queue: one of both counts it
            self._queue.popleft()
            self._publish(self._number, message)
            if self._socket is None:
                return

    def _receive(self, seconds: float) -> None:
        pending = self.tls and self._socket.pending()
        if not pending and not select.select([self._socket], [], [], seconds)[0]:
            return
        self._socket.settimeout(0)
        try:
            more = self._socket.recv(65536)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        if not more:
            raise EOFError
        self._bytes += more
        while len(self._bytes) >= 2 and len(self._bytes) >= 2 + self._bytes[1]:
            whole, self._bytes = self._bytes[: 2 + self._bytes[1]], self._bytes[2 + self._bytes[1] :]
            if whole[0] == 0x40:
                done = self._flying.pop(int.from_bytes(whole[2:4], "big"), None)
                if done:
                    self.acknowledged(done[2])
