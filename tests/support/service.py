"""A service in a process of its own, as its users meet it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.forks import ROOT, Forked, can_become

__all__ = ["ROOT"]


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


BY_ITSELF = (sys.executable, "-m", "app")
"""How to start a process whose memory is looked at: a fork has that of its parent."""


def start(
    *arguments: str, env: Mapping[str, str], cwd: Path = ROOT, stdout: int, stderr: int = 2
) -> "subprocess.Popen[bytes]":
    """`python -m app <arguments>`, forked off where that is as good."""
    if can_become(arguments, env):
        return Forked(arguments, env=env, cwd=cwd, stdout=stdout, stderr=stderr)
    return subprocess.Popen(
        [*BY_ITSELF, *arguments],
        env=env,
        cwd=cwd,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def ended(
    *arguments: str, env: Mapping[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """`python -m app <arguments>` in a folder, once it has ended; what it printed."""
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        files = stdout.fileno(), stderr.fileno()
        process = start(*arguments, env=env, cwd=folder, stdout=files[0], stderr=files[1])
        code = process.wait(60)
        for file in (stdout, stderr):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())


@contextmanager
def running(
    *arguments: str,
    command: Sequence[str] = (),
    output: str = os.devnull,
    **settings: str,
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`python -m app <arguments>` on a free port, once it answers; its URL and process.

    A `command` is started instead where one is given.
    What it logs goes into the file `output`.
    """
    port = free_port()
    env = environment(PORT=str(port), **settings)
    with Path(output).open("wb") as stdout:
        if command:
            process = subprocess.Popen(
                [*command, *arguments], env=env, cwd=ROOT, stdout=stdout, start_new_session=True
            )
        else:
            process = start(*arguments, env=env, stdout=stdout.fileno())
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
    for _ in range(1500):
        assert process.poll() is None, f"the service ended with {process.returncode}"
        try:
            urlopen(url, timeout=1).close()  # noqa: S310 - our own loopback URL
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"{url} did not answer")
