"""One round of load: what wrk saw, and the CPU that the worker and PostgreSQL spent on it."""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
import psutil

from bench.scenarios import Request
from bench.servers import Server

_SCRIPT = Path(__file__).parent / "requests.lua"


class Round(NamedTuple):
    """Figures of one round, or the medians of several."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    worker_ms: float
    postgres_ms: float


class Cost(NamedTuple):
    """CPU per request."""

    worker_ms: float
    postgres_ms: float


def require_wrk() -> None:
    """Ends the run with one line where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk is missing: apt-get install wrk")


class Load:
    """Sends requests to servers that share one PostgreSQL, be it of several servers itself."""

    def __init__(self, postmasters: Sequence[psutil.Process], key: str, seconds: int) -> None:
        self._postmasters = postmasters
        self._key = key
        self._seconds = seconds
        self._rounds = 0

    def send(self, server: Server, file: Path, connections: int) -> Round:
        """One round with the requests of the file; any answer but 2xx ends the run."""
        self._rounds += 1
        worker, postgres = _process_seconds(server.worker), self._postgres_seconds()
        seen = self._wrk(server, file, connections)
        worker = _process_seconds(server.worker) - worker
        postgres = self._postgres_seconds() - postgres
        return Round(
            round(seen["requests"] / seen["seconds"], 1),
            seen["p50_ms"],
            seen["p99_ms"],
            round(worker * 1000 / seen["requests"], 4),
            round(postgres * 1000 / seen["requests"], 4),
        )

    def send_singly(self, server: Server, requests: Sequence[Request]) -> Cost:
        """A round on one connection that leaves none unanswered: slow ones count whole."""
        headers = {"X-Service-Key": self._key, "Content-Type": "application/json"}
        worker, postgres = _process_seconds(server.worker), self._postgres_seconds()
        deadline, sent = time.monotonic() + self._seconds, 0
        with closing(HTTPConnection("127.0.0.1", server.port)) as connection:
            for method, path, body, *_ in cycle(requests):
                connection.request(method, path, body or None, headers)
                answer = connection.getresponse()
                answer.read()
                sent += 1
                if answer.status != 200:
                    raise click.ClickException(f"{body or path} was answered with {answer.status}")
                if time.monotonic() > deadline:
                    break
        worker = _process_seconds(server.worker) - worker
        postgres = self._postgres_seconds() - postgres
        return Cost(worker * 1000 / sent, postgres * 1000 / sent)

    def _postgres_seconds(self) -> float:
        return sum(map(_tree_seconds, self._postmasters))

    def _wrk(self, server: Server, file: Path, connections: int) -> dict[str, float]:
        # Every round begins elsewhere in the file, so that no server finds the way paved.
        start = str(self._rounds * 4_001)
        options = f"-t1 -c{connections} -d{self._seconds}s --timeout 10s --latency -s"
        command = ["wrk", *options.split(), str(_SCRIPT), server.url]
        command += ["--", str(file), self._key, start]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seen: dict[str, float] = json.loads(output.strip().splitlines()[-1])
        server.check_alive()
        failures = {name: seen[name] for name in ("refused", "broken", "late") if seen[name]}
        if failures or not seen["requests"]:
            raise click.ClickException(
                f"{server.implementation.name} failed in {file.stem}: {failures or 'no answer'}"
            )
        return seen


def medians(rounds: list[Round]) -> Round:
    """The median of every figure."""
    return Round(*(round(median(figures), 4) for figures in zip(*rounds, strict=True)))


def _process_seconds(process: psutil.Process) -> float:
    """User and system time of one process, as in /proc/<pid>/stat."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _tree_seconds(postmaster: psutil.Process) -> float:
    """CPU of all processes of the server, those that have ended included."""
    times = postmaster.cpu_times()
    seconds = float(times.user + times.system + times.children_user + times.children_system)
    for child in postmaster.children():
        try:
            seconds += _process_seconds(child)
        except psutil.NoSuchProcess:  # its time is the postmaster's from now on
            continue
    return seconds
