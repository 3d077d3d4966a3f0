"""No request, accepted or refused, holds the loop for more than 50 ms of the processor's time."""

from collections.abc import Callable, Iterator, Sequence
from time import thread_time
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI

from app.commands.registry import ACTION_HANDLERS
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS, Figure
from tests.support.accounts import bearer, token_headers
from tests.support.contacts import HEADERS as PARTNER_HEADERS
from tests.support.people import acting_for

# It would take longer if every line were noted.
pytestmark = [pytest.mark.no_cover, pytest.mark.alone]

MOST_MILLISECONDS = 50
LARGEST_ANSWER = 10_000
MEBIBYTE = 1024 * 1024
ROOM = MEBIBYTE - 200
"""What a body of 1 MiB leaves to the value that is to be heavy."""

CREDENTIALS = (
    *(
        ("/execute", SERVICE_HEADERS),
        ("/admin", ADMIN_HEADERS),
        ("/api/v1/tasks", token_headers(MISSING_ID)),
    ),
    *(("/api/tasks", acting_for("user_123")), ("/users", PARTNER_HEADERS)),
)
Headers = Sequence[tuple[bytes, bytes]]


class Handled(NamedTuple):
    """What a request got, and what it cost."""

    status: int
    size: int
    milliseconds: float


@pytest.fixture(autouse=True)
async def _account(db: Connection) -> None:
    await bearer(db, MISSING_ID)


async def handle(
    app: FastAPI, method: str, target: str, body: bytes = b"", more: Headers = ()
) -> Handled:
    path, _, query = target.partition("?")
    credentials = next((headers for start, headers in CREDENTIALS if path.startswith(start)), {})
    headers = {"content-type": "application/json", **credentials}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        + list(more),
    }
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        answer.append(message)

    began = thread_time()
    await app(scope, receive, send)
    milliseconds = (thread_time() - began) * 1000
    size = sum(len(part.get("body", b"")) for part in answer)
    return Handled(answer[0]["status"], size, milliseconds)


async def handle_well(*request: Any) -> Handled:
    """The best of three, where the first is bad: the machine has more to do."""
    best = await handle(*request)
    for _ in range(2):
        if best.milliseconds >= MOST_MILLISECONDS:
            again = await handle(*request)
            best = min(best, again, key=lambda handled: handled.milliseconds)
    return best


def several(item: bytes, number: int) -> bytes:
    return b"[%b]" % b",".join([item] * number)


