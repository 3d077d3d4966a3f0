"""Service and database are killed amid atomic batches: each batch is there whole, or not at all."""

import asyncio
import os
import signal
from collections.abc import Iterator
from itertools import count
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient, HTTPError

from tests.conftest import Figure
from tests.support import cluster
from tests.support.batches import command, create, ref, send_batch
from tests.support.postgres import Server
from tests.support.service import running

SIZE = 10
WRITERS = 3


@pytest.fixture
def server() -> Iterator[Server]:
    with cluster.place() as folder:
        server = Server.migrated(folder / "postgres")
        yield server
        server.stop()


def batch(user: str, number: int) -> list[dict[str, Any]]:
    """Creations and the completion of each, which no pipeline takes in one."""
    commands = []
    for place in range(SIZE):
        key = f"{user}-{number}-{place}"
        commands.append(create(key, f"{number}-{place}"))
        done = command(f"{key}-done", "update-task", task_id=ref(key), status="completed")
        commands.append(done)
    return commands


class Writer:
    """One user's queue: sends batches until told to stop, and notes which were acknowledged."""

    def __init__(self, user: str) -> None:
        self.user, self.sent = user, 0
        self.acknowledged: set[int] = set()

    async def write(self, client: AsyncClient, stopped: asyncio.Event) -> None:
        for number in count(self.sent):
            if stopped.is_set():
                return
            self.sent = number + 1
            await self.send(client, number)
            if number not in self.acknowledged:
                await asyncio.sleep(0.1)

    async def send(self, client: AsyncClient, number: int) -> None:
        try:
            answer = await send_batch(client, *batch(self.user, number), user_id=self.user)
        except HTTPError:
            return
        assert answer.status_code in (200, 409, 503), answer.text
        if answer.status_code == 200:
            self.acknowledged.add(number)


async def rows_of(db: Any, user: str) -> dict[int, int]:
    """How many tasks, all of them completed, there are of each batch."""
    rows = await db.fetch(
        "SELECT split_part(title, '-', 1)::int AS number, count(*), "
        "count(*) FILTER (WHERE status = 'completed') AS completed "
        "FROM tasks WHERE user_id = $1 GROUP BY 1",
        user,
    )
    assert all(row["count"] == row["completed"] for row in rows)
    return {row["number"]: row["count"] for row in rows}


async def check(server: Server, writers: list[Writer], *, whole: bool) -> None:
    db = await asyncpg.connect(server.url)
    for writer in writers:
        found = await rows_of(db, writer.user)
        assert set(found.values()) <= {SIZE}
        expected = set(range(writer.sent)) if whole else writer.acknowledged
        assert expected <= found.keys()
        keys = await db.fetchval("SELECT count(*) FROM replays WHERE user_id = $1", writer.user)
        sequences = await db.fetch(
            "SELECT sequence FROM changes WHERE user_id = $1 ORDER BY sequence", writer.user
        )
        assert keys == 2 * SIZE * len(found)
        assert [row[0] for row in sequences] == list(range(1, keys + 1))
    await db.close()


async def test_each_atomic_batch_is_there_whole_or_not_at_all(
    server: Server, figure: Figure
) -> None:
    writers = [Writer(f"user-{number}") for number in range(WRITERS)]
    settings = {"DATABASE_URL": server.url, "LOG_LEVEL": "ERROR"}
    with running("dev", "--no-reload", **settings) as (url, process):
        async with AsyncClient(base_url=url, timeout=10) as client:
            stopped = asyncio.Event()
            writing = [asyncio.create_task(one.write(client, stopped)) for one in writers]
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.signal, signal.SIGKILL)
            await asyncio.to_thread(server.start)
            await asyncio.sleep(0.5)
            os.killpg(process.pid, signal.SIGKILL)
            stopped.set()
            await asyncio.gather(*writing)
    await check(server, writers, whole=False)
    with running("dev", "--no-reload", **settings) as (url, _):
        async with AsyncClient(base_url=url, timeout=30) as client:
            for writer in writers:
                for number in range(writer.sent):
                    while number not in writer.acknowledged:
                        await writer.send(client, number)
    await check(server, writers, whole=True)
    sent = sum(writer.sent for writer in writers)
    figure(f"{sent} batches through two kills: none in part, none lost, none twice")
