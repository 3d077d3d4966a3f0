"""A batch counts against the key's limit as the commands that it has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx import AsyncClient, Response

from tests.conftest import SERVICE_HEADERS
from tests.doors.admin.test_keys import create as create_key
from tests.support.application import talking_to
from tests.support.batches import command, create, send_batch
from tests.support.options import send


@asynccontextmanager
async def limited(database_url: str, rate: str) -> AsyncIterator[AsyncClient]:
    """A client of an application with this limit for every key."""
    async with talking_to(database_url, execute_rate_limit=rate) as client:
        yield client


def standing(answer: Response) -> tuple[int, str]:
    """The status, and how many commands are left."""
    return answer.status_code, answer.headers["ratelimit"].split(";")[1]


def creates(number: int, prefix: str = "c") -> list[dict[str, object]]:
    return [create(f"{prefix}{n}") for n in range(number)]


@pytest.mark.parametrize("store", ["memory", "redis"])
async def test_a_batch_of_more_than_what_is_left_is_refused_whole(
    database_url: str, store: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("redis_server").url if store == "redis" else None
    async with talking_to(database_url, redis_url=url) as client:
        minted = await create_key(client, rate_limit="5/minute")
        key = {"X-Service-Key": minted.json()["service_key"]}
        passed = await send_batch(client, *creates(3), headers=key)
        assert standing(passed) == (200, "r=2")
        refused = await send_batch(client, *creates(3, "d"), headers=key)
        assert standing(refused) == (429, "r=1")
        assert refused.json() == {"detail": "Too many requests", "code": "too_many_requests"}
        assert refused.headers["retry-after"] == "60"
        assert (await send(client, "list-tasks", {})).json()["data"]["count"] == 3
        last = await send_batch(client, create("e"), headers=key)
        assert standing(last) == (200, "r=0")
        assert standing(await send_batch(client, create("f"), headers=key)) == (429, "r=0")


async def test_a_batch_of_more_than_the_limit_never_passes(database_url: str) -> None:
    async with limited(database_url, "3/minute") as client:
        assert standing(await send_batch(client, *creates(4))) == (429, "r=2")


async def test_commands_count_in_whatever_way_they_are_performed_and_whatever_comes_of_them(
    database_url: str,
) -> None:
    wrong = command("x", "create-task")
    async with limited(database_url, "13/minute") as client:
        answers = [
            await send_batch(client, *creates(3), dry_run=True),
            await send_batch(client, *creates(2), wrong, mode="independent"),
            await send_batch(client, *creates(2), wrong),
            await send_batch(client, *creates(2), command("x", "fly")),
        ]
        assert [standing(answer) for answer in answers] == [
            (200, "r=10"),
            (200, "r=7"),
            (400, "r=4"),
            (404, "r=1"),
        ]


async def test_what_is_no_batch_counts_as_one_command(database_url: str) -> None:
    async with limited(database_url, "9/minute") as client:
        broken = await client.post("/execute", content=b"{", headers=SERVICE_HEADERS)
        assert standing(broken) == (422, "r=8")
        assert standing(await send_batch(client)) == (400, "r=7")
        assert standing(await send_batch(client, *creates(101))) == (400, "r=6")


async def test_what_is_no_command_does_not_count(database_url: str) -> None:
    async with limited(database_url, "1/minute") as client:
        assert (await send(client, "get-stats", {})).status_code == 200
        assert (await send(client, "get-stats", {})).status_code == 429
        for path in ("/mood", "/mood.svg", "/stats", "/whoami", "/actions"):
            answer = await client.get(f"{path}?user_id=user_123", headers=SERVICE_HEADERS)
            assert answer.status_code == 200, path
