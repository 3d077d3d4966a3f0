"""What a door costs the worker beside the command that it performs, in one run."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import jwt
import psutil

from bench.data import Owners
from bench.load import Load
from bench.report import table
from bench.scenarios import REQUESTS, Request, execute
from bench.servers import OURS, Server, started
from bench.store import WRITER, Sample, Store, start_server

CONNECTIONS = 16
_USERS, _PAGES = Owners("user", 1_000, 100), Owners("page", 500, 20)
_CREATED = {"title": "Buy cat food", "description": "Salmon flavor, 2kg bag"}


@dataclass(frozen=True)
class Material:
    """What the requests are made of."""

    sample: Sample
    secret: str
    etag: str

    def at_door(self, method: str, user_id: str, path: str = "", body: str = "") -> Request:
        """A request at the door of user tasks, with the token of its user."""
        claims = {"sub": user_id, "exp": datetime.now(UTC) + timedelta(hours=1)}
        token = jwt.encode(claims, self.secret, "HS256")
        return method, f"/api/{user_id}/tasks{path}", body, f"Authorization: Bearer {token}"


Requests = Callable[[Material], Iterator[Request]]


@dataclass(frozen=True)
class Pair:
    """A command, the same by a door, and the most the door may cost as its multiple."""

    title: str
    command: Requests
    door: Requests
    goal: float


def _get(material: Material) -> Iterator[Request]:
    return (execute("get-task", owner, {"task_id": one}) for one, owner in material.sample)


def _get_at_door(material: Material) -> Iterator[Request]:
    return (material.at_door("GET", owner, f"/{one}") for one, owner in material.sample)


def _writers() -> Iterator[str]:
    return (f"{WRITER}-{number:05d}" for number in range(REQUESTS // 2))


def _create(_: Material) -> Iterator[Request]:
    return (execute("create-task", owner, dict(_CREATED)) for owner in _writers())


def _create_at_door(material: Material) -> Iterator[Request]:
    body = '{"title":"Buy cat food","description":"Salmon flavor, 2kg bag"}'
    return (material.at_door("POST", owner, body=body) for owner in _writers())


def _update(material: Material) -> Iterator[Request]:
    for number, (one, owner) in enumerate(material.sample):
        yield execute("update-task", owner, {"task_id": one, "title": f"Title {number}"})


def _update_at_door(material: Material) -> Iterator[Request]:
    for number, (one, owner) in enumerate(material.sample):
        yield material.at_door("PUT", owner, f"/{one}", f'{{"title":"Title {number}"}}')


def _list(_: Material) -> Iterator[Request]:
    return (execute("list-tasks", owner, {}) for owner in _PAGES.names())


def _list_at_door(material: Material) -> Iterator[Request]:
    return (material.at_door("GET", owner) for owner in _PAGES.names())


def _stats(_: Material) -> Iterator[Request]:
    return (execute("get-stats", owner, {}) for owner in _USERS.names())


def _stats_page(_: Material) -> Iterator[Request]:
    return (("GET", f"/stats?user_id={owner}", "") for owner in _USERS.names())


def _actions(material: Material) -> Iterator[Request]:
    return iter((("GET", "/actions", "", f"If-None-Match: {material.etag}"),))


PAIRS = (
    Pair("REST, one task / get-task", _get, _get_at_door, 1.5),
    Pair("REST, 20 tasks / list-tasks", _list, _list_at_door, 1.5),
    Pair("GET /stats / get-stats", _stats, _stats_page, 1.2),
    Pair("GET /actions, not modified / get-task", _get, _actions, 0.6),
    Pair("REST, a new task / create-task", _create, _create_at_door, 1.5),
    Pair("REST, a change / update-task", _update, _update_at_door, 1.5),
)
LIVENESS_MS = 0.06


@dataclass(frozen=True)
class Figure:
    """CPU of the worker per request, ms: the command's, where there is one, and the door's."""

    title: str
    command_ms: float | None
    door_ms: float
    goal: float

    @property
    def reached(self) -> float:
        """What is compared with the goal: the ratio, or the milliseconds themselves."""
        return self.door_ms / self.command_ms if self.command_ms else self.door_ms


def measure(rounds: int, seconds: int) -> list[Figure]:
    """The medians, the command and its door in turn."""
    handle = start_server()
    store = Store(handle, "bench_doors", (_USERS, _PAGES))
    key, secret = store.prepare(), secrets.token_hex(32)
    load = Load([psutil.Process(handle.pid)], key, seconds)
    with ExitStack() as resources:
        folder = Path(resources.enter_context(TemporaryDirectory()))
        ours = replace(OURS, settings={"BETTER_AUTH_SECRET": secret})
        probe = execute("get-stats", "nobody", {})
        server = resources.enter_context(started(ours, store.url, key, probe))
        material = Material(store.sample(REQUESTS), secret, _etag(server, key))
        figures = [_measure(pair, load, server, material, folder, rounds) for pair in PAIRS]
        health = _write(folder / "health", iter((("GET", "/health/live", ""),)))
        costs = [load.send(server, health, CONNECTIONS).worker_ms for _ in range(rounds)]
        return [*figures, Figure("GET /health/live, ms", None, median(costs), LIVENESS_MS)]


def _measure(
    pair: Pair, load: Load, server: Server, material: Material, folder: Path, rounds: int
) -> Figure:
    files = [
        _write(folder / str(number), make(material))
        for number, make in enumerate((pair.command, pair.door))
    ]
    costs = [
        [load.send(server, one, CONNECTIONS).worker_ms for one in files] for _ in range(rounds)
    ]
    return Figure(pair.title, *map(median, zip(*costs, strict=True)), pair.goal)


def _write(file: Path, requests: Iterator[Request]) -> Path:
    file.write_text("\n".join("\t".join(one) for one in islice(requests, REQUESTS)) + "\n")
    return file


def _etag(server: Server, key: str) -> str:
    connection = HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/actions", headers={"X-Service-Key": key})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["ETag"]


def results(figures: list[Figure]) -> list[dict[str, object]]:
    """The figures for programs."""
    return [asdict(figure) | {"reached": round(figure.reached, 3)} for figure in figures]


def markdown(figures: list[Figure]) -> str:
    """The table for people."""
    rows = (
        (
            one.title,
            "" if one.command_ms is None else f"{one.command_ms:.3f}",
            f"{one.door_ms:.3f}",
            f"{one.reached:.2f}",
            f"≤ {one.goal:.2f}",
            "yes" if one.reached <= one.goal else "no",
        )
        for one in figures
    )
    return table(("", "command, ms", "door, ms", "reached", "goal", ""), rows)
