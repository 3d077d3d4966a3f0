"""How large, how slow and how coded a body may be, and what it may begin with."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS
from tests.doors.test_user_tasks import bearer as user_bearer
from tests.support.accounts import NEW, bearer
from tests.support.contacts import HEADERS as PARTNER
from tests.support.contacts import USER
from tests.support.people import acting_for

COMMAND = {"action": "create-task", "user_id": "user_123", "payload": {"title": "Feed cat"}}
TASK = {"title": "Feed cat"}
DOORS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "/execute": (SERVICE_HEADERS, COMMAND),
    "/admin/service-keys": (ADMIN_HEADERS, {"key_name": "new-key", "environment": "dev"}),
    "/api/tasks": (acting_for("user_123"), TASK),
    "/api/user-api-keys": (acting_for("user_123"), {"api_key": "x" * 20}),
    "/api/v1/tasks": ({}, TASK),
    "/api/v1/auth/register": ({}, NEW),
    "/api/user_123/tasks": (user_bearer("user_123"), TASK),
    "/users": (PARTNER, USER),
}


@pytest.fixture
def post(client: AsyncClient, db: Connection) -> Any:
    """Posts what the door takes, its bytes changed by a function, with these headers too."""

    async def post(path: str, change: Any = bytes, **more: str) -> Response:
        headers, body = DOORS[path]
        if path == "/api/v1/tasks":
            headers = await bearer(db, "0199d1a8-7c1e-7b1f-9a53-2f6f0d6b7a11")
        request = client.build_request("POST", path, json=body, headers={**headers, **more})
        content = change(request.read())
        sent = {**headers, **more, "Content-Type": "application/json"}
        return await client.post(path, content=content, headers=sent)

    return post


@pytest.mark.parametrize("path", DOORS)
async def test_a_coded_body_is_415_and_told_which_codings_are_understood(
    post: Any, path: str
) -> None:
    for coding in ("gzip", "br", "identity, gzip", "unknown"):
        answer = await post(path, **{"Content-Encoding": coding})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
        assert "content coding" in str(answer.json())
    assert (await post(path, **{"Content-Encoding": "Identity"})).status_code < 300


@pytest.mark.parametrize("path", DOORS)
async def test_a_byte_order_mark_is_passed_over(post: Any, path: str) -> None:
    answer = await post(path, lambda body: b"\xef\xbb\xbf" + body)
    assert answer.status_code < 300
    again = await post(path, lambda body: b"\xef\xbb\xbf" * 2 + body)
    assert again.status_code in {400, 422}


async def _bytes(count: int, pause: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * 64 * 1024
        await asyncio.sleep(pause)


async def test_slow_body_is_408(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.body.BODY_SECONDS", 0.2)
    for pause in (0.05, 5):
        answer = await client.post("/execute", content=_bytes(10, pause), headers=SERVICE_HEADERS)
        assert (answer.status_code, list(answer.json())) == (408, ["detail"])
        assert answer.headers["connection"] == "close"


async def test_body_over_a_mebibyte_is_413(client: AsyncClient) -> None:
    for content in (b" " * (1024 * 1024 + 1), _bytes(17)):
        answer = await client.post("/execute", content=content, headers=SERVICE_HEADERS)
        assert (answer.status_code, list(answer.json())) == (413, ["detail"])


async def test_body_of_a_mebibyte_is_read(client: AsyncClient) -> None:
    envelope = b'{"action": "get-stats", "user_id": "user_123"}'
    answer = await client.post(
        "/execute",
        content=envelope.ljust(1024 * 1024),
        headers={**SERVICE_HEADERS, "Content-Type": "application/json"},
    )
    assert answer.status_code == 200
