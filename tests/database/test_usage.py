"""Every answer to a key is counted once, and written without a request having to wait."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

from app.database.usage import Usage
from app.errors import Unavailable
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, OPEN_DOORS, SERVICE_HEADERS
from tests.doors.admin.test_keys import create as create_key
from tests.support.application import talking_to
from tests.support.batches import command, create, send_batch
from tests.support.databases import SharedConnection

USED = "SELECT action, ok, refused, failed FROM key_usage ORDER BY action"


async def used(db: Connection) -> dict[str, tuple[int, ...]]:
    return {
        row["action"]: (row["ok"], row["refused"], row["failed"]) for row in await db.fetch(USED)
    }


async def send(client: AsyncClient, action: str, key: str = "", **payload: Any) -> Response:
    command = {"action": action, "user_id": "user_123", "payload": payload}
    headers = {"X-Service-Key": key} if key else SERVICE_HEADERS
    return await client.post("/execute", json=command, headers=headers)


async def test_answers_are_counted_by_action_and_outcome(
    client: AsyncClient, app: FastAPI, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    minted = (await create_key(client)).json()
    key = {"X-Service-Key": minted["service_key"]}
    for payload in ({"title": "Feed cat"}, {"title": "Feed cat"}, {}):
        await send(client, "create-task", minted["service_key"], **payload)
    await send(client, "fly", minted["service_key"])
    await client.post("/execute", content=b"{broken", headers=key)
    await client.get("/stats?user_id=u", headers=key)

    async def fail(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr("app.services.stats.count_tasks", fail)
        assert (await send(client, "get-stats", minted["service_key"])).status_code == 503
    await app.state.resources[Usage].flush()
    answer = await client.get(f"/admin/service-keys/{minted['id']}", headers=ADMIN_HEADERS)
    today = datetime.now(UTC).date().isoformat()
    assert answer.json()["usage"] == [
        {"day": today, "action": action, "ok": ok, "refused": refused, "failed": failed}
        for action, ok, refused, failed in (
            ("/execute", 0, 1, 0),
            ("/stats", 1, 0, 0),
            ("create-task", 2, 1, 0),
            ("get-stats", 0, 0, 1),
            ("unknown", 0, 1, 0),
        )
    ]


async def test_a_request_without_a_valid_key_counts_nowhere(
    client: AsyncClient, app: FastAPI, db: Connection
) -> None:
    assert (await send(client, "get-stats", "sk_dev_unknown")).status_code == 401
    assert (await client.get("/admin/service-keys", headers=ADMIN_HEADERS)).status_code == 200
    assert (await client.get("/health")).status_code == 200
    await app.state.resources[Usage].flush()
    assert await used(db) == {}


async def test_commands_of_a_batch_count_beside_it_as_if_sent_alone(
    client: AsyncClient, app: FastAPI, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing, stats = command("gone", "get-task", task_id=str(MISSING_ID)), command("s", "get-stats")
    await send_batch(client, create("a"), create("b"), missing, mode="independent")
    await send_batch(client, create("a"), create("c"))
    await send_batch(client, create("d"), create("e"), dry_run=True)
    await send_batch(client, create("f"), missing)  # nothing was done, and nothing is counted

    async def fail(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr("app.services.stats.count_tasks", fail)
        await send_batch(client, stats, create("g"), mode="independent")
    await app.state.resources[Usage].flush()
    assert await used(db) == {
        "batch": (4, 1, 0),
        "create-task": (7, 0, 0),
        "get-stats": (0, 0, 1),
        "get-task": (0, 1, 0),
    }


async def test_nothing_is_written_when_nothing_happened(
    client: AsyncClient, app: FastAPI, db: Connection
) -> None:
    await send(client, "get-stats")
    usage = app.state.resources[Usage]
    await usage.flush()
    asked: list[str] = []
    db.add_query_logger(note := lambda query: asked.append(query.query))
    await usage.flush()
    assert asked == []
    await send(client, "get-stats")
    await usage.flush()
    db.remove_query_logger(note)
    assert len([text for text in asked if "key_usage" in text]) == 1


async def test_what_could_not_be_written_is_written_later(
    client: AsyncClient, app: FastAPI, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = app.state.resources[Usage]
    await send(client, "get-stats")

    def away(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(SharedConnection, "connection", away)
        with pytest.raises(Unavailable):
            await usage.flush()
    await send(client, "get-stats")
    await usage.flush()
    assert await used(db) == {"get-stats": (2, 0, 0)}


async def test_two_workers_that_end_have_counted_every_command(database_url: str) -> None:
    sent: Counter[str] = Counter()

    async def work(client: AsyncClient) -> None:
        for number in range(40):
            action = ("create-task", "list-tasks", "get-stats", "get-task", "fly")[number % 5]
            payload = {"title": "Feed cat"} if action == "create-task" else {}
            answer = await send(client, action, **payload)
            name = "unknown" if action == "fly" else action
            sent[f"{name} {'ok' if answer.status_code == 200 else 'refused'}"] += 1

    async with (
        talking_to(database_url, **OPEN_DOORS) as one,
        talking_to(database_url, **OPEN_DOORS) as other,
    ):
        await asyncio.gather(*(work(client) for client in (one, other, one, other)))
    db = await asyncpg.connect(database_url)
    counted = {
        f"{action} {outcome}": count
        for action, outcomes in (await used(db)).items()
        for outcome, count in zip(("ok", "refused", "failed"), outcomes, strict=True)
        if count
    }
    await db.close()
    assert counted == sent
    assert sum(counted.values()) == 160


async def test_it_is_written_every_few_seconds(database_url: str) -> None:
    db = await asyncpg.connect(database_url)
    async with talking_to(database_url, **OPEN_DOORS) as client:
        await send(client, "get-stats")
        for _ in range(60):
            await asyncio.sleep(0.1)
            if await used(db):
                break
        assert await used(db) == {"get-stats": (1, 0, 0)}
    await db.close()
