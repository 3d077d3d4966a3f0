"""What is asked: each scenario is a list of requests, in the spelling an implementation knows."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Literal

from app.models.change import cursor
from bench.data import Owners, population
from bench.store import WRITER, Sample

Dialect = Literal["execute", "rest"]
Request = tuple[str, str, str] | tuple[str, str, str, str]
"""Method, path and body; where a request has a header of its own, also this."""

REQUESTS = 20_000
_WRITERS = 10_000


@dataclass(frozen=True)
class Material:
    """What the requests are made of."""

    sample: Sample
    rows: int

    def users(self, prefix: str) -> list[str]:
        """The users of one group, in random order."""
        groups: dict[str, Owners] = {group.prefix: group for group in population(self.rows)}
        names = groups[prefix].names()
        Random(4).shuffle(names)  # noqa: S311 - repeatable, not secret
        return names


@dataclass(frozen=True)
class Scenario:
    """A name, a title for people, its requests, and who can answer them, if not everybody."""

    name: str
    title: str
    requests: Callable[[Material, Dialect], Iterator[Request]]
    writes: bool = False
    only: tuple[str, ...] = ()

    def answered_by(self, implementation: str) -> bool:
        """Whether this implementation can."""
        return not self.only or implementation in self.only

    def write(self, file: Path, material: Material, dialect: Dialect) -> Path:
        """Writes the requests, but not too many, as `requests.lua` reads them."""
        lines = ("\t".join(request) for request in self.requests(material, dialect))
        file.write_text("\n".join(islice(lines, REQUESTS)) + "\n")
        return file


def execute(action: str, user_id: str, payload: dict[str, object]) -> Request:
    """A command."""
    return "POST", "/execute", _json({"action": action, "user_id": user_id, "payload": payload})


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def get_task(material: Material, dialect: Dialect) -> Iterator[Request]:
    """Random existing tasks."""
    for task_id, owner in material.sample:
        if dialect == "rest":
            yield "GET", f"/tasks/{task_id}", ""
        else:
            yield execute("get-task", owner, {"task_id": task_id})


def _poll(material: Material, _: Dialect) -> Iterator[Request]:
    """The feed with nothing new."""
    for _, owner in material.sample:
        yield execute("list-changes", owner, {"cursor": cursor(owner, 0)})


def _create_task(_: Material, dialect: Dialect) -> Iterator[Request]:
    for number in range(REQUESTS):
        owner = f"{WRITER}-{number % _WRITERS:05d}"
        task: dict[str, object] = {
            "title": f"Buy cat food, bag {number}",
            "description": "Salmon flavor, 2kg bag",
            "priority": ("low", "medium", "high", "urgent")[number % 4],
            "due_date": f"2027-01-{number % 28 + 1:02d}T10:00:00Z",
        }
        if dialect == "rest":
            yield "POST", "/tasks", _json({"user_id": owner, **task})
        else:
            yield execute("create-task", owner, task)


def _update_task(material: Material, dialect: Dialect) -> Iterator[Request]:
    statuses = cycle(("completed", "in_progress", "pending"))
    for number, (task_id, owner) in enumerate(material.sample):
        change = {"title": f"Title {number}"} if number % 2 else {"status": next(statuses)}
        if dialect == "rest":
            yield "PATCH", f"/tasks/{task_id}", _json(change)
        else:
            yield execute("update-task", owner, {"task_id": task_id, **change})


def _about_users(action: str, path: str, group: str) -> Callable[..., Iterator[Request]]:
    def requests(material: Material, dialect: Dialect) -> Iterator[Request]:
        for user_id in material.users(group):
            if dialect == "rest":
                yield "GET", f"{path}?user_id={user_id}", ""
            else:
                yield execute(action, user_id, {})

    return requests


def _stats_page(material: Material, _: Dialect) -> Iterator[Request]:
    return (("GET", f"/stats?user_id={user_id}", "") for user_id in material.users("user"))


def _health(_: Material, __: Dialect) -> Iterator[Request]:
    return iter((("GET", "/health", ""),))


# Writers last: what they leave behind would slow the readers down.
SCENARIOS = (
    Scenario("get-task", "get-task", get_task),
    Scenario("list-changes", "list-changes, nothing new", _poll, only=("ours",)),
    Scenario(
        "list-tasks-100", "list-tasks, 100 tasks", _about_users("list-tasks", "/tasks", "user")
    ),
    Scenario("list-tasks-20", "list-tasks, 20 tasks", _about_users("list-tasks", "/tasks", "page")),
    Scenario("get-stats-100", "get-stats, 100 tasks", _about_users("get-stats", "/stats", "user")),
    Scenario(
        "get-stats-1000", "get-stats, 1,000 tasks", _about_users("get-stats", "/stats", "thousand")
    ),
    Scenario(
        "get-stats-10000", "get-stats, 10,000 tasks", _about_users("get-stats", "/stats", "myriad")
    ),
    Scenario("stats", "GET /stats, 100 tasks", _stats_page),
    Scenario("health", "GET /health", _health),
    Scenario("create-task", "create-task", _create_task, writes=True),
    Scenario("update-task", "update-task", _update_task, writes=True),
)
