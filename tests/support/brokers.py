"""A mosquitto of a test's own on loopback, and a TCP proxy that delays, cuts and stalls."""

import contextlib
import random
import signal
import socket
import subprocess
import threading
import time

PLAIN = "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
PLAIN += "max_inflight_messages 0\n"
PORTS = range(20000, 32000)  # below those that outgoing connections take: a broker may come back to its own
TRIES = 8


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def let_in(folder) -> None:
    """The broker's own user may go through this folder, whatever the umask and pytest's folders are."""
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):  # somebody else's: theirs to open
            path.chmod(path.stat().st_mode | 0o011)


class Broker:
    """Starts, stops, kills and freezes a mosquitto. Without a port: on a free one."""

    def __init__(self, folder, conf=None, port=None):
        self.conf, self.log = conf or folder / "mosquitto.conf", folder / "mosquitto.log"
        let_in(folder)
        for left in reversed(range(1 if port else TRIES)):
            self.port = port or free_port()
            if conf is None:
                self.conf.write_text(PLAIN.format(port=self.port))
                self.conf.chmod(0o644)
            try:
                return self.start()
            except RuntimeError:  # somebody else took the port meanwhile
                if not left:
                    raise

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        with open(self.log, "ab") as log:  # a pipe that nobody reads would stop the broker
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.conf)], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                time.sleep(0.02)
                if self.process.poll() is None:  # else it was somebody else who answered
                    return
            except OSError:
                time.sleep(0.02)
        self.kill()
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


def shipped(folder, assets, **options):
    """A broker with the shipped configuration on a free port, and the folder of that."""
    from polepair.live.broker import write_config

    for k in range(TRIES):
        port = free_port()
        made = write_config(folder / f"b{k}", assets, port=port, **options)["configuration"].parent
        let_in(made)
        try:
            return Broker(folder, made / "mosquitto.conf", port), made
        except RuntimeError:
            if k == TRIES - 1:
                raise


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
