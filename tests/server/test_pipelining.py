"""Requests that do not wait for one another on one connection, and answers that nobody reads."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from time import monotonic, thread_time

import pytest
from fastapi import FastAPI

from app.server import flow, protocol
from app.server.protocol import BoundedProtocol
from app.services import Connection
from tests.conftest import SERVICE_HEADERS
from tests.doors.test_user_tasks import bearer
from tests.support.people import acting_for
from tests.support.wire import exchange, listening

KEY = f"x-service-key: {SERVICE_HEADERS['X-Service-Key']}\r\n".encode()
LAST = b"GET /health/live HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    async with listening(app) as port:
        yield port


def get(path: bytes, size: int = 0, connection: bytes = b"keep-alive") -> bytes:
    """A request of this size, whose id is its path."""
    name = path[1:].replace(b"/", b"-")
    head = b"GET %b HTTP/1.1\r\nhost: test\r\nconnection: %b\r\nx-request-id: %b\r\nx: "
    return (head % (path, connection, name)).ljust(size - 4, b"-") + b"\r\n\r\n"


async def test_a_thousand_requests_at_once_are_answered_in_order(port: int) -> None:
    requests = b"".join(get(b"/health/%d" % number, 280) for number in range(1000))
    answers = await exchange(port, requests + LAST)
    assert [each.status for each in answers] == [404] * 1000 + [200]
    names = [each.headers["x-request-id"] for each in answers[:1000]]
    assert names == [f"health-{number}" for number in range(1000)]


@pytest.mark.parametrize("size", [1, 7, 150, 1000])
async def test_what_a_piece_holds_changes_nothing(port: int, size: int) -> None:
    command = b'{"action": "get-stats", "user_id": "user_123"}'
    post = b"POST /execute HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n" + KEY
    requests = b"".join(
        (
            post + b"content-length: %d\r\n\r\n%b" % (len(command), command),
            post + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(command), command),
            b"0\r\n\r\n\r\n\r\n" + get(b"/health/live"),
            post + b"transfer-encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n" % (len(command), command),
            b"0\r\ntrailer: yes\r\n\r\n" + get(b"/nowhere") + LAST,
        )
    )
    pieces = [requests[start : start + size] for start in range(0, len(requests), size)]
    answers = await exchange(port, *pieces)
    assert [each.status for each in answers] == [200, 200, 200, 200, 404, 200]


async def test_who_sends_too_much_and_no_more_reads_why(port: int) -> None:
    head = b"POST /execute HTTP/1.1\r\nhost: test\r\nconnection: close\r\n" + KEY
    head += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % (8 * 2**20)
    pieces = [b"x" * 2**20] * 8
    (answer,) = await exchange(port, head, *pieces, LAST)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_a_body_full_of_ends_of_heads_lets_others_have_their_turn(port: int) -> None:
    ends = b"\r\n\r\n" * 64 * 1024
    post = b"POST /execute HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = thread_time()
            await asyncio.sleep(0)
            longest = max(longest, thread_time() - began)

    watching = asyncio.create_task(watch())
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ends), ends)
    answers = await exchange(port, post + body + LAST)
    watching.cancel()
    assert [each.status for each in answers] == [401, 200]
    assert longest < 0.05


REFUSED = {
    400: b"nonsense\r\n\r\n",
    431: b"GET / HTTP/1.1\r\nx: %b\r\n\r\n" % (b"y" * 70_000),
    408: b"GET / HTTP/1.1\r\n",
}


@pytest.mark.parametrize(("status", "wrong"), REFUSED.items(), ids=map(str, REFUSED))
async def test_a_refusal_waits_for_its_turn(
    port: int, app: FastAPI, monkeypatch: pytest.MonkeyPatch, status: int, wrong: bytes
) -> None:
    async def answer_late() -> None:
        await asyncio.sleep(0.5)

    app.add_api_route("/late", answer_late)
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    answers = await exchange(port, get(b"/late") + get(b"/late") + wrong)
    assert [each.status for each in answers] == [200, 200, status]


async def test_after_a_body_that_breaks_off_the_rest_is_not_taken_for_requests(port: int) -> None:
    head = b"POST /execute HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"
    answers = await exchange(port, head + b"zz\r\n" + LAST)
    assert [each.status for each in answers] in ([400], [401])


EXPECTING = (
    b"POST /execute HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
)


async def test_a_body_that_was_not_asked_for_is_not_awaited(port: int) -> None:
    (refusal,) = await exchange(port, EXPECTING % (1000, b""))
    assert (refusal.status, refusal.headers["connection"]) == (401, "close")


async def test_a_body_that_is_asked_for_leaves_the_connection_open(port: int) -> None:
    command = b'{"action": "get-stats", "user_id": "user_123"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(EXPECTING % (len(command), KEY))
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(command)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200")
        assert "connection" not in head
        body = await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        assert json.loads(body)["success"]
        writer.write(LAST)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


def request(line: str, headers: dict[str, str], body: str = "") -> bytes:
    """A request whose headers are complete but for its host."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{line} HTTP/1.1\r\nhost: test\r\n{fields}\r\n{body}".encode()