def filled(item: bytes) -> bytes:
    """A list that takes all the room."""
    return several(item, (ROOM - 2) // (len(item) + 1))


def members(number: int, start: str = "") -> bytes:
    return b"{%b}" % b",".join(b'"%b%x":1' % (start.encode(), n) for n in range(number))


def text(part: bytes) -> bytes:
    return b'"%b"' % (part * ((ROOM - 2) // len(part)))


LONE = rb'"\ud800"'
"""Half a character: what only the second, lenient parser reads."""

MARKS = "\u0344" * 1333 + "\u0327" * 666
"""Accents in the order in which to normalize them takes longest."""

HEAVY = {
    **{f"a mebibyte of {item.decode()}": filled(item) for item in (b"[[]]", b"{}", b'""', b"1")},
    "lists in lists": filled(b"[" * 25 + b"]" * 25),
    "nothing but opening brackets": b"[" * ROOM,
    "lists, cut off": filled(b"[]")[:-1],
    "as many lists as may be": several(b"[]", 5_990),
    "as many objects as may be": several(b'{"a":1}', 5_990),
    "as many numbers as may be": several(b"1e400", 11_990),
    "as many numbers as may be, spoilt": several(b"1", 11_989)[:-1] + b",x",
    "as many halves of characters as may be": several(LONE, 11_990),
    "as many members as may be": members(11_990),
    "100,000 members": members(100_000),
    "10,000 members beyond ASCII": members(10_000, "猫" * 26),
    "marks on one letter": f'"a{MARKS}"'.encode(),
    "one member again and again": b"{" + filled(b'"":1')[1:-1] + b"}",
    "1,000 tags": several(b'"x"', 1000),
    "1,000 numbers": several(b"1", 1000),
    "100 long tags": several(text(b"\xf0\x9f\x92\xa3")[:401] + b'"', 100),
    "integers of 4,300 digits": filled(b"9" * 4300),
    "integers of 4,300 digits, read twice": several(b"9" * 4300, 230)[:-1] + b"," + LONE + b"]",
    "integers of 1,000 digits, read twice": several(b"9" * 1000, 1000)[:-1] + b"," + LONE + b"]",
    "an integer of a mebibyte": b"9" * ROOM,
    "a fraction of a mebibyte": b"0." + b"1" * (ROOM - 2),
    **{
        f"text of {part!r}": text(part)
        for part in (b"x", b",", b"9", rb"\\", rb"\"", rb"\u0000", rb"\ud800", b"\xf0\x9f\x92\xa3")
    },
    "quotation marks": b'"' * ROOM,
    "blanks": b" " * ROOM,
}


def command(action: str, payload: str) -> Callable[[bytes], bytes]:
    start = f'{{"action":"{action}","user_id":"user_123","payload":{payload}'.encode()
    return lambda value: start.replace(b"?", value) + b"}"


def member(name: str) -> Callable[[bytes], bytes]:
    return lambda value: b'{"%b":%b}' % (name.encode(), value)


PLACES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "the whole command": ("/execute", lambda value: value),
    "its user": ("/execute", lambda value: b'{"action":"get-stats","user_id":%b}' % value),
    "its payload": ("/execute", command("create-task", "?")),
    "an unknown member of its payload": ("/execute", command("create-task", '{"x":?}')),
    "its options": ("/execute", command("get-stats", '{},"options":?')),
    "the payload of a bare handler": ("/execute", command("bare", "?")),
    "a member for a bare handler": ("/execute", command("bare", '{"x":?}')),
    "a command with a name": (
        "/execute",
        command("bare", '{"x":?},"options":{"idempotency_key":"k"}'),
    ),
    "a title": ("/execute", command("create-task", '{"title":?}')),
    "a description": (
        "/execute",
        command("create-task", '{"title":"Feed cat","description":?}'),
    ),
    "tags": ("/execute", command("create-task", '{"title":"Feed cat","tags":?}')),
    "an instant": ("/execute", command("create-task", '{"title":"Feed cat","due_date":?}')),
    "an id": ("/execute", command("get-task", '{"task_id":?}')),
    "a search": ("/execute", command("list-tasks", '{"search":?}')),
    "tags to look for": ("/execute", command("list-tasks", '{"tags":?}')),
    "a cursor": ("/execute", command("list-tasks", '{"cursor":?}')),
    "the body of an administrator": ("/admin/service-keys", lambda value: value),
    "scopes": ("/admin/service-keys", member("scopes")),
    "users of a key": ("/admin/service-keys", member("user_ids")),
    "a reason": ("/admin/revocations", member("reason")),
    "tags of a person": ("/api/tasks", member("tags")),
    "a title of an account": ("/api/v1/tasks", member("title")),
    "an address of a contact": ("/users", member("email")),
    "a refresh token": ("/api/v1/auth/refresh", lambda value: value),
}


@pytest.fixture
def bare_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    async def perform(user_id: str, payload: dict[str, Any], db: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setitem(ACTION_HANDLERS, "bare", perform)


@pytest.mark.usefixtures("bare_handler")
@pytest.mark.parametrize("place", PLACES)
async def test_no_body_holds_the_loop(app: FastAPI, figure: Figure, place: str) -> None:
    path, wrapped = PLACES[place]
    costs = {}
    for name, value in HEAVY.items():
        handled = await handle_well(app, "POST", path, wrapped(value))
        assert handled.status < 500, name
        assert handled.size < LARGEST_ANSWER, name
        costs[name] = handled.milliseconds
    slowest = max(costs, key=costs.__getitem__)
    figure(f"{costs[slowest]:.0f} ms at most, {slowest}")
    assert costs[slowest] < MOST_MILLISECONDS, costs


def requests_without_a_body() -> Iterator[tuple[str, str, Headers, int]]:
    many = "&".join(f"{number:x}" for number in range(13_000))
    for path in ("/", "/health", "/actions", "/api/v1/tasks", "/api/v1/auth/verify", "/users"):
        yield "GET", f"{path}?{many}", (), 414
        yield "GET", f"{path}?{'a&' * 32_000}", (), 414
    yield "GET", "/api/v1/auth/verify?token=" + "%41" * 20_000, (), 400
    headers = [(b"%x" % number, b"") for number in range(13_000)]
    for path, status in (("/", 200), ("/nowhere", 404), ("/api/v1/tasks", 200), ("/users", 200)):
        yield "GET", path, headers, status
    yield "GET", "/users", [(b"cookie", b"a=1;" * 15_000)], 200
    asked = (b"access-control-request-method", b"POST"), (b"origin", b"http://localhost:3000")
    names = (b"access-control-request-headers", b"a," * 32_000)
    yield "OPTIONS", "/execute", [*asked, names], 400


async def test_no_query_and_no_header_holds_the_loop(app: FastAPI, figure: Figure) -> None:
    slowest = 0.0
    for method, target, headers, status in requests_without_a_body():
        handled = await handle_well(app, method, target, b"", headers)
        assert (handled.status, handled.size < LARGEST_ANSWER) == (status, True), target[:80]
        slowest = max(slowest, handled.milliseconds)
    figure(f"{slowest:.0f} ms at most")
    assert slowest < MOST_MILLISECONDS
