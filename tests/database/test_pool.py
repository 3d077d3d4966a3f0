"""Connections, lent in turn and for so long only."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from app.database.pool import Pool
from app.errors import Unavailable
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
    monkeypatch.setattr("app.database.pool._IDLE_SECONDS", 0.3)
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


async def lose_a_statement(db: Connection) -> None:
    await db.fetchval("SELECT 1")
    await db.execute("DEALLOCATE ALL")
    await db.fetchval("SELECT 1")


async def prepare_twice(db: Connection) -> None:
    await db.execute("PREPARE taken AS SELECT 1")
    await db.prepare("SELECT 2", name="taken")


async def change_a_type(db: Connection) -> None:
    async with db.transaction():
        await db.execute("CREATE TEMP TABLE pets (name varchar)")
        await db.fetch("SELECT name FROM pets")
        await db.execute("ALTER TABLE pets ALTER name TYPE text")
        await db.fetch("SELECT name FROM pets")


async def _send(db: Connection, number: bytes) -> None:
    await db.set_type_codec(
        "int4", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary"
    )
    await db.fetchval("SELECT $1::int", number)


async def send_too_little(db: Connection) -> None:
    await _send(db, b"1")


async def send_too_much(db: Connection) -> None:
    await _send(db, b"12345")


async def receive_what_was_not_described(db: Connection) -> None:
    await db.fetchval("SELECT 1 AS n")
    names = "SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT 1 AS n'"
    name = await db.fetchval(names)
    await db.execute(f"DEALLOCATE {name}; PREPARE {name} AS SELECT 1::bigint")
    await db.fetchval("SELECT 1 AS n")


@pytest.mark.parametrize(
    ("misuse", "error"),
    [
        (lose_a_statement, asyncpg.InvalidSQLStatementNameError),
        (prepare_twice, asyncpg.DuplicatePreparedStatementError),
        (change_a_type, asyncpg.InvalidCachedStatementError),
        (send_too_little, asyncpg.ProtocolViolationError),
        (send_too_much, asyncpg.InvalidBinaryRepresentationError),
        (receive_what_was_not_described, BufferError),
    ],
)
async def test_an_outdated_statement_is_unavailable_once_and_its_connection_replaced(
    pool: Pool, misuse: Callable[[Connection], Awaitable[None]], error: type[Exception]
) -> None:
    pids = set[int]()

    async def use(perform: Callable[[Connection], Awaitable[None]]) -> None:
        async with pool.lend(4) as db:
            pids.add(db.get_server_pid())
            await perform(db)

    for _ in range(2):  # soon after one another, which overload must not do
        with pytest.raises(Unavailable) as raised:
            await use(misuse)
        assert type(raised.value.__cause__) is error
    async with pool.lend(4) as db:
        assert await db.fetchval("SELECT 1") == 1
        assert db.get_server_pid() not in pids
    assert len(pids) == 2


async def test_who_replaces_an_outdated_connection_begins_with_making_the_pooler_forget(
    database_url: str,
) -> None:
    async def connect() -> Connection:
        """As one that a pooler leads to a server process where statements are kept already."""
        db: Connection = await asyncpg.connect(database_url, statement_cache_size=0)
        await db.execute("PREPARE kept AS SELECT 1")
        return db

    async def kept() -> int:
        async with own.lend(4) as db:
            count: int = await db.fetchval("SELECT count(*) FROM pg_prepared_statements")
            await db.close()
            return count

    own = Pool(connect, 2)
    assert await kept() == 1
    with pytest.raises(Unavailable):
        async with own.lend(4) as db:
            await db.execute("EXECUTE lost")
    assert [await kept() for _ in range(3)] == [0, 0, 1]
    await own.close()


async def test_closing_waits_for_what_is_lent(pool: Pool, observer: Connection) -> None:
    async with pool.lend(4) as connection:
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        assert await connection.fetchval("SELECT 1") == 1
    await closing
    await count_to(observer, OURS, 0)
