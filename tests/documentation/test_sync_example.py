"""The reference client of `docs/api.md` over a line that drops, cuts and goes away."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from app.services.keys import DEVELOPMENT_KEY
from examples.sync import SyncedTasks
from tests.support.proxy import Proxy
from tests.support.service import running

_SHOWN = """
SELECT id::text, title, status, priority FROM tasks
WHERE user_id = 'user_123' AND deleted_at IS NULL
"""


class Lossy(Proxy):
    """Passes requests on, and now and then cuts the line before the answer comes through."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self._chance = random.Random(7)
        self.lost = 0

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if data.startswith(b"HTTP/1.1") and self._chance.random() < 0.25:
                    self.lost += 1
                    return sink.transport.abort()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def lossy_line(database_url: str) -> AsyncIterator[Lossy]:
    settings = {"DATABASE_URL": database_url, "LOG_LEVEL": "ERROR"}
    with running("serve", **settings) as (url, _):
        port = urlsplit(url).port
        assert port is not None
        async with Lossy(port) as proxy:
            yield proxy


async def sync(client: Any) -> None:
    """As an application does: again and again until it is through."""
    for _ in range(200):
        with suppress(OSError, HTTPException):
            return await asyncio.to_thread(client.sync)
        await asyncio.sleep(0.01)
    raise AssertionError("never came through")


async def edit(client: Any, chance: random.Random, number: int) -> None:
    """A few changes, some of which fail because another client was faster."""
    client.change("create-task", title=f"Task {number}")
    for task_id in chance.sample(sorted(client.tasks), min(3, len(client.tasks))):
        changes: list[tuple[str, dict[str, Any]]] = [
            ("update-task", {"status": "completed"}),
            ("update-task", {"title": f"Changed {number}"}),
            ("delete-task", {"permanent": bool(number % 2)}),
        ]
        action, payload = chance.choice(changes)
        client.change(action, task_id=task_id, **payload)


async def test_the_reference_client_ends_with_the_state_of_the_server(database_url: str) -> None:
    chance = random.Random(5)
    async with lossy_line(database_url) as line:
        address = f"http://127.0.0.1:{line.port}"
        clients = [SyncedTasks(address, DEVELOPMENT_KEY, "user_123") for _ in range(2)]
        for number in range(12):
            client = clients[number % 2]
            await edit(client, chance, number)
            if number == 6:
                line.go_away()
                with suppress(OSError, HTTPException):
                    await asyncio.to_thread(client.sync)
                assert client.queue
                await line.come_back()
            await sync(client)
        for client in clients:
            await sync(client)
        assert line.lost > 5
    db = await asyncpg.connect(database_url)
    stored = {row["id"]: tuple(row) for row in await db.fetch(_SHOWN)}
    created = await db.fetchval("SELECT count(*) FROM changes WHERE operation = 'created'")
    await db.close()
    assert created == 12
    for client in clients:
        shown = {
            task_id: (task_id, task["title"], task["status"], task["priority"])
            for task_id, task in client.tasks.items()
        }
        assert shown == stored
