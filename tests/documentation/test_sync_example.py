"""The reference client of `docs/api.md` over a line that drops, cuts and goes away."""

import asyncio
import random
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.services.keys import DEVELOPMENT_KEY
from examples.sync import Refused, SyncedTasks
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS
from tests.documentation.conftest import Served
from tests.support.proxy import Proxy

_SHOWN = ["tags", "updated_at", "version"]
_COUNT_CREATED = """
SELECT count(*) FROM changes WHERE operation = 'created' AND user_id = 'user_123'
"""
_FORGET = "DELETE FROM changes WHERE user_id = 'decided'"


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


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def sync(client: Any) -> None:
    """As an application does: again and again until it is through."""
    for _ in range(200):
        with suppress(OSError, HTTPException):
            return await asyncio.to_thread(client.sync)
        await asyncio.sleep(0.01)
    raise AssertionError("never came through")


async def edit(client: Any, chance: random.Random, number: int) -> None:
    """A few changes, some of which fail because another client was faster."""
    due_date = f"2026-12-01T08:00:{number:02}+02:00"
    client.change("create-task", title=f"Task {number}", tags=[f"tag {number}"], due_date=due_date)
    for task_id in chance.sample(sorted(client.tasks), min(3, len(client.tasks))):
        changes: list[tuple[str, dict[str, Any]]] = [
            ("update-task", {"status": "completed"}),
            ("update-task", {"title": f"Changed {number}"}),
            ("delete-task", {"permanent": bool(number % 2)}),
        ]
        action, payload = chance.choice(changes)
        client.change(action, task_id=task_id, **payload)


async def shown(url: str, user_id: str) -> dict[str, Any]:
    """The user's tasks as the service shows them, with all that it shows of a task."""
    command = {"action": "list-tasks", "user_id": user_id, "options": {"include": _SHOWN}}
    async with httpx.AsyncClient(trust_env=False, headers=SERVICE_HEADERS) as http:
        answer = await http.post(f"{url}/execute", json=command)
    return {task["id"]: task for task in answer.json()["data"]["tasks"]}


async def test_the_reference_client_ends_with_the_state_of_the_server(served: Served) -> None:
    chance = random.Random(5)
    async with Lossy(port_of(served.url)) as line:
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
        clients.append(SyncedTasks(address, DEVELOPMENT_KEY, "user_123"))
        for client in clients:
            await sync(client)
        assert line.lost > 5
    stored = await shown(served.url, "user_123")
    assert stored
    for client in clients:
        assert client.tasks == stored
    db = await asyncpg.connect(served.database_url)
    assert await db.fetchval(_COUNT_CREATED) == 12
    await db.close()


async def new_key(url: str, **members: Any) -> str:
    """A new service key."""
    async with httpx.AsyncClient(trust_env=False, headers=ADMIN_HEADERS) as http:
        body = {"key_name": uuid4().hex, "environment": "dev", **members}
        answer = await http.post(f"{url}/admin/service-keys", json=body)
    key: str = answer.json()["service_key"]
    return key


@pytest.mark.parametrize("status", [401, 403, 404, 413])
async def test_a_client_that_is_refused_keeps_what_is_queued(served: Served, status: int) -> None:
    user_id = f"refused_{status}"
    client = SyncedTasks(served.url, DEVELOPMENT_KEY, user_id)
    for number in range(3):
        client.change("create-task", title=f"Offline {number}")
    queued = list(client.queue)
    match status:
        case 401:
            client.key = "sk_dev_" + "x" * 43
        case 403:
            client.key = await new_key(served.url, scopes=["tasks:read"])
        case 404:
            client.url = f"{served.url}/elsewhere"
        case 413:
            client.queue.insert(0, ("create-task", {"title": "x" * 2**20}, {}))
    with pytest.raises(Refused, match=str(status)):
        await asyncio.to_thread(client.sync)
    assert client.queue[-3:] == queued
    client.url, client.key, client.queue = served.url, DEVELOPMENT_KEY, queued
    await asyncio.to_thread(client.sync)
    assert client.queue == []
    titles = [task["title"] for task in (await shown(served.url, user_id)).values()]
    assert sorted(titles) == ["Offline 0", "Offline 1", "Offline 2"]


class Noting(SyncedTasks):
    """Notes what became of each command."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.told: list[str] = []

    def _send(self, action: str, *arguments: Any, **options: Any) -> Any:
        answer = super()._send(action, *arguments, **options)
        self.told.append(answer.get("code") or ("done" if "data" in answer else "malformed"))
        return answer


async def test_what_an_action_decides_holds_up_nothing_behind_it(served: Served) -> None:
    client = Noting(served.url, DEVELOPMENT_KEY, "decided")
    client.change("create-task", title="First")
    await asyncio.to_thread(client.sync)
    (task_id,) = client.tasks
    db = await asyncpg.connect(served.database_url)
    await db.execute(_FORGET)
    await db.close()
    client.told.clear()
    client.change("create-task", title="")
    client.change("update-task", task_id=str(uuid4()), title="Nowhere")
    client.change("update-task", task_id=task_id, title="Stale", expected_version=9)
    client.change("undo", sequence=1)
    client.change("create-task", title=float("nan"))
    client.change("create-task", title="Last")
    await asyncio.to_thread(client.sync)
    assert client.queue == []
    refusals = ["invalid_payload", "not_found", "version_conflict", "gone", "malformed"]
    assert client.told[:6] == [*refusals, "done"]
    assert sorted(task["title"] for task in client.tasks.values()) == ["First", "Last"]
