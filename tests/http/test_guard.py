"""What a door that answers in sentences says of a request that is wrong."""

import asyncio
import time
from uuid import uuid4

import asyncpg
import pytest
from httpx import AsyncClient

from app.database.deadline import DEADLINE
from app.services import Connection
from tests.support.accounts import bearer, serving


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is not valid JSON: Expecting value"),
        (b"\xff", "The body is not valid UTF-8"),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
        (b'{"email": 5}', "email: Input should be a valid string; password: Field required"),
    ],
)
async def test_sentence_names_the_fields_where_it_is_about_fields(
    client: AsyncClient, body: bytes, sentence: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/api/v1/auth/login", content=body, headers=headers)
    told = {"detail": sentence, "code": "invalid_payload"}
    assert (answer.status_code, answer.json()) == (400, told)


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_body_that_does_not_say_it_is_json_is_told_so(
    client: AsyncClient, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await client.post("/api/v1/auth/login", content=b"{}", headers=headers)
    sentence = "content-type: Content-Type must be application/json"
    told = {"detail": sentence, "code": "invalid_payload"}
    assert (answer.status_code, answer.json()) == (400, told)


async def test_all_statements_of_a_request_share_one_deadline(database_url: str) -> None:
    """The list waits for the tasks first, then for their categories."""
    blockers: list[Connection] = [await asyncpg.connect(database_url) for _ in range(2)]
    async with serving(database_url) as client:
        headers = await bearer(blockers[0], str(uuid4()))
        for blocker, table in zip(blockers, ("tasks", "task_categories"), strict=True):
            await blocker.execute(f"BEGIN; LOCK TABLE {table}")
        started = time.monotonic()
        listing = asyncio.create_task(client.get("/api/v1/tasks", headers=headers))
        await asyncio.sleep(3)
        await blockers[0].execute("COMMIT")
        assert (await listing).status_code == 503
        assert 3 < time.monotonic() - started < DEADLINE + 0.6
    for blocker in blockers:
        await blocker.close()
