import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from uuid import uuid4

import asyncpg
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from app import __version__
from app.commands.registry import commands
from app.config import Settings
from app.database import Database
from app.doors import DOORS
from app.main import create_app
from tests.support.databases import clone_statement, named

UNHEALTHY = {"status": "unhealthy", "database": "disconnected"}
SERVICE = {"status": "healthy", "service": "task-manager-api", "version": __version__}


@asynccontextmanager
async def serving(database_url: str) -> AsyncIterator[tuple[FastAPI, AsyncClient]]:
    app = create_app(Settings(database_url=database_url, log_level="ERROR", database_pool_size=2))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
    ):
        yield app, client


async def probed_at(connection: "asyncpg.Connection[asyncpg.Record]") -> datetime:
    instant: datetime = await connection.fetchval("""
        SELECT max(query_start) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'task-manager-api'
    """)
    return instant


async def test_index_tells_what_can_be_done(client: AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.json() == {
        "name": "Task Manager API",
        "version": __version__,
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/health",
        "doors": [door.name for door in DOORS],
        "actions": [action.name for action in commands()],
    }


async def test_links_of_the_index_lead_somewhere(client: AsyncClient) -> None:
    index = (await client.get("/")).json()
    for link in ("docs", "openapi", "health"):
        assert (await client.get(index[link])).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
async def test_service_with_a_database_is_healthy(live_client: AsyncClient, path: str) -> None:
    answer = await live_client.get(path)
    assert answer.status_code == 200
    body = answer.json()
    now = datetime.now(UTC)
    assert abs((datetime.fromisoformat(body.pop("timestamp")) - now).total_seconds()) < 5
    assert body == SERVICE


@pytest.mark.parametrize(
    "database_url",
    [
        pytest.param("postgresql://postgres@127.0.0.1:1/x", id="refused"),
        pytest.param("postgresql://postgres@/x?host=/nowhere", id="no such socket"),
    ],
)
async def test_without_a_database_it_is_unhealthy_but_alive(database_url: str) -> None:
    async with serving(database_url) as (_, client):
        for path in ("/health", "/health/ready"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (503, UNHEALTHY)
        assert (await client.get("/health/live")).status_code == 200


async def test_silent_database_is_given_up_after_half_a_second() -> None:
    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        serving(f"postgresql://postgres@127.0.0.1:{port}/x?sslmode=disable") as (_, client),
    ):
        started = monotonic()
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (503, UNHEALTHY)
        assert monotonic() - started < 1


async def test_becomes_healthy_within_a_second_of_the_database_coming(
    server_url: str, template: str
) -> None:
    name = f"late_{uuid4().hex}"
    admin = await asyncpg.connect(server_url)
    async with serving(named(server_url, name)) as (_, client):
        assert (await client.get("/health")).status_code == 503
        await admin.execute(clone_statement(name, template))
        await asyncio.sleep(1)
        assert (await client.get("/health")).status_code == 200
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.mark.alone
async def test_database_is_asked_at_most_once_a_second(database_url: str) -> None:
    observer = await asyncpg.connect(database_url)
    async with serving(database_url) as (_, client):
        await client.get("/health")
        first = await probed_at(observer)
        await asyncio.gather(*(client.get("/health") for _ in range(20)))
        await client.get("/health/ready")
        assert await probed_at(observer) == first
        await asyncio.sleep(1)
        await asyncio.gather(*(client.get("/health") for _ in range(20)))
        assert await probed_at(observer) > first
    await observer.close()


async def test_busy_pool_is_no_outage(database_url: str) -> None:
    async with serving(database_url) as (app, client), AsyncExitStack() as lent:
        for _ in range(app.state.resources[Settings].database_pool_size):
            await lent.enter_async_context(app.state.resources[Database].connection())
        assert (await client.get("/health")).status_code == 200
