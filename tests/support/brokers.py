"""A mosquitto of a test's own on loopback, and a TCP proxy that delays, cuts and stalls."""

import contextlib
import signal
import socket
import subprocess
import threading
import time

PLAIN = "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
PLAIN += "max_inflight_messages 0\n"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Broker:
    """Starts, stops, kills and freezes a mosquitto."""

    def __init__(self, folder, conf=None, port=None):
        self.port = port or free_port()
        self.conf, self.log = conf or folder / "mosquitto.conf", folder / "mosquitto.log"
        if conf is None:
            self.conf.write_text(PLAIN.format(port=self.port))
        self.start()

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        with open(self.log, "ab") as log:  # a pipe that nobody reads would stop the broker
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.conf)], stdout=log, stderr=log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.02)
        self.process.kill()
        raise RuntimeError(f"mosquitto did not start: {self.log.read_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self, on):
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()


class Proxy:
    """Between a client and a broker: passes `budget` bytes towards the client, then cuts; None passes all."""

    def __init__(self, port, budget=None, dribble=False):
        self.target, self.budget, self.dribble = port, budget, dribble
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections, self.open = 0, True
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while self.open:
            try:
                client, _ = self.listener.accept()
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._pass, args=(client, broker, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(broker, client, self.budget), daemon=True).start()

    def _pass(self, source, sink, budget):
        try:
            while data := source.recv(1 if self.dribble else 65536):
                if budget is not None:
                    data = data[:budget]
                    budget -= len(data)
                if data:
                    sink.sendall(data)
                if budget == 0:
                    break
        except OSError:
            pass
        for s in (source, sink):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def close(self):
        self.open = False
        self.listener.close()
