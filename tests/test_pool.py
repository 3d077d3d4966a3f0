"""Connections, lent in turn and for so long only."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.errors import Unavailable
from app.pool import Pool
from app.services import Connection

OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool under test'"
ASLEEP = (
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' "
    "AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool of two."""

    async def connect() -> Connection:
        return await asyncpg.connect(
            database_url, server_settings={"application_name": "pool under test"}
        )

    pool = Pool(connect, 2)
    yield pool
    await pool.close()


@pytest.fixture
async def observer(database_url: str) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def count_to(observer: Connection, query: str, expected: int) -> None:
    """Waits until the server counts so many."""
    async with asyncio.timeout(5):
        while await observer.fetchval(query) != expected:
            await asyncio.sleep(0.01)


async def test_no_more_than_its_size_are_lent_and_in_the_order_of_asking(
    pool: Pool, observer: Connection
) -> None:
    served: list[int] = []

    async def use(number: int) -> None:
        async with pool.lend(4):
            served.append(number)
            await asyncio.sleep(0.01)
            assert await observer_count() <= 2

    async def observer_count() -> int:
        async with turn:
            count: int = await observer.fetchval(OURS)
            return count

    turn = asyncio.Lock()
    await asyncio.gather(*(use(number) for number in range(20)))
    assert sorted(served[:2]) == [0, 1]  # whichever connected first
    assert served[2:] == list(range(2, 20))


async def test_who_waits_too_long_is_told_so(pool: Pool) -> None:
    async with pool.lend(4), pool.lend(4):
        started = time.monotonic()
        with pytest.raises(Unavailable):
            async with pool.lend(0.1):
                pass
        assert time.monotonic() - started < 2
    async with pool.lend(4) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_deadline_ends_the_statement_on_the_server_too(
    pool: Pool, observer: Connection
) -> None:
    with pytest.raises(Unavailable):
        async with pool.lend(0.2) as connection:
            await connection.execute("SELECT pg_sleep(60)")
    await count_to(observer, ASLEEP, 0)
    async with pool.lend(4) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_cancelled_user_is_no_fault_of_the_database(
    pool: Pool, observer: Connection
) -> None:
    async def sleep() -> None:
        async with pool.lend(30) as connection:
            await connection.execute("SELECT pg_sleep(60)")

    users = [asyncio.create_task(sleep()) for _ in range(3)]
    await count_to(observer, ASLEEP, 2)
    for user in users:
        user.cancel()
    results = await asyncio.gather(*users, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await count_to(observer, ASLEEP, 0)
    async with pool.lend(4), pool.lend(4):
        pass


async def test_what_nobody_needs_is_given_back_in_time(
    pool: Pool, observer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pool._IDLE_SECONDS", 0.3)
    async with pool.lend(4), pool.lend(4):
        pass
    assert await observer.fetchval(OURS) == 2
    for _ in range(10):  # the one used last is lent first, so that the other stays idle
        async with pool.lend(4):
            await asyncio.sleep(0.05)
    await count_to(observer, OURS, 1)
    await count_to(observer, OURS, 0)


async def test_a_connection_that_the_server_ended_is_replaced(
    pool: Pool, observer: Connection
) -> None:
    async with pool.lend(4) as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
    await observer.execute("SELECT pg_terminate_backend($1)", pid)
    await count_to(observer, OURS, 0)
    await asyncio.sleep(0.05)
    async with pool.lend(4) as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") != pid


async def test_one_broken_connection_lets_all_be_replaced(pool: Pool, observer: Connection) -> None:
    async with pool.lend(4) as first, pool.lend(4) as second:
        pids = [await each.fetchval("SELECT pg_backend_pid()") for each in (first, second)]

    async def lose_connection() -> None:
        async with pool.lend(4) as connection:
            own = await connection.fetchval("SELECT pg_backend_pid()")
            await observer.execute("SELECT pg_terminate_backend($1)", own)
            await connection.execute("SELECT 1")

    with pytest.raises(Unavailable):
        await lose_connection()
    async with pool.lend(4) as first, pool.lend(4) as second:
        new = [await each.fetchval("SELECT pg_backend_pid()") for each in (first, second)]
    assert set(new).isdisjoint(pids)


async def test_closing_waits_for_what_is_lent(pool: Pool, observer: Connection) -> None:
    async with pool.lend(4) as connection:
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        assert await connection.fetchval("SELECT 1") == 1
    await closing
    await count_to(observer, OURS, 0)
