"""What a consumer does when its sink, an entity, its connection or the database fails."""

import asyncio
from datetime import UTC, datetime

import pytest

from app.config import Settings
from app.database import Database
from app.models.task import TaskChanges
from app.services import Connection, tasks
from app.worker.consumer import Consumer, backoff
from tests.support.listener import Listener, rounds, waiting, write_task


async def test_what_one_entity_refuses_delays_no_other(db: Connection, database: Database) -> None:
    bad, good = await write_task(db), await write_task(db)
    sink = Listener()
    sink.refuses = {bad}
    consumer = Consumer(sink, database)
    await rounds(consumer, count=3)
    assert [one.entity_id for one in sink.told] == [good]
    sink.refuses.clear()
    await asyncio.sleep(1)
    await rounds(consumer)
    assert [one.entity_id for one in sink.told] == [good, bad]


async def test_a_sink_that_is_away_is_asked_less_and_less_and_then_told_everything(
    db: Connection, database: Database
) -> None:
    written = {await write_task(db) for _ in range(60)}
    sink = Listener()
    sink.is_away = True
    consumer = Consumer(sink, database)
    pauses = []
    for _ in range(6):
        pauses.append(await consumer.work())
        await asyncio.sleep(pauses[-1])
    assert 0 < pauses[0] <= 0.2
    assert 0.5 <= pauses[-1] <= 1
    sink.is_away = False
    await asyncio.sleep(1)
    await rounds(consumer, count=4)
    assert sink.counted() == dict.fromkeys(written, 1)


async def test_what_was_tried_in_vain_is_told_once_more_later(
    db: Connection, database: Database
) -> None:
    """The attempt that gave no answer may come through late, with an older state."""
    task_id = await write_task(db)
    sink = Listener()
    sink.is_away = True
    consumer = Consumer(sink, database)
    await rounds(consumer)
    sink.is_away = False
    await asyncio.sleep(1)
    await rounds(consumer)
    [again] = await waiting(db)
    assert (again["changed_at"], again["attempts"]) == (None, 0)
    assert 8 < (again["due_at"] - datetime.now(UTC)).total_seconds() < 10
    await db.execute("UPDATE deliveries SET due_at = now()")
    await rounds(consumer)
    assert sink.counted() == {task_id: 2}
    assert await waiting(db) == []


async def test_a_change_does_not_wait_for_the_repetition(
    db: Connection, database: Database
) -> None:
    task_id = await write_task(db)
    sink = Listener()
    sink.is_away = True
    consumer = Consumer(sink, database)
    await rounds(consumer)
    sink.is_away = False
    await asyncio.sleep(1)
    await rounds(consumer)
    await tasks.update_task(db, task_id, None, TaskChanges(title="Newer"))
    await rounds(consumer)
    assert sink.versions[task_id] == [1, 2]


_CLAIMING = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND state LIKE 'idle in trans%'
"""


async def test_a_worker_whose_connection_breaks_loses_its_claims_at_once(
    db: Connection, database: Database
) -> None:
    task_id = await write_task(db)
    broken, sound = Listener("same"), Listener("same")
    broken.slowness = 5
    worker = asyncio.create_task(Consumer(broken, database).work())
    while not await db.fetchval(_CLAIMING):
        await asyncio.sleep(0.01)
    other = Consumer(sound, database)
    await rounds(other)
    assert sound.told == []
    for _ in range(20):  # the one that was slow may be the next too
        await db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE state LIKE 'idle in trans%'"
        )
        await rounds(other)
        if sound.told:
            break
    assert sound.counted() == {task_id: 1}
    worker.cancel()
    await asyncio.wait({worker})


async def test_a_database_that_is_away_is_waited_for() -> None:
    database = Database(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    await database.open()
    consumer = Consumer(Listener(), database)
    assert [0 < await consumer.work() <= 1 for _ in range(3)] == [True] * 3
    await database.close()


@pytest.mark.parametrize("attempts", [1, 3, 10, 100_000])
def test_backoff_grows_to_a_second_and_is_never_the_same(attempts: int) -> None:
    longest = min(1.0, 0.1 * 2.0 ** min(attempts, 10))
    pauses = {backoff(attempts) for _ in range(50)}
    assert len(pauses) > 40
    assert all(longest / 2 <= pause <= longest for pause in pauses)
