"""What a read costs the primary and its replica, with and without DATABASE_REPLICA_URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from app.database import embedded
from bench import data
from bench.load import Load
from bench.report import table
from bench.scenarios import Request, execute
from bench.servers import OURS, Server, started
from bench.store import Store
from tests.support import postgres

_DATABASE = "bench_replica"
_USERS = data.Owners("user", 1_000, 100)
_THOUSAND = data.Owners("thousand", 1, 1_000)
_MYRIAD = data.Owners("myriad", 1, 10_000)
_READS = {
    "list-tasks, 100 tasks": ("list-tasks", _USERS),
    "get-stats, 1,000 tasks": ("get-stats", _THOUSAND),
    "get-stats, 10,000 tasks": ("get-stats", _MYRIAD),
}


class Costs(NamedTuple):
    """CPU per request, ms."""

    worker: float
    primary: float
    replica: float


def compare(rounds: int, seconds: int) -> dict[str, tuple[Costs, Costs]]:
    """The medians of each read, without the replica and with it, measured in turn."""
    with _pair() as (primary, replica):
        store = Store(primary.handle, _DATABASE, (_USERS, _THOUSAND, _MYRIAD))
        key = store.prepare()
        loads = [_load(server, key, seconds) for server in (primary, replica)]
        probe = execute("get-stats", "nobody", {})
        copy = {"DATABASE_REPLICA_URL": embedded.url(replica.handle, _DATABASE)}
        with (
            started(OURS, store.url, key, probe) as without,
            started(replace(OURS, settings=copy), store.url, key, probe) as using,
        ):
            figures = {}
            for title, (action, group) in _READS.items():
                requests = [execute(action, name, {}) for name in group.names()]
                measured = [
                    [_measure(loads, server, requests) for server in (without, using)]
                    for _ in range(rounds)
                ]
                first, second = zip(*measured, strict=True)
                figures[title] = (_medians(first), _medians(second))
            return figures


@contextmanager
def _pair() -> Iterator[tuple[postgres.Server, postgres.Server]]:
    with TemporaryDirectory(prefix="task-manager-api-bench-") as folder:
        Path(folder).chmod(0o755)  # where root runs this, PostgreSQL is somebody else
        primary = postgres.Server(Path(folder) / "primary")
        replica = primary.replica(Path(folder) / "replica")
        yield primary, replica
        replica.stop()
        primary.stop()


def _load(server: postgres.Server, key: str, seconds: int) -> Load:
    return Load([psutil.Process(server.handle.pid)], key, seconds)


def _measure(loads: list[Load], server: Server, requests: list[Request]) -> Costs:
    primary, replica = (load.send_singly(server, requests) for load in loads)
    return Costs(primary.worker_ms, primary.postgres_ms, replica.postgres_ms)


def _medians(measured: tuple[Costs, ...]) -> Costs:
    return Costs(*map(median, zip(*measured, strict=True)))


def markdown(figures: dict[str, tuple[Costs, Costs]]) -> str:
    """The table: worker, primary, and replica."""
    rows = (
        (title, f"{alone.worker:.3f} + {alone.primary:.3f}", " + ".join(f"{ms:.3f}" for ms in both))
        for title, (alone, both) in figures.items()
    )
    return table(("", "worker + primary", "worker + primary + replica"), rows)
