"""What creating 100 tasks costs in one batch, in either mode, and in 100 requests."""

from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from typing import NamedTuple
from uuid import uuid4

import psutil

from bench import data
from bench.load import Cost, Load
from bench.report import table
from bench.scenarios import Request, execute
from bench.servers import OURS, started
from bench.store import WRITER, Store, start_server

AT_ONCE = 100
_BATCHES = 400
_ALONE = "100 requests"
_USERS = data.Owners("user", 100, 10)
_numbers = count()


class Costs(NamedTuple):
    """CPU per 100 tasks, ms."""

    worker: float
    postgres: float


def _task() -> dict[str, object]:
    number = next(_numbers)
    return {
        "title": f"Buy cat food, bag {number}",
        "description": "Salmon flavor, 2kg bag",
        "priority": ("low", "medium", "high", "urgent")[number % 4],
        "due_date": f"2027-01-{number % 28 + 1:02d}T10:00:00Z",
    }


def _alone() -> Iterator[Request]:
    for number in range(_BATCHES * 10):
        yield execute("create-task", f"{WRITER}-{number % 1000:05d}", _task())


def _batched(mode: str) -> Iterator[Request]:
    for number in range(_BATCHES):
        commands = [
            {"id": uuid4().hex, "action": "create-task", "payload": _task()} for _ in range(AT_ONCE)
        ]
        payload: dict[str, object] = {"mode": mode, "commands": commands}
        yield execute("batch", f"{WRITER}-{number % 1000:05d}", payload)


_WAYS: dict[str, tuple[Callable[[], Iterator[Request]], int]] = {
    _ALONE: (_alone, AT_ONCE),
    "atomic batch": (lambda: _batched("atomic"), 1),
    "independent batch": (lambda: _batched("independent"), 1),
}


def compare(rounds: int, seconds: int) -> dict[str, Costs]:
    """The medians of each way, measured in turn."""
    server = start_server()
    store = Store(server, "bench_batches", (_USERS,))
    key = store.prepare()
    load = Load([psutil.Process(server.pid)], key, seconds)
    measured: dict[str, list[Cost]] = {way: [] for way in _WAYS}
    with started(OURS, store.url, key, execute("get-stats", "nobody", {})) as ours:
        for _ in range(rounds):
            for way, (requests, _) in _WAYS.items():
                measured[way].append(load.send_singly(ours, list(requests())))
    return {way: _medians(costs, _WAYS[way][1]) for way, costs in measured.items()}


def _medians(costs: list[Cost], times: int) -> Costs:
    return Costs(*(median(figures) * times for figures in zip(*costs, strict=True)))


def markdown(figures: dict[str, Costs]) -> str:
    """The table, with the share of what 100 requests cost the worker."""
    alone = figures[_ALONE].worker
    rows = (
        (way, f"{costs.worker:.1f} + {costs.postgres:.1f}", f"{costs.worker / alone:.2f}")
        for way, costs in figures.items()
    )
    return table(("100 tasks created by", "worker + PostgreSQL, ms", "of 100 requests"), rows)
