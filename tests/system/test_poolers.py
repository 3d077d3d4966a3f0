"""Statements are kept by name only where the name is theirs, and what is outdated is made anew."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.database import connector
from app.database.connector import Connector
from app.database.pool import Pool
from app.database.poolers import Pooler as Found
from app.database.poolers import find_pooler
from app.errors import Unavailable
from app.services import Connection
from tests.conftest import Figure
from tests.support.load import Client
from tests.support.log_lines import lines_of
from tests.support.pgbouncer import Pooler, pooler, pytestmark, tracking_pooler, way
from tests.support.service import running
from tests.system.test_pgbouncer import service, write_until

__all__ = ["pooler", "pytestmark", "tracking_pooler", "way"]

TASKS = 400
KEPT = "SELECT name FROM pg_prepared_statements"


async def connect(url: str, size: int = 100) -> Connection:
    return await Connector(url, statement_cache_size=size, seconds=2)()


async def test_no_two_connections_have_a_statement_of_one_name(database_url: str) -> None:
    names = Counter[str]()
    for _ in range(2):
        db = await connect(database_url)
        names.update([await db.fetchval(KEPT)])
        await db.close()
    assert len(names) == 2
    assert not any(name.startswith("__asyncpg_stmt_") for name in names)


async def test_a_direct_connection_is_told_in_one_round_trip(database_url: str) -> None:
    db: Connection = await asyncpg.connect(database_url, statement_cache_size=0)
    asked: list[str] = []
    db.add_query_logger(lambda query: asked.append(query.query))
    assert await find_pooler(db) is Found.NONE
    await db.close()
    assert len(asked) == 1


async def test_an_unaware_pooler_is_found_and_keeps_no_statement(
    pooler: Pooler, database_url: str
) -> None:
    db = await connect(pooler.url(database_url))
    assert await find_pooler(db) is Found.UNAWARE
    assert not db._stmts_to_close  # type: ignore[attr-defined]
    assert await db.fetch(KEPT) == []
    await db.close()


async def test_a_tracking_pooler_is_found_and_keeps_statements(
    tracking_pooler: Pooler, database_url: str
) -> None:
    db = await connect(tracking_pooler.url(database_url))
    assert await find_pooler(db) is Found.TRACKING
    assert len(await db.fetch(KEPT)) >= 1
    await db.close()


async def test_a_cache_of_none_is_obeyed_on_a_direct_connection_too(database_url: str) -> None:
    db = await connect(database_url, 0)
    assert await db.fetch(KEPT) == []
    await db.close()


async def test_what_was_found_is_logged_once(
    pooler: Pooler, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(connector, monkeypatch)
    connect = Connector(pooler.url(database_url), statement_cache_size=100, seconds=2)
    for _ in range(3):
        await (await connect()).close()
    assert lines == [
        {
            "event": "database_pooler",
            "pooler": "does not track statements",
            "statements": "unnamed",
            "log_level": "info",
        }
    ]


async def test_a_pooler_that_deceived_us_causes_errors_and_never_another_statement(
    pooler: Pooler, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deceived(_: Connection) -> Found:
        return Found.TRACKING

    monkeypatch.setattr("app.database.connector.find_pooler", deceived)
    connector = Connector(pooler.url(database_url), statement_cache_size=100, seconds=2)
    pools = [Pool(connector, 10), Pool(connector, 10)]

    async def ask(pool: Pool, number: int) -> int:
        async with pool.lend(4) as db:
            answer: int = await db.fetchval(f"SELECT {number}")
            return answer

    numbers = [number % 7 for number in range(200)]
    asked = (ask(pools[number % 2], numbers[number]) for number in range(200))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for pool in pools:
        await pool.close()
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert {type(error) for error in errors} <= {Unavailable}
    right = [answer == number for answer, number in zip(answers, numbers, strict=True)]
    assert right.count(True) == 200 - len(errors)


async def test_a_statement_that_cannot_be_sent_does_not_occupy_the_pooler(
    pooler: Pooler, database_url: str
) -> None:
    pool = Pool(Connector(pooler.url(database_url), statement_cache_size=100, seconds=2), 5)

    async def ask_wrongly() -> None:
        async with pool.lend(4) as db:
            await db.fetchval("SELECT $1::int", "no number")

    wrong = await asyncio.gather(*(ask_wrongly() for _ in range(5)), return_exceptions=True)
    assert {type(error) for error in wrong} == {asyncpg.DataError}
    async with asyncio.timeout(2):
        other = await connect(pooler.url(database_url))
        assert await other.fetchval("SELECT 1") == 1
    await other.close()
    await pool.close()


@contextmanager
def two_workers(url: str) -> Iterator[list[str]]:
    """The URLs of two services, each in a process of its own as workers are."""
    settings = {"DATABASE_URL": url, "LOG_LEVEL": "ERROR", "SHUTDOWN_DELAY": "0"}
    with ExitStack() as stack:
        yield [stack.enter_context(running("serve", **settings))[0] for _ in range(2)]


@pytest.mark.alone
async def test_what_two_workers_only_read_is_kept(
    pooler: Pooler, database_url: str, figure: Figure
) -> None:
    statuses = Counter[int]()
    with two_workers(pooler.url(database_url)) as (reader, writer):
        clients = [Client(reader) for _ in range(10)]

        async def told(client: Client, action: str, **payload: Any) -> Any:
            status, content = await client.execute(action, "user_123", **payload)
            statuses[status] += 1
            return content.get("data") or {}

        read = [await told(clients[0], "create-task", title="Keep me") for _ in range(TASKS)]

        async def write_others(number: int) -> None:
            client = Client(writer)
            for _ in range(40):
                task = await told(client, "create-task", title="Feed cat")
                await told(client, "delete-task", task_id=task.get("id", str(uuid4())))
            client.close()

        async def read_all(client: Client, tasks: list[Any]) -> None:
            for task in tasks:
                await told(client, "get-task", task_id=task["id"])
            client.close()

        await asyncio.gather(
            *(write_others(number) for number in range(10)),
            *(read_all(client, read[n::10]) for n, client in enumerate(clients)),
        )
    db = await asyncpg.connect(database_url)
    kept = await db.fetchval("SELECT count(*) FROM tasks WHERE title = 'Keep me'")
    await db.close()
    figure(f"{kept} of {TASKS} kept, {dict(statuses)}")
    assert kept == TASKS
    assert statuses.keys() == {200}


WAYS = ["direct", "pooled", "tracked"]


async def change_under_load(way: str, database_url: str, *changes: str) -> Counter[int]:
    """What 20 writers of two services are told while the schema changes."""
    done = asyncio.Event()
    admin = await asyncpg.connect(database_url)
    async with service(way) as one, service(way) as other:
        writers = [
            asyncio.create_task(write_until(done, client, number))
            for number, client in enumerate([one, other] * 10)
        ]
        for change in changes:
            await asyncio.sleep(0.7)
            await admin.execute(change)
        await asyncio.sleep(1.5)
        done.set()
        told = await asyncio.gather(*writers)
    await admin.close()
    return sum(told, Counter[int]())


@pytest.mark.parametrize("way", WAYS, indirect=True)
async def test_a_column_that_nobody_uses_comes_and_goes_and_no_request_fails(
    way: str, database_url: str, figure: Figure
) -> None:
    changes = (
        "ALTER TABLE tasks ADD COLUMN extra text DEFAULT 'x'",
        "ALTER TABLE tasks DROP COLUMN extra",
    )
    statuses = await change_under_load(way, database_url, *changes)
    figure(f"{dict(statuses)}")
    assert statuses.keys() == {200}


@pytest.mark.alone
@pytest.mark.parametrize(
    ("way", "most"), [("direct", 20), ("pooled", 0), ("tracked", 60)], indirect=["way"]
)
@pytest.mark.parametrize(
    "change", ["ALTER COLUMN priority TYPE text", "ALTER COLUMN version TYPE bigint"]
)
async def test_a_changed_type_costs_a_handful_of_503_and_no_500(
    way: str, most: int, database_url: str, change: str, figure: Figure
) -> None:
    statuses = await change_under_load(way, database_url, f"ALTER TABLE tasks {change}")
    figure(f"{dict(statuses)}")
    assert statuses.keys() <= {200, 503}
    assert statuses[503] <= most
