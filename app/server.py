"""gunicorn with uvicorn workers, for production."""

import sys
import time
from types import FrameType
from typing import Any

import uvicorn
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from app.config import Settings

_CLOSE = (b"connection", b"close")


class LameDuckServer(uvicorn.Server):
    """Told to stop, it goes on serving for a while, and tells every client to come back elsewhere.

    Kept-alive connections end with an answer that says `Connection: close`, so none is cut
    between two requests; then the server stops listening and finishes what it accepted.
    """

    seconds = 0.0
    _leaves_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Starts to leave; a second signal leaves at once."""
        if self._leaves_at is not None:
            self.should_exit = True
            return
        self._leaves_at = time.monotonic() + self.seconds
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]

    async def on_tick(self, counter: int) -> bool:
        """Ends the main loop when the time to leave has come."""
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)


class Worker(UvicornWorker):
    """A uvicorn worker that leaves like a lame duck, without access log and `Server` header."""

    CONFIG_KWARGS = {
        "loop": "uvloop",
        "http": "httptools",
        "access_log": False,
        "server_header": False,
        "ws": "none",
    }

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = LameDuckServer(self.config)
        server.seconds = self.app.settings.shutdown_delay
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


class Server(BaseApplication):
    """Serves `app.main:create_app` until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Sets what differs from gunicorn's defaults."""
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def _options(self) -> dict[str, Any]:
        return {
            "bind": f"0.0.0.0:{self.settings.port}",
            "workers": self.settings.web_concurrency,
            "worker_class": "app.server.Worker",
            # Longer than the load balancer's 60 s, so that it never meets a closing connection.
            "keepalive": 75,
            # Shorter than the orchestrator's 30 s before it kills.
            "graceful_timeout": 20,
            "timeout": 30,
            # The heartbeat file must not wait for a disk.
            "worker_tmp_dir": "/dev/shm",  # noqa: S108
        }

    def load(self) -> Any:
        """The application, made in each worker."""
        from app.main import create_app  # noqa: PLC0415 - after the fork

        return create_app(self.settings)
