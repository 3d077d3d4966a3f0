"""What requests cost on a database that several servers on this machine hold together."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from itertools import cycle, islice
from uuid import uuid4

import psutil

from bench import store
from bench.data import Owners
from bench.load import Cost, Load
from bench.report import table
from bench.scenarios import Request, execute
from bench.servers import OURS, Server, started

_USERS = Owners("spread", 50, 20).names()
_TASK: dict[str, object] = {
    "title": "Buy cat food",
    "description": "Salmon flavor, 2kg bag",
    "priority": "high",
    "due_date": "2027-01-05T10:00:00Z",
}
_BATCH = 20

Owned = Sequence[tuple[str, str]]
"""Ids of tasks, each with its owner."""


def measure(url: str, postmasters: Sequence[int], seconds: int) -> dict[str, Cost]:
    """CPU per request, of all servers together, once every plan is made."""
    key = store.mint_key(url)
    load = Load([psutil.Process(pid) for pid in postmasters], key, seconds)
    with started(OURS, url, key, execute("get-stats", "nobody", {})) as ours:
        made = _fill(ours, key)
        for requests in _kinds(made).values():
            load.send_singly(ours, requests)
        return {title: load.send_singly(ours, some) for title, some in _kinds(made).items()}


def _fill(ours: Server, key: str) -> Owned:
    """20 tasks of each user."""
    headers = {"X-Service-Key": key, "Content-Type": "application/json"}
    made = []
    with closing(HTTPConnection("127.0.0.1", ours.port)) as connection:
        for user_id in islice(cycle(_USERS), 20 * len(_USERS)):
            method, path, body, *_ = execute("create-task", user_id, _TASK)
            connection.request(method, path, body, headers)
            answer = json.loads(connection.getresponse().read())
            made.append((answer["data"]["id"], user_id))
    return made


def _kinds(made: Owned) -> dict[str, list[Request]]:
    return {
        "get-task": [execute("get-task", user, {"task_id": task}) for task, user in made],
        "list-tasks": _of_each("list-tasks"),
        "get-stats": _of_each("get-stats"),
        "list-changes": _of_each("list-changes", {"limit": 20}),
        "create-task": _of_each("create-task", _TASK),
        "update-task": list(_updates(made)),
        f"batch of {_BATCH} new tasks": [execute("batch", user, _batch()) for user in _USERS * 20],
    }


def _of_each(action: str, payload: dict[str, object] | None = None) -> list[Request]:
    return [execute(action, user, payload or {}) for user in _USERS]


def _updates(made: Owned) -> Iterator[Request]:
    for number, (task_id, user) in enumerate(made):
        status = ("completed", "in_progress", "pending")[number % 3]
        change = {"title": f"Title {number}"} if number % 2 else {"status": status}
        yield execute("update-task", user, {"task_id": task_id, **change})


def _batch() -> dict[str, object]:
    commands = [
        {"id": uuid4().hex, "action": "create-task", "payload": _TASK} for _ in range(_BATCH)
    ]
    return {"mode": "atomic", "commands": commands}


def markdown(costs: dict[str, Cost]) -> str:
    """The table."""
    rows = (
        (title, f"{cost.worker_ms:.3f} + {cost.postgres_ms:.3f}") for title, cost in costs.items()
    )
    return table(("", "worker + all servers, ms"), rows)
