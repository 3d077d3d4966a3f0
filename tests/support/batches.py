"""Batches as clients send them."""

from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import SERVICE_HEADERS

Command = dict[str, Any]
each_mode = pytest.mark.parametrize("mode", ["atomic", "independent"])


def command(id: str, action: str, **payload: Any) -> Command:  # noqa: A002 - its name in the batch
    return {"id": id, "action": action, "payload": payload}


def create(id: str, title: str = "Feed cat", **fields: Any) -> Command:  # noqa: A002
    return command(id, "create-task", title=title, **fields)


def ref(id: str) -> dict[str, str]:  # noqa: A002
    return {"$ref": id}


async def send_batch(
    client: AsyncClient,
    *commands: Any,
    mode: str | None = None,
    user_id: str = "user_123",
    headers: dict[str, str] = SERVICE_HEADERS,
    **options: Any,
) -> Response:
    """Sends the commands in one batch."""
    payload = {"commands": list(commands)} | ({"mode": mode} if mode else {})
    envelope = {"action": "batch", "user_id": user_id, "payload": payload, "options": options}
    return await client.post("/execute", json=envelope, headers=headers)


async def send_alone(
    client: AsyncClient, one: Command, user_id: str = "user_123", **options: Any
) -> Response:
    """Sends one command by itself, with its id as idempotency key."""
    envelope = {
        "action": one["action"],
        "user_id": user_id,
        "payload": one["payload"],
        "options": {"idempotency_key": one["id"], **options},
    }
    return await client.post("/execute", json=envelope, headers=SERVICE_HEADERS)


async def titles(db: Connection) -> list[str]:
    return [row[0] for row in await db.fetch("SELECT title FROM tasks ORDER BY id")]


async def count(db: Connection, table: str) -> int:
    found: int = await db.fetchval(f"SELECT count(*) FROM {table}")
    return found
