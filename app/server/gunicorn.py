"""gunicorn with uvicorn workers, for production."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, ClassVar

import uvicorn
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger as GunicornLogger
from uvicorn_worker import UvicornWorker

from app import metrics
from app.config import Settings
from app.server.protocol import BoundedProtocol

MOST_REQUESTS = 1_000_000
"""After so many a worker is replaced, which bounds what a library may leak."""

_LAST_CALL, _LEAST_LAST_CALLS, _MOST_LAST_CALLS = 0.05, 6, 40
_CLOSE = (b"connection", b"close")
_RECEIVE_BYTES = 64 * 1024


class LameDuckServer(uvicorn.Server):
    """Told to stop, it goes on serving for a while, and tells every client to come back elsewhere.

    Kept-alive connections end with an answer that says `Connection: close`, so none is cut
    between two requests; then the server stops listening and finishes what it accepted.
    """

    seconds = 0.0
    most_requests = sys.maxsize
    _leaves_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Starts to leave; a second signal leaves at once."""
        if self._leaves_at is not None:
            self.should_exit = True
            return
        self._leaves_at = time.monotonic() + self.seconds
        self.config.encoded_headers.append(_CLOSE)
        headers = self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        connections: list[Any] = list(self.server_state.connections)
        for connection in connections:
            if connection.cycle:  # its request began before, and may end last of all
                connection.cycle.default_headers = headers

    async def on_tick(self, counter: int) -> bool:
        """Ends the main loop when the time to leave has come; enough requests bring it on."""
        if self._leaves_at is None and self.server_state.total_requests >= self.most_requests:
            self.handle_exit(signal.SIGTERM, None)
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves whoever stands in the queue, then ends as uvicorn does."""
        waiting = [sock.dup() for sock in sockets or ()]
        for server in self.servers:
            server.close()
        await self._serve_queue(waiting)
        await self._hear_last_calls()
        # uvloop has closed the sockets with the servers.
        await super().shutdown()

    async def _hear_last_calls(self) -> None:
        """Waits for requests on their way, above all over connections just accepted.

        In short steps, so that after a stall the sockets are read before they are judged idle.
        """
        for step in range(_MOST_LAST_CALLS):
            await asyncio.sleep(_LAST_CALL)
            connections: Any = self.server_state.connections
            if step >= _LEAST_LAST_CALLS and all(one.cycle for one in connections):
                return

    async def _serve_queue(self, listeners: Sequence[socket.socket]) -> None:
        """The kernel would reset the connections that nobody accepted before the door closed.

        All are accepted before the first is served: who is answered connects again at once, and
        the queue of a busy service would never be empty.
        """
        loop = asyncio.get_running_loop()
        for connection in [each for listener in listeners for each in _queue_of(listener)]:
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _queue_of(listener: socket.socket) -> Iterator[socket.socket]:
    with listener, suppress(OSError):
        listener.setblocking(False)
        while True:
            yield listener.accept()[0]


class Worker(UvicornWorker):
    """A uvicorn worker that leaves like a lame duck, without access log and `Server` header."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": BoundedProtocol,
        "access_log": False,
        "server_header": False,
        "ws": "none",
        # uvicorn would leave at once and cut the connections that are kept alive.
        "limit_max_requests": None,
    }

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = LameDuckServer(self.config)
        server.seconds = self.app.settings.shutdown_delay
        server.most_requests = self.max_requests
        self._install_sigquit_handler()
        # gunicorn's wrappers complain when they are closed, as uvloop closed what is in them.
        listeners = [wrapper.sock for wrapper in self.sockets]
        for listener in listeners:
            # Bounds what one read brings, and what the kernel keeps of a client that must wait.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        await server.serve(sockets=listeners)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


class Logger(GunicornLogger):
    """Leaves the format of the master's lines to `app.logs`."""

    def setup(self, cfg: Any) -> None:
        """Adds no handlers."""
        self.error_log.propagate = True


class Server(BaseApplication):
    """Serves `app.main:create_app` until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._address = f"0.0.0.0:{settings.port}"
        super().__init__()

    def listen(self) -> None:
        """Takes the port; OSError when it cannot be had, which gunicorn would try for 5 s."""
        address = ("0.0.0.0", self.settings.port)  # noqa: S104 - as its container is reached
        listener = socket.create_server(address, backlog=self.cfg.backlog)
        self._address = f"fd://{listener.detach()}"
        self.load_config()

    def load_config(self) -> None:
        """Sets what differs from gunicorn's defaults."""
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def _options(self) -> dict[str, Any]:
        return {
            "bind": self._address,
            # One for each CPU: a worker is one thread that never waits for the network.
            "workers": self.settings.web_concurrency,
            "worker_class": "app.server.gunicorn.Worker",
            # Longer than the load balancer's 60 s, so that it never meets a closing connection.
            "keepalive": 75,
            # Shorter than the orchestrator's 30 s before it kills.
            "graceful_timeout": 20,
            # Between two heartbeats of a worker; the master kills one that hangs.
            "timeout": 30,
            "max_requests": MOST_REQUESTS,
            # Or workers that started together would leave together.
            "max_requests_jitter": MOST_REQUESTS // 10,
            "logger_class": "app.server.gunicorn.Logger",
            "child_exit": lambda _, worker: metrics.forget_worker(worker.pid),
            # Nobody asks for it, and a read-only file system has no place for it.
            "control_socket_disable": True,
            # The heartbeat file must not wait for a disk.
            "worker_tmp_dir": "/dev/shm",  # noqa: S108
        }

    def load(self) -> Any:
        """The application, made in each worker."""
        from app.main import create_app  # noqa: PLC0415 - after the fork

        return create_app(self.settings)
