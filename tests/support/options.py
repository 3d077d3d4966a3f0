"""Commands with options, as clients send them."""

from typing import Any

from httpx import AsyncClient, Response

from tests.conftest import SERVICE_HEADERS


async def send(
    client: AsyncClient, action: str, payload: dict[str, Any], **options: Any
) -> Response:
    envelope = {"action": action, "user_id": "user_123", "payload": payload, "options": options}
    return await client.post("/execute", json=envelope, headers=SERVICE_HEADERS)


async def data(client: AsyncClient, action: str, payload: dict[str, Any], **options: Any) -> Any:
    answer = await send(client, action, payload, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
