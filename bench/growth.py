"""How the cost of get-stats grows with a user's tasks, and that of list-tasks with the store."""

from statistics import median
from typing import Any, NamedTuple

import click
import psutil

from bench import data
from bench.compare import machine
from bench.load import Load
from bench.report import table
from bench.scenarios import execute
from bench.servers import OURS, started
from bench.store import Store, start_server

_SIZES = (1_000, 10_000, 100_000, 1_000_000)

Results = dict[str, Any]


class Plan(NamedTuple):
    """How much to measure."""

    rounds: int
    seconds: int


def grow(plan: Plan) -> Results:
    """Worker and PostgreSQL CPU per request of both actions at every size."""
    server = start_server()
    owners = tuple(data.Owners(f"owner-{size}", 1, size) for size in _SIZES)
    users = Store(server, "bench_users", owners)
    results: Results = {
        "machine": machine(),
        "get-stats": _measure(users, "get-stats", dict(zip(_SIZES, owners, strict=True)), plan),
        "list-tasks": {},
    }
    for size in _SIZES:
        group = data.Owners("user", size // 100, 100)
        store = Store(server, f"bench_store_{size}", (group,))
        results["list-tasks"] |= _measure(store, "list-tasks", {size: group}, plan)
    return results


def _measure(
    store: Store, action: str, groups: dict[int, data.Owners], plan: Plan
) -> dict[int, Any]:
    """The medians by size: the action on behalf of each user of the group."""
    key = store.prepare()
    load = Load([psutil.Process(store.server.pid)], key, plan.seconds)
    probe = execute(action, "nobody", {})
    figures: dict[int, Any] = {}
    with started(OURS, store.url, key, probe) as ours:
        for size, group in groups.items():
            requests = [execute(action, name, {}) for name in group.names()]
            costs = [load.send_singly(ours, requests) for _ in range(plan.rounds)]
            figures[size] = {
                "worker_ms": round(median(cost.worker_ms for cost in costs), 4),
                "postgres_ms": round(median(cost.postgres_ms for cost in costs), 4),
            }
            click.echo(f"{action} at {size:,} tasks: {_costs(figures[size])} ms")
    return figures


def _costs(figures: dict[str, float]) -> str:
    return f"{figures['worker_ms']:.3f} + {figures['postgres_ms']:.3f}"


def markdown(results: Results) -> str:
    """The table of both."""
    header = (
        "tasks",
        "get-stats of a user with so many",
        "list-tasks of 100 in a store of so many",
    )
    rows = (
        (f"{size:,}", _costs(results["get-stats"][size]), _costs(results["list-tasks"][size]))
        for size in _SIZES
    )
    return (
        "# Growth\n\nCPU per request, worker + PostgreSQL, ms; one request at a time.\n\n"
        f"{table(header, rows)}"
    )
