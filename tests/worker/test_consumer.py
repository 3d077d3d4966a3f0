"""What a sink is told, in which order, and how often, whatever happens meanwhile."""

import asyncio
import random
from datetime import UTC, datetime
from typing import cast

import asyncpg
import pytest

from app.config import Settings
from app.database import Database
from app.models.call import CallFields
from app.models.contact import ContactFields
from app.models.task import TaskChanges
from app.services import Connection, calls, contacts, tasks
from app.services.deliveries import oldest_age
from app.worker.consumer import Consumer
from tests.support.listener import Listener, rounds, waiting, write_task

pytestmark = pytest.mark.usefixtures("each_log")

MARIA = ContactFields(name="María", email="maria@example.com", company="Azollon")
CALL = CallFields(title="Onboarding", scheduled_for=datetime(2030, 1, 1, tzinfo=UTC))


async def positions(db: Connection) -> list[int]:
    return [row[0] for row in await db.fetch("SELECT position FROM changes ORDER BY sequence")]


async def test_every_change_is_told_once_in_the_order_of_the_log(
    db: Connection, database: Database
) -> None:
    written = [await write_task(db) for _ in range(120)]
    sink = Listener()
    await rounds(Consumer(sink, database), count=4)
    assert [one.entity_id for one in sink.told] == written
    assert [one.first_position for one in sink.told] == await positions(db)
    assert await waiting(db) == []


async def test_ten_changes_of_one_entity_are_told_at_once(
    db: Connection, database: Database
) -> None:
    task_id = await write_task(db)
    for number in range(9):
        await tasks.update_task(db, task_id, None, TaskChanges(title=f"Title {number}"))
    sink = Listener()
    await rounds(Consumer(sink, database), count=3)
    [told] = sink.told
    first, *_, last = await positions(db)
    assert (told.kind, told.first_position, told.last_position) == ("task", first, last)
    assert sink.versions[task_id] == [10]


async def test_a_sink_is_told_only_of_what_interests_it(db: Connection, database: Database) -> None:
    await write_task(db)
    contact = await contacts.insert_contact(db, MARIA)
    call = await calls.insert_call(db, contact.id, None, CALL)
    sink = Listener(interest="kind = 'call'")
    await rounds(Consumer(sink, database), count=2)
    assert [one.entity_id for one in sink.told] == [call.id]


async def test_each_sink_has_a_cursor_of_its_own(db: Connection, database: Database) -> None:
    first = await write_task(db)
    one, other = Listener("one"), Listener("other")
    await rounds(Consumer(one, database), count=2)
    second = await write_task(db)
    await rounds(Consumer(one, database), Consumer(other, database), count=2)
    assert [told.entity_id for told in one.told] == [first, second]
    assert [told.entity_id for told in other.told] == [first, second]


async def test_another_worker_goes_on_where_the_first_left_off(
    db: Connection, database: Database
) -> None:
    sink = Listener()
    await write_task(db)
    await rounds(Consumer(sink, database), count=2)
    second = await write_task(db)
    await rounds(Consumer(sink, database), count=2)
    assert sink.counted()[second] == len(sink.told) - 1 == 1


@pytest.mark.parametrize("outcome", ["commit", "rollback"])
async def test_a_change_whose_transaction_runs_longer_is_told_once_if_it_is_committed(
    db: Connection, database: Database, database_url: str, outcome: str
) -> None:
    sink = Listener()
    consumer = Consumer(sink, database)
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    early = await write_task(slow, user_id="slow")
    late = [await write_task(db) for _ in range(3)]
    await rounds(consumer, count=5)
    await getattr(transaction, outcome)()
    await rounds(consumer, count=3)
    expected = {*late, early} if outcome == "commit" else {*late}
    assert sink.counted() == dict.fromkeys(expected, 1)
    await slow.close()


async def test_a_long_transaction_without_a_change_holds_nothing_up(
    db: Connection, database: Database, database_url: str
) -> None:
    long = await asyncpg.connect(database_url)
    async with long.transaction():
        await long.execute("SELECT pg_current_xact_id()")
        task_id = await write_task(db)
        sink = Listener()
        await rounds(Consumer(sink, database), count=2)
        assert [one.entity_id for one in sink.told] == [task_id]
    await long.close()


async def test_a_purged_log_is_a_gap_that_is_passed(db: Connection, database: Database) -> None:
    for _ in range(5):
        await write_task(db)
    await db.execute("DELETE FROM changes")
    last = await write_task(db)
    sink = Listener()
    await rounds(Consumer(sink, database), count=4)
    assert [one.entity_id for one in sink.told] == [last]


async def test_a_change_during_its_delivery_is_told_afterwards(
    db: Connection, database: Database
) -> None:
    task_id = await write_task(db)
    sink = Listener()
    sink.slowness = 0.2
    consumer, other = Consumer(sink, database), Consumer(sink, database)
    delivery = asyncio.create_task(consumer.work())
    await asyncio.sleep(0.02)
    await tasks.update_task(db, task_id, None, TaskChanges(title="Newer"))
    await other.work()
    await delivery
    await rounds(consumer, other, count=3)
    assert sink.versions[task_id][-1] == 2
    assert await waiting(db) == []


async def test_many_workers_share_the_work_and_nobody_tells_what_is_older(
    db: Connection, database_url: str
) -> None:
    sink = Listener()
    sink.slowness = 0.02
    opened = [Database(Settings(database_url=database_url)) for _ in range(4)]
    for database in opened:
        await database.open()
    stopping = asyncio.Event()
    workers = [asyncio.create_task(Consumer(sink, each).run(stopping)) for each in opened]
    task_ids = [await write_task(db, user_id=f"user-{n}") for n in range(20)]
    async with asyncpg.create_pool(database_url, min_size=8, max_size=8) as pool:

        async def change(number: int) -> None:
            async with pool.acquire() as lent:
                changes = TaskChanges(title=f"Title {number}")
                await tasks.update_task(
                    cast(Connection, lent), random.choice(task_ids), None, changes
                )

        await asyncio.gather(*(change(number) for number in range(600)))
    while await oldest_age(db, sink.name):
        await asyncio.sleep(0.1)
    stopping.set()
    await asyncio.gather(*workers)
    for database in opened:
        await database.close()
    final = dict(map(tuple, await db.fetch("SELECT id, version FROM tasks")))
    assert {task_id: versions[-1] for task_id, versions in sink.versions.items()} == final
    for versions in sink.versions.values():
        assert versions == sorted(versions, key=lambda version: version or 0)


async def test_an_idle_round_writes_nothing(db: Connection, database: Database) -> None:
    consumer = Consumer(Listener(), database)
    await write_task(db)
    await rounds(consumer, count=2)
    before = await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    pauses = [await consumer.work() for _ in range(10)]
    assert await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == before
    assert pauses[-1] == 1.0
