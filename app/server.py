"""gunicorn with uvicorn workers, for production."""

from typing import Any

from gunicorn.app.base import BaseApplication
from uvicorn_worker import UvicornWorker

from app.config import Settings


class Worker(UvicornWorker):
    """uvicorn without its access log and `Server` header: the request log says more."""

    CONFIG_KWARGS = {
        "loop": "uvloop",
        "http": "httptools",
        "access_log": False,
        "server_header": False,
        "ws": "none",
    }


class Server(BaseApplication):
    """Serves `app.main:create_app` until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Sets what differs from gunicorn's defaults."""
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def _options(self) -> dict[str, Any]:
        return {
            "bind": f"0.0.0.0:{self._settings.port}",
            "workers": self._settings.web_concurrency,
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

        return create_app(self._settings)
