"""Batches as clients send them."""

from typing import Any

from httpx import AsyncClient, Response

from tests.conftest import SERVICE_HEADERS

Command = dict[str, Any]


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
