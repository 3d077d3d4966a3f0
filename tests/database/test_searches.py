"""Searches: two at a time, a second each, and nobody else waits for them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

import asyncpg
import pytest
from httpx import AsyncClient, Response
from pydantic import SecretStr

from app.config import Settings
from app.database import Database
from app.database.searches import AT_ONCE, Searches
from app.errors import SearchTooLong
from app.services import Connection
from tests.conftest import SERVICE_HEADERS, Execute, TaskFactory
from tests.support.application import talking_to
from tests.support.replica import Pair, running_pair

TOO_LONG = "The search took longer than a second; narrow it, for example by a status or a due date"
TOO_MANY = "Too many searches at once, try again shortly"
_COUNT_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@asynccontextmanager
async def locked_tasks(database_url: str) -> AsyncIterator[Connection]:
    """Whoever reads tasks waits."""
    db = await asyncpg.connect(database_url)
    async with db.transaction():
        await db.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        yield db
    await db.close()


async def perform(client: AsyncClient, action: str, **payload: object) -> Response:
    command = {"action": action, "user_id": "user_123", "payload": payload}
    return await client.post("/execute", json=command, headers=SERVICE_HEADERS)


async def search(client: AsyncClient, **payload: object) -> Response:
    return await perform(client, "list-tasks", search="cat", **payload)


@pytest.mark.parametrize("page", [{}, {"limit": 10}, {"page": 1}])
async def test_a_search_that_takes_longer_than_a_second_is_503_and_says_so(
    live_client: AsyncClient, database_url: str, page: dict[str, int]
) -> None:
    async with locked_tasks(database_url):
        began = monotonic()
        answer = await search(live_client, **page)
        assert 0.9 < monotonic() - began < 3
    assert (answer.status_code, answer.json()["detail"]) == (503, TOO_LONG)
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["data"] is None
    assert (await search(live_client, **page)).status_code == 200


async def test_what_is_no_search_may_take_longer_on_the_same_connection(database_url: str) -> None:
    async with talking_to(database_url, database_pool_size=1) as client:
        async with locked_tasks(database_url):
            assert (await search(client)).status_code == 503
            listing = asyncio.create_task(perform(client, "list-tasks"))
            await asyncio.sleep(1.5)
            assert not listing.done()
        assert (await listing).status_code == 200


async def test_two_search_at_a_time_and_others_wait_in_vain_no_longer_than_their_deadline(
    live_client: AsyncClient, database_url: str
) -> None:
    async with locked_tasks(database_url) as db:
        began = monotonic()
        searches = [asyncio.create_task(search(live_client)) for _ in range(20)]
        await asyncio.sleep(0.3)
        assert await db.fetchval(_COUNT_WAITING) == AT_ONCE
        assert (await perform(live_client, "list-categories")).status_code == 200
        answers = await asyncio.gather(*searches)
        assert monotonic() - began < 7
    told = Counter((answer.status_code, answer.json()["detail"]) for answer in answers)
    assert told.keys() == {(503, TOO_LONG), (503, TOO_MANY)}
    assert told[503, TOO_LONG] >= 2 * AT_ONCE


async def test_searches_that_are_quick_all_get_their_turn(live_client: AsyncClient) -> None:
    await perform(live_client, "create-task", title="Feed cat")
    answers = await asyncio.gather(*(search(live_client) for _ in range(40)))
    assert Counter(answer.json()["data"]["count"] for answer in answers) == {1: 40}


async def test_a_search_looks_at_titles_and_2000_characters_of_descriptions(
    execute: Execute, make_task: TaskFactory
) -> None:
    for number, blanks in enumerate((0, 1997, 1998)):
        await make_task(title=str(number), description="é" * blanks + "cat")
    await make_task(title="A caterpillar")
    found = (await execute("list-tasks", search="CAT", sort="title")).json()["data"]["tasks"]
    assert [task["title"] for task in found] == ["0", "1", "A caterpillar"]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_pair() as pair:
        yield pair


async def test_a_search_that_is_too_long_for_the_replica_is_not_tried_on_the_primary(
    pair: Pair,
) -> None:
    settings = Settings(
        database_url=SecretStr(pair.primary.url), database_replica_url=SecretStr(pair.replica.url)
    )
    database = Database(settings)
    await database.open()
    asked: list[bool] = []

    async def slow(db: Connection) -> None:
        asked.append(await db.fetchval("SELECT pg_is_in_recovery()"))
        await db.execute("SELECT pg_sleep(2)")

    with pytest.raises(SearchTooLong):
        await Searches().ask(partial(database.read, reader=None), slow)
    assert asked == [True]
    assert await database.read(lambda db: db.fetchval("SELECT pg_is_in_recovery()"), reader=None)
    await database.close()
