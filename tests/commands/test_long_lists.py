"""Lists of many pages: whole, bounded in memory, honest when they break."""

import asyncio
import json
from collections import Counter
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from httpx import AsyncClient

from app.commands.registry import ACTION_HANDLERS
from app.services import Connection
from tests.conftest import SERVICE_HEADERS, Execute, Figure
from tests.services.test_task_lists import fill
from tests.support.service import BY_ITSELF, running

LISTING = {"action": "list-tasks", "user_id": "user_123"}
TASKS = 10_000


@pytest.fixture
async def filled_url(database_url: str) -> str:
    """A database in which user_123 has ten thousand tasks."""
    db = await asyncpg.connect(database_url)
    await fill(db, TASKS)
    await db.close()
    return database_url


async def test_a_long_list_is_one_answer_like_any_other(db: Connection, execute: Execute) -> None:
    await fill(db, 1234)
    answer = await execute("list-tasks")
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["success", "data", "error", "timestamp"]
    assert list(body["data"]) == ["tasks", "count"]
    assert body["data"]["count"] == len({task["id"] for task in body["data"]["tasks"]}) == 1234


async def test_the_registry_answers_a_long_list_whole(db: Connection) -> None:
    await fill(db, 1234)
    found: Any = await ACTION_HANDLERS["list-tasks"]("user_123", {}, db)
    assert found["count"] == len(found["tasks"]) == 1234


async def test_ten_long_lists_at_once_take_less_than_twenty_megabytes(
    filled_url: str, figure: Figure
) -> None:
    with running("serve", command=BY_ITSELF, DATABASE_URL=filled_url, SHUTDOWN_DELAY="0") as (
        url,
        process,
    ):
        worker = psutil.Process(process.pid).children()[0]
        async with httpx.AsyncClient(base_url=url, headers=SERVICE_HEADERS, timeout=30) as client:
            (
                await client.post("/execute", json={**LISTING, "user_id": "nobody"})
            ).raise_for_status()
            before = most = worker.memory_info().rss
            lists = asyncio.gather(*(count_tasks(client) for _ in range(10)))
            while not lists.done():
                most = max(most, worker.memory_info().rss)
                await asyncio.sleep(0.005)
    assert Counter(lists.result()) == {TASKS: 10}
    figure(f"{(most - before) / 1e6:.1f} MB more than before")
    assert most - before < 20e6


async def count_tasks(client: AsyncClient) -> int:
    answer = await client.post("/execute", json=LISTING)
    count: int = json.loads(answer.content)["data"]["count"]
    return count


async def test_a_list_that_breaks_off_is_no_complete_answer(database_url: str) -> None:
    db = await asyncpg.connect(database_url)
    await fill(db, 2000)
    # More than the sockets between hold, so that the end is fetched only while the client reads.
    await db.execute("UPDATE tasks SET description = repeat('meow ', 4000)")
    with running("serve", command=BY_ITSELF, DATABASE_URL=database_url, SHUTDOWN_DELAY="0") as (
        url,
        _,
    ):
        async with (
            httpx.AsyncClient(base_url=url, headers=SERVICE_HEADERS, timeout=30) as client,
            client.stream("POST", "/execute", json=LISTING) as answer,
        ):
            assert answer.status_code == 200
            parts = answer.aiter_raw(16_384)
            await anext(parts)
            await db.execute("ALTER TABLE tasks RENAME TO gone")
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in parts:
                    pass
        assert httpx.get(f"{url}/health/live").status_code == 200
    await db.close()
