"""PgBouncer in transaction mode between the application and the database changes nothing.

It does not track prepared statements, so the application keeps none; what becomes of statements
elsewhere is in test_poolers.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient

from app.config import Settings
from app.database import migrations
from app.main import create_app
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS, Figure
from tests.database.test_migrations import _SCHEMA, REVISIONS, column
from tests.support.databases import named, run_statements
from tests.support.pgbouncer import Pooler, pooler, pytestmark
from tests.system.test_faults import assert_recovers, send, send_many

__all__ = ["pooler", "pytestmark"]

WRITERS = 20
_TABLES = ("tasks", "changes", "change_counts", "replays", "service_api_keys")


@asynccontextmanager
async def service(url: str, **settings: Any) -> AsyncIterator[AsyncClient]:
    app = create_app(Settings(database_url=url, log_level="ERROR", **settings))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://test", timeout=30) as client,
    ):
        yield client


@pytest.fixture
async def client(pooler: Pooler, database_url: str) -> AsyncIterator[AsyncClient]:
    """Talks to an application behind the pooler, on a database of the test's own."""
    async with service(pooler.url(database_url)) as client:
        yield client


async def perform(client: AsyncClient, action: str, **payload: Any) -> Any:
    command = {"action": action, "user_id": "user_123", "payload": payload}
    answer = await send(client, command)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_all_six_actions_work(client: AsyncClient) -> None:
    task = await perform(client, "create-task", title="Feed cat")
    changed = await perform(client, "update-task", task_id=task["id"], status="completed")
    assert await perform(client, "get-task", task_id=task["id"]) == changed
    assert (await perform(client, "list-tasks"))["tasks"] == [changed]
    assert (await perform(client, "get-stats"))["completed_tasks"] == 1
    assert (await perform(client, "delete-task", task_id=task["id"]))["deleted_id"] == task["id"]
    assert (await perform(client, "list-tasks"))["count"] == 0


async def test_twenty_at_once_with_one_key_have_one_effect(
    client: AsyncClient, database_url: str
) -> None:
    command = {"action": "create-task", "user_id": "user_123", "payload": {"title": "Feed cat"}}
    answers = await asyncio.gather(
        *(send(client, command, "1732190000000-k3j9x") for _ in "x" * 20)
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (200, answers[0].content)
    }
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 19
    counts = "SELECT count(*)::text FROM tasks UNION ALL SELECT count(*)::text FROM changes"
    assert await column(database_url, counts) == ["1", "1"]


async def test_fifty_creations_of_one_name_give_one_key(client: AsyncClient) -> None:
    body = {"key_name": "cat-house", "environment": "prod"}
    answers = await asyncio.gather(
        *(client.post("/admin/service-keys", json=body, headers=ADMIN_HEADERS) for _ in range(50))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 49}


async def test_ten_rotations_of_one_name_all_succeed(client: AsyncClient) -> None:
    body = {"key_name": "cat-house", "environment": "prod"}
    created = await client.post("/admin/service-keys", json=body, headers=ADMIN_HEADERS)
    rotations = await asyncio.gather(
        *(
            client.post("/admin/rotate-key", json={"key_name": "cat-house"}, headers=ADMIN_HEADERS)
            for _ in range(10)
        )
    )
    assert {answer.status_code for answer in rotations} == {200}
    keys = {created.json()["service_key"], *(answer.json()["new_key"] for answer in rotations)}
    assert len(keys) == 11
    for key in keys:
        assert (await client.get("/actions", headers={"X-Service-Key": key})).status_code == 200


async def test_it_is_ready(client: AsyncClient) -> None:
    assert (await client.get("/health/ready")).status_code == 200


@pytest.mark.alone
async def test_two_hundred_requests_share_five_connections(
    client: AsyncClient, database_url: str, figure: Figure
) -> None:
    started = time.monotonic()
    assert await send_many(client, 200) == {200: 200}
    figure(f"200 requests over 5 connections in {time.monotonic() - started:.2f} s")
    backends = """
        SELECT count(*)::text FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'task-manager-api'
    """
    assert 1 <= int((await column(database_url, backends))[0]) <= 5


def test_migrations_run_through_it_from_empty_to_head(
    server_url: str, shared_url: str, pooler: Pooler
) -> None:
    name = f"pooled_{uuid4().hex}"
    direct = named(server_url, name)
    run_statements(server_url, f"CREATE DATABASE {name} TEMPLATE template0")
    for _ in range(2):
        migrations.upgrade(pooler.url(direct))
        revision = asyncio.run(column(direct, "SELECT version_num FROM alembic_version"))
        assert revision == [REVISIONS[0]]
        schema = asyncio.run(column(direct, _SCHEMA))
        assert schema == asyncio.run(column(shared_url, _SCHEMA))
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def write_until(done: asyncio.Event, client: AsyncClient, number: int) -> Counter[int]:
    """The statuses of what one writer was told meanwhile."""
    statuses = Counter[int]()

    async def told(action: str, key: str = "", **payload: Any) -> Any:
        command = {"action": action, "user_id": f"user-{number}", "payload": payload}
        answer = await send(client, command, key)
        statuses[answer.status_code] += 1
        return answer.json().get("data") or {}

    while not done.is_set():
        task = await told("create-task", title="Feed cat")
        await told("create-task", key=uuid4().hex, title="Feed cat")
        if task:
            await told("update-task", task_id=task["id"], status="completed")
            await told("get-task", task_id=task["id"])
        await told("list-tasks", priority="high")
    return statuses


async def add_columns(url: str) -> None:
    admin = await asyncpg.connect(url)
    for table in _TABLES:
        await asyncio.sleep(0.3)
        await admin.execute(f"ALTER TABLE {table} ADD COLUMN extra text")
    await asyncio.sleep(0.5)
    await admin.close()


@pytest.mark.parametrize("way", ["pooled", "direct"])
async def test_a_migration_that_adds_columns_fails_no_request(
    pooler: Pooler, database_url: str, figure: Figure, way: str
) -> None:
    url = pooler.url(database_url) if way == "pooled" else database_url
    done = asyncio.Event()
    async with service(url) as client:
        writers = [
            asyncio.create_task(write_until(done, client, number)) for number in range(WRITERS)
        ]
        await add_columns(database_url)
        done.set()
        statuses = sum(await asyncio.gather(*writers), Counter[int]())
        listed = await client.get("/admin/service-keys", headers=ADMIN_HEADERS)
        actions = await client.get("/actions", headers=SERVICE_HEADERS)
    assert statuses.keys() == {200}
    assert (listed.status_code, actions.status_code) == (200, 200)
    figure(f"{statuses.total()} requests while {len(_TABLES)} tables grew, 0 failed")


async def test_a_restarted_pooler_is_503_and_then_works_again(
    pooler: Pooler, client: AsyncClient, figure: Figure
) -> None:
    assert await send_many(client) == {200: 20}
    pooler.stop(signal.SIGKILL)
    try:
        assert await send_many(client) == {503: 20}
        await asyncio.sleep(1)
        assert (await client.get("/health/ready")).status_code == 503
    finally:
        pooler.start()
    await assert_recovers(client, figure)
