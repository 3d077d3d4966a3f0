"""A real Redis that may be ill-treated."""

import shutil
import signal
import socket
import subprocess
import time

from tests.support.service import free_port

BINARY = shutil.which("redis-server")


class RedisServer:
    """A server on a free port of its own, without persistence."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        assert BINARY is not None
        self._process = subprocess.Popen(
            [BINARY, "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(100):
            if self._answers():
                return
            time.sleep(0.05)
        raise AssertionError("Redis did not answer")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except OSError:
            return False

    def kill(self) -> None:
        """Ends it at once; what it counted is lost."""
        self._process.kill()
        self._process.wait(5)

    def freeze(self) -> None:
        """Connections stay open, and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)
