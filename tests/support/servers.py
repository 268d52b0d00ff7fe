"""HTTP servers of a test's own on loopback, one answer each, as bytes: also those that no HTTP library would give."""

import contextlib
import socket
import threading

DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "".join(f"{h}\r\n" for h in (*headers, f"Content-Length: {len(body)}"))
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


class Server:
    """Reads each request whole, says `say` and closes; `tls` is an SSLContext.

    say: bytes, None for silence, an iterable of pieces, or a function of the request's body that gives one of them.
    """

    def __init__(self, say, reset=False, tls=None):
        self.say, self.reset, self.tls, self.requests, self.silent = say, reset, tls, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._serve(client)

    def _serve(self, client):
        if self.tls:
            client = self.tls.wrap_socket(client, server_side=True)
        data = b""
        while b"\r\n\r\n" not in data and (more := client.recv(65536)):
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(h[15:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
        while len(body) < length and (more := client.recv(65536)):
            body += more
        self.requests.append((head.decode("latin-1"), body))
        said = self.say(body) if callable(self.say) else self.say
        if not isinstance(said, (bytes, type(None))):
            for piece in said:  # slowly, as the iterable gives them
                client.sendall(piece)
            client.close()
            return
        if said is None:
            self.silent.append(client)
            return
        if self.reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(said)
        client.close()

    def close(self):
        self.listener.close()
        for client in self.silent:
            client.close()
