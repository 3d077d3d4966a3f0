from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import AsyncClient, Response

from tests.support.contacts import HEADERS, USER

Ask = Callable[..., Awaitable[Response]]


@pytest.fixture
def ask(client: AsyncClient) -> Ask:
    """Sends a request with the key."""

    async def ask(method: str, path: str, body: object = None, **options: Any) -> Response:
        return await client.request(method, path, json=body, headers=HEADERS, **options)

    return ask


@pytest.fixture
async def user_id(ask: Ask) -> str:
    user_id: str = (await ask("POST", "/users", USER)).json()["id"]
    return user_id