LIST = '{"action": "list-tasks", "user_id": "user_123"}'
JSON = {"content-type": "application/json", "content-length": str(len(LIST))}
LISTS = {
    "commands": request("POST /execute", {**SERVICE_HEADERS, **JSON}, LIST),
    "sessions": request("GET /api/tasks", acting_for("user_123")),
    "user-tasks": request("GET /api/user_123/tasks", bearer()),
}


async def connect_and_read_nothing(port: int, sent: bytes, buffer: int = 4096) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, sent)
    return client


async def read_until_cut(client: socket.socket, pause: float = 0) -> int:
    """How much there was to read."""
    loop, size = asyncio.get_running_loop(), 0
    try:
        while data := await loop.sock_recv(client, 65536):
            size += len(data)
            await asyncio.sleep(pause)
    except ConnectionError:
        pass
    client.close()
    return size


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """That the server has ended a connection."""
    event, lose = asyncio.Event(), BoundedProtocol.connection_lost

    def notice(self: BoundedProtocol, error: Exception | None) -> None:
        event.set()
        lose(self, error)

    monkeypatch.setattr(BoundedProtocol, "connection_lost", notice)
    return event


@pytest.fixture
async def long_list(db: Connection) -> int:
    """Bytes of descriptions in the list of user_123."""
    await db.execute("""
        INSERT INTO tasks (user_id, title, description)
        SELECT 'user_123', n, repeat('x', 20000) FROM generate_series(1, 600) AS n
    """)
    return 600 * 20_000


@pytest.mark.parametrize("sent", LISTS.values(), ids=LISTS)
async def test_who_does_not_read_a_long_list_is_cut(
    port: int,
    long_list: int,
    monkeypatch: pytest.MonkeyPatch,
    ended: asyncio.Event,
    sent: bytes,
) -> None:
    monkeypatch.setattr(flow, "READ_SECONDS", 0.5)
    client = await connect_and_read_nothing(port, sent)
    await asyncio.wait_for(ended.wait(), 20)
    assert await read_until_cut(client) < long_list


async def test_who_reads_slowly_is_not_cut(
    port: int, long_list: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "READ_SECONDS", 0.3)
    sent = request("GET /api/tasks", {**acting_for("user_123"), "connection": "close"})
    client = await connect_and_read_nothing(port, sent, buffer=32_768)
    started = monotonic()
    assert await read_until_cut(client, pause=0.005) > long_list
    assert monotonic() - started > 1


@pytest.mark.parametrize("connection", [b"keep-alive", b"close"])
async def test_who_reads_no_answer_at_all_is_cut(
    port: int,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    ended: asyncio.Event,
    connection: bytes,
) -> None:
    app.add_api_route("/much", lambda: "x" * 10_000_000)
    monkeypatch.setattr(flow, "READ_SECONDS", 0.5)
    client = await connect_and_read_nothing(port, get(b"/much", connection=connection) * 5)
    await asyncio.wait_for(ended.wait(), 20)
    assert await read_until_cut(client) < 10_000_000
