"""A service in a process of its own, as its users meet it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with the settings in it, for development unless they differ.

    Agents' door is open only where a test asks: its SDK would double the time to start.
    """
    ours = {"PYTHONPATH": str(ROOT), "ENVIRONMENT": "development", "MCP_ENABLED": "false"}
    return {**os.environ, **ours, **settings}


@contextmanager
def running(
    *arguments: str,
    command: Sequence[str] = (sys.executable, "-m", "app"),
    output: str = os.devnull,
    **settings: str,
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`python -m app <arguments>` on a free port, once it answers; its URL and process.

    What it logs goes into the file `output`.
    """
    port = free_port()
    with Path(output).open("wb") as stdout:
        process = subprocess.Popen(
            [*command, *arguments],
            env=environment(PORT=str(port), **settings),
            cwd=ROOT,
            stdout=stdout,
            start_new_session=True,
        )
    url = f"http://localhost:{port}"
    try:
        await_answer(f"{url}/health/live", process)
        yield url, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns once the URL answers; AssertionError when the process has ended, or after a time."""
    for _ in range(300):
        assert process.poll() is None, f"the service ended with {process.returncode}"
        try:
            urlopen(url, timeout=1).close()  # noqa: S310 - our own loopback URL
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} did not answer")
