"""The database dies, freezes, goes silent, comes back: clear answers in time, and recovery."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient, Response

from app.commands.registry import ACTION_HANDLERS
from app.config import Settings
from app.database.deadline import DEADLINE
from app.main import create_app
from app.services import Connection
from tests.conftest import SERVICE_HEADERS, Figure
from tests.support import cluster
from tests.support.postgres import Server
from tests.support.proxy import Proxy

LISTING = {"action": "list-tasks", "user_id": "user_123"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with cluster.place() as folder:
        server = Server.migrated(folder / "postgres")
        yield server
        server.stop()


@asynccontextmanager
async def service(url: str, **settings: Any) -> AsyncIterator[AsyncClient]:
    app = create_app(Settings(database_url=url, log_level="ERROR", **settings))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://test", timeout=30) as client,
    ):
        yield client


async def send(client: AsyncClient, command: dict[str, Any], key: str = "") -> Response:
    headers = SERVICE_HEADERS | ({"Idempotency-Key": key} if key else {})
    return await client.post("/execute", json=command, headers=headers)


async def send_many(client: AsyncClient, count: int = 20) -> Counter[int]:
    """The statuses of requests sent at once; each must be answered within the deadline."""
    started = time.monotonic()
    answers = await asyncio.gather(*(send(client, LISTING) for _ in range(count)))
    assert time.monotonic() - started < DEADLINE + 0.5
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["Retry-After"] == "1"
            assert answer.json()["success"] is False
    return Counter(answer.status_code for answer in answers)


async def seconds_to_recover(client: AsyncClient) -> float:
    started = time.monotonic()
    while (await send(client, LISTING)).status_code != 200:
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def assert_recovers(client: AsyncClient, figure: Figure) -> None:
    seconds = await seconds_to_recover(client)
    assert seconds < 1
    assert await send_many(client) == {200: 20}
    figure(f"recovered after {seconds:.2f} s")


async def connections(url: str) -> int:
    admin = await asyncpg.connect(url)
    count: int = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'task-manager-api'"
    )
    await admin.close()
    return count


async def test_a_killed_database_is_503_and_then_works_again(
    server: Server, figure: Figure
) -> None:
    async with service(server.url) as client:
        assert await send_many(client) == {200: 20}
        server.signal(signal.SIGKILL)
        assert await send_many(client) == {503: 20}
        assert (await client.get("/health")).status_code == 503
        server.start()
        await assert_recovers(client, figure)


async def test_a_frozen_database_is_503_within_the_deadline(server: Server, figure: Figure) -> None:
    async with service(server.url) as client:
        assert await send_many(client) == {200: 20}
        server.signal(signal.SIGSTOP)
        try:
            assert await send_many(client) == {503: 20}
            started = time.monotonic()
            assert (await client.get("/health/ready")).status_code == 503
            assert time.monotonic() - started < 1
        finally:
            server.signal(signal.SIGCONT)
        await assert_recovers(client, figure)
        await asyncio.sleep(0.5)
        assert await connections(server.url) <= 11


async def test_a_frozen_database_ends_keyed_writes_within_the_deadline_too(
    server: Server, figure: Figure
) -> None:
    async def create(client: AsyncClient, number: int) -> tuple[int, float]:
        command = {"action": "create-task", "user_id": "frozen", "payload": {"title": "x"}}
        headers = {**SERVICE_HEADERS, "Idempotency-Key": f"frozen-{number}"}
        started = time.monotonic()
        answer = await client.post("/execute", json=command, headers=headers)
        return answer.status_code, time.monotonic() - started

    async with service(server.url) as client:
        assert await send_many(client) == {200: 20}
        server.signal(signal.SIGSTOP)
        try:
            answers = await asyncio.gather(*(create(client, number) for number in range(5)))
        finally:
            server.signal(signal.SIGCONT)
        assert {status for status, _ in answers} == {503}
        slowest = max(seconds for _, seconds in answers)
        figure(f"slowest after {slowest:.2f} s")
        assert slowest < DEADLINE + 1
        await assert_recovers(client, figure)
        assert {(await create(client, number))[0] for number in range(5)} == {200}


async def test_a_connection_cut_in_the_middle_is_503_and_the_next_request_works(
    server: Server, figure: Figure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dawdle(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
        await db.execute("SELECT pg_sleep(2)")
        return {}

    monkeypatch.setitem(ACTION_HANDLERS, "dawdle", dawdle)
    async with Proxy(server.socket) as proxy, service(_through(proxy, server)) as client:
        await send_many(client)
        running = [
            asyncio.create_task(send(client, {"action": "dawdle", "user_id": "u"}))
            for _ in range(5)
        ]
        await asyncio.sleep(0.3)
        proxy.cut()
        assert {(await answer).status_code for answer in running} == {503}
        await assert_recovers(client, figure)


async def test_half_open_connections_cost_one_deadline_not_one_each(
    server: Server, figure: Figure
) -> None:
    async with Proxy(server.socket) as proxy, service(_through(proxy, server)) as client:
        assert await send_many(client) == {200: 20}
        proxy.silence()
        assert (await send(client, LISTING)).status_code == 503
        await assert_recovers(client, figure)


async def test_a_service_starts_while_the_database_is_away(server: Server, figure: Figure) -> None:
    server.signal(signal.SIGKILL)
    try:
        async with service(server.url) as client:
            assert (await send(client, LISTING)).status_code == 503
            assert (await client.get("/health/live")).status_code == 200
            server.start()
            await assert_recovers(client, figure)
            await asyncio.sleep(1)
            assert (await client.get("/health")).status_code == 200
    finally:
        server.start()


async def test_a_write_that_timed_out_is_cancelled_and_never_performed(server: Server) -> None:
    create = {"action": "create-task", "user_id": "locked", "payload": {"title": "Feed cat"}}
    blocker = await asyncpg.connect(server.url)
    async with service(server.url) as client:
        await send(client, create)
        async with blocker.transaction():
            await blocker.execute("SELECT FROM change_counts WHERE user_id = 'locked' FOR UPDATE")
            answers = await asyncio.gather(*(send(client, create) for _ in range(8)))
            assert {answer.status_code for answer in answers} == {503}
            assert await blocker.fetchval(_WAITING) == 0
    assert await blocker.fetchval("SELECT count(*) FROM tasks WHERE user_id = 'locked'") == 1
    await blocker.close()


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


async def test_a_burst_on_a_cold_service_opens_no_more_than_one_pool(server: Server) -> None:
    for _ in range(100):
        if not await connections(server.url):
            break
        await asyncio.sleep(0.05)
    async with service(server.url) as client:
        assert await send_many(client, 200) == {200: 200}
        assert await connections(server.url) <= 10


async def test_every_command_that_is_retried_through_two_crashes_happens_exactly_once(
    server: Server, figure: Figure
) -> None:
    retries = Counter[str]()

    async def create(client: AsyncClient, key: str) -> None:
        command = {"action": "create-task", "user_id": "crash", "payload": {"title": key}}
        while (await send(client, command, key)).status_code != 200:
            retries[key] += 1
            await asyncio.sleep(0.05)

    async def client_loop(client: AsyncClient, number: int) -> None:
        for attempt in range(60):
            await create(client, f"{number}-{attempt}")

    async with service(server.url) as client:
        clients = [asyncio.create_task(client_loop(client, number)) for number in range(10)]
        for _ in range(2):
            await asyncio.sleep(0.4)
            await asyncio.to_thread(server.signal, signal.SIGKILL)
            await asyncio.to_thread(server.start)
        await asyncio.gather(*clients)
    admin = await asyncpg.connect(server.url)
    titles = [
        r["title"] for r in await admin.fetch("SELECT title FROM tasks WHERE user_id = 'crash'")
    ]
    changes = await admin.fetchval("SELECT count(*) FROM changes WHERE user_id = 'crash'")
    await admin.close()
    assert sorted(titles) == sorted(
        f"{number}-{attempt}" for number in range(10) for attempt in range(60)
    )
    assert changes == 600
    figure(f"600 writes acknowledged, {retries.total()} retries, 0 lost, 0 doubled")


def _through(proxy: Proxy, server: Server) -> str:
    parts = urlsplit(server.url)
    return urlunsplit(parts._replace(netloc=f"postgres@127.0.0.1:{proxy.port}", query=""))
