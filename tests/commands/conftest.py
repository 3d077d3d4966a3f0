from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from httpx import AsyncClient, Response

from tests.conftest import SERVICE_HEADERS

JSON = {**SERVICE_HEADERS, "Content-Type": "application/json"}
Send = Callable[..., Awaitable[Response]]


@pytest.fixture
def send(client: AsyncClient) -> Send:
    """Posts these bytes with the development key."""

    async def send(content: bytes | AsyncIterator[bytes], headers: Any = JSON) -> Response:
        return await client.post("/execute", content=content, headers=headers)

    return send
