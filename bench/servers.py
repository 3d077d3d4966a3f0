"""The four implementations as running processes: start, first answer, memory, end."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median

import click
import psutil

from bench.scenarios import Dialect, Request
from bench.store import ROOT

_TIMEOUT = 30.0
_LOGS = ROOT / ".data" / "bench-logs"
_BYTECODE = ROOT / ".data" / "bench-pycache"


@dataclass(frozen=True)
class Implementation:
    """How to start one, and what it understands."""

    name: str
    title: str
    command: tuple[str, ...]
    dialect: Dialect = "execute"
    settings: Mapping[str, str] = field(default_factory=dict)


OURS = Implementation("ours", "this service", ("-m", "app", "serve"))
IMPLEMENTATIONS = (
    OURS,
    Implementation("floor", "floor: raw ASGI", ("-m", "bench.floor", "{port}")),
    Implementation("ordinary", "ordinary FastAPI", ("-m", "bench.ordinary", "{port}")),
    Implementation("orm_rest", "SQLAlchemy REST", ("-m", "bench.orm_rest", "{port}"), "rest"),
)


@dataclass
class Server:
    """A started implementation. `worker` is the one process that answers."""

    implementation: Implementation
    process: subprocess.Popen[bytes]
    worker: psutil.Process
    port: int
    start_seconds: float

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def rss_mb(self) -> float:
        """The resident memory of the worker."""
        return self.worker.memory_info().rss / 1e6

    def check_alive(self) -> None:
        """Ends the run when the worker has died meanwhile."""
        if not self.worker.is_running():
            raise click.ClickException(f"The worker of {self.implementation.name} has died.")


@contextmanager
def started_after_trials(
    implementation: Implementation, database_url: str, key: str, probe: Request, starts: int
) -> Iterator[Server]:
    """Serves; `start_seconds` is the median of that many starts after one that is not counted."""
    seconds = []
    for _ in range(starts):
        with started(implementation, database_url, key, probe) as trial:
            seconds.append(trial.start_seconds)
    with started(implementation, database_url, key, probe) as server:
        server.start_seconds = median([*seconds[1:], server.start_seconds])
        yield server


@contextmanager
def started(
    implementation: Implementation, database_url: str, key: str, probe: Request
) -> Iterator[Server]:
    """Starts it, waits until it answers the probe with 200, and ends it afterwards."""
    _LOGS.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    command = [part.format(port=port) for part in implementation.command]
    with ExitStack() as resources:
        errors = resources.enter_context((_LOGS / f"{implementation.name}.log").open("wb"))
        drain = resources.enter_context(_drain())
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=_environment(database_url, port) | implementation.settings,
            stdout=drain.stdin,
            stderr=errors,
        )
        resources.callback(_end, process)
        _wait_for_answer(implementation, process, port, key, probe)
        seconds = time.perf_counter() - began
        yield Server(implementation, process, _worker(process), port, seconds)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _drain() -> Iterator[subprocess.Popen[bytes]]:
    """A process that reads the log lines and throws them away."""
    drain = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield drain
    finally:
        assert drain.stdin is not None  # noqa: S101 - asked for above
        drain.stdin.close()
        drain.wait()


def _environment(database_url: str, port: int) -> dict[str, str]:
    """Production, as docs/operations.md tells to configure it."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "PYTHONDONTWRITE", "PROMETHEUS_"))
    }
    return inherited | {
        "DATABASE_URL": database_url,
        "ENVIRONMENT": "production",
        "LOG_LEVEL": "INFO",
        "WEB_CONCURRENCY": "1",
        "PORT": str(port),
        "ADMIN_API_KEY": secrets.token_hex(32),
        "API_KEY_SECRET": secrets.token_hex(32),
        # Nobody is sent elsewhere here.
        "SHUTDOWN_DELAY": "0",
        # An installed service finds its bytecode compiled.
        "PYTHONPYCACHEPREFIX": str(_BYTECODE),
    }


def _wait_for_answer(
    implementation: Implementation,
    process: subprocess.Popen[bytes],
    port: int,
    key: str,
    probe: Request,
) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while (status := _status(port, key, probe)) != 200:
        if status is not None or process.poll() is not None or time.monotonic() > deadline:
            log = _LOGS / f"{implementation.name}.log"
            raise click.ClickException(
                f"{implementation.name} does not answer (status {status}); see {_short(log)}"
            )
        time.sleep(0.005)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _status(port: int, key: str, probe: Request) -> int | None:
    method, path, body = probe[:3]
    connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    headers = {"X-Service-Key": key, "Content-Type": "application/json"}
    try:
        connection.request(method, path, body or None, headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _worker(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The only child of gunicorn, or the process itself where there is none."""
    parent = psutil.Process(process.pid)
    return next(iter(parent.children()), parent)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return
    process.kill()
    process.wait()
