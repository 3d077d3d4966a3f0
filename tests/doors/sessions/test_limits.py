"""100 reads and 30 writes a minute, for each person, whatever the credential."""

import asyncio
from collections import Counter
from time import time

import asyncpg
import pytest
from httpx import AsyncClient

from tests.conftest import OPEN_DOORS
from tests.support.application import talking_to
from tests.support.people import Headers, acting_for, start_session


async def send(client: AsyncClient, method: str, headers: Headers) -> int:
    json = {"title": "Feed cat"} if method == "POST" else None
    return (await client.request(method, "/api/tasks", json=json, headers=headers)).status_code


@pytest.mark.alone
@pytest.mark.parametrize("store", ["memory", "redis"])
async def test_of_200_parallel_requests_exactly_100_reads_and_30_writes_pass(
    database_url: str, store: str, request: pytest.FixtureRequest
) -> None:
    redis_url = request.getfixturevalue("redis_server").url if store == "redis" else None
    async with talking_to(database_url, **OPEN_DOORS, redis_url=redis_url) as client:
        headers = acting_for("user_123")
        reads, writes = (["GET"] * 130, ["POST"] * 70)
        sent = reads + writes
        statuses = await asyncio.gather(*(send(client, method, headers) for method in sent))
        counts = Counter(zip(sent, statuses, strict=True))
        assert counts == {
            ("GET", 200): 100,
            ("GET", 429): 30,
            ("POST", 201): 30,
            ("POST", 429): 40,
        }
        assert await send(client, "GET", acting_for("another")) == 200


async def test_a_session_and_a_service_share_the_limit_of_their_user(database_url: str) -> None:
    db = await asyncpg.connect(database_url)
    session = await start_session(db, "ann")
    await db.close()
    async with talking_to(database_url, **OPEN_DOORS) as client:
        statuses = [
            await send(client, "POST", session if number % 2 else acting_for("ann"))
            for number in range(32)
        ]
    assert statuses == [201] * 30 + [429] * 2


async def test_every_answer_tells_how_the_user_stands(database_url: str) -> None:
    async with talking_to(database_url, **OPEN_DOORS) as client:
        headers = acting_for("ann")
        first = await client.post("/api/tasks", json={"title": "Feed cat"}, headers=headers)
        invalid = await client.post("/api/tasks", json={}, headers=headers)
        read = await client.get("/api/tasks", headers=headers)
        for _ in range(28):
            await client.post("/api/tasks", json={}, headers=headers)
        refused = await client.delete("/api/tasks/no-id", headers=headers)
    standings = [
        (answer.status_code, answer.headers["x-ratelimit-remaining"])
        for answer in (first, invalid, read, refused)
    ]
    assert standings == [(201, "29"), (422, "28"), (200, "99"), (429, "0")]
    assert (first.headers["x-ratelimit-limit"], read.headers["x-ratelimit-limit"]) == ("30", "100")
    assert 58 <= int(first.headers["x-ratelimit-reset"]) - time() <= 61
    assert refused.json() == {"detail": "Too many requests", "code": "too_many_requests"}
    assert 58 <= int(refused.headers["retry-after"]) <= 60


async def test_web_clients_may_read_how_they_stand(database_url: str) -> None:
    async with talking_to(database_url, **OPEN_DOORS) as client:
        headers = {**acting_for("ann"), "Origin": "http://localhost:3000"}
        answer = await client.get("/api/tasks", headers=headers)
    exposed = answer.headers["access-control-expose-headers"]
    assert {"X-RateLimit-Remaining", "Retry-After"} <= set(exposed.split(", "))
