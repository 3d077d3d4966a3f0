"""The log where it is divided: each change says who has yet to take it over."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg

from app.database.marking import mark
from app.services import Connection, deliveries, log_pruning
from app.services.log import Log, follow
from tests.support.listener import LISTENERS, waiting, write_task

LISTENER = LISTENERS[0]
TAKING = deliveries.taking(LISTENER, "true")
_INSERT = """
INSERT INTO changes (position, kind, operation, user_id, entity_id, sequence, fields, changed_at)
OVERRIDING SYSTEM VALUE
SELECT number, 'task', 'updated', 'ann', gen_random_uuid(), row_number() OVER (), '{}',
    $2::timestamptz
FROM unnest($1::bigint[]) AS number
RETURNING position
"""


async def take(db: Connection, log: Log) -> int:
    async with db.transaction():
        return await log.take(db)


async def marked(db: Connection) -> Log:
    async with db.transaction():
        await mark(db, LISTENERS)
    return await follow(db, TAKING)


async def told(db: Connection) -> list[object]:
    return [one["entity_id"] for one in await waiting(db)]


async def test_what_a_consumer_had_not_taken_over_when_the_log_was_divided_is_left_to_it(
    crowd: list[Connection],
) -> None:
    db = crowd[0]
    written = [await write_task(db) for _ in range(2)]
    await take(db, await follow(db, TAKING))
    written += [await write_task(db) for _ in range(3)]
    log = await marked(db)
    assert await take(db, log) == 3
    written.append(await write_task(db))
    assert await take(db, log) == 1
    assert await told(db) == written
    assert await take(db, await follow(db, deliveries.taking("one", "true"))) == 6


async def test_one_that_takes_while_another_does_takes_nothing_twice(
    crowd: list[Connection],
) -> None:
    db, other, *_ = crowd
    log = await marked(db)
    await write_task(db)
    async with other.transaction():
        assert await log.take(other) == 1
        assert await take(db, log) == 0
    assert await take(db, log) == 0
    assert len(await waiting(db)) == 1


class HeldUp(asyncpg.Connection):
    """After its first answer it waits until it may go on."""

    go_on: asyncio.Event

    async def fetch(self, *arguments: Any, **options: Any) -> Any:
        rows = await super().fetch(*arguments, **options)
        await self.go_on.wait()
        return rows


async def test_one_that_read_what_another_was_taking_takes_the_rest(
    crowd: list[Connection], database_url: str
) -> None:
    db = crowd[0]
    log = await marked(db)
    written = [await write_task(db)]
    slow = await asyncpg.connect(database_url, connection_class=HeldUp)
    slow.go_on = asyncio.Event()
    late = asyncio.create_task(take(slow, log))
    await asyncio.sleep(0.1)
    assert await take(db, log) == 1
    written.append(await write_task(db))
    slow.go_on.set()
    assert await late == 1
    assert await told(db) == written[:1]
    assert await take(db, log) == 1
    assert await told(db) == written
    await slow.close()


async def test_what_was_taken_in_vain_is_taken_again(crowd: list[Connection]) -> None:
    db, other, *_ = crowd
    log = await marked(db)
    written = [await write_task(db) for _ in range(2)]
    lost = other.transaction()
    await lost.start()
    assert await log.take(other) == 2
    await lost.rollback()
    assert await take(db, log) == 2
    assert await told(db) == written


async def test_positions_of_all_nodes_have_the_order_of_time(crowd: list[Connection]) -> None:
    db = crowd[0]
    await marked(db)
    node = 1 << 48
    now = await db.fetchval("SELECT now()")
    later = await db.fetch(_INSERT, [3, node + 3, 2 * node + 3, 2 * node + 4], now)
    await db.execute("DELETE FROM changes")
    [earlier] = await db.fetch(_INSERT, [5 * node], now - timedelta(microseconds=1))
    numbers = [row["position"] for row in later]
    assert len(set(numbers)) == 4
    assert earlier["position"] < min(numbers)


async def test_what_became_visible_late_is_not_pruned_before_it_is_taken(
    crowd: list[Connection],
) -> None:
    db = crowd[0]
    log = await marked(db)
    await write_task(db)
    await take(db, log)
    await db.execute("UPDATE changes SET untaken = $1", [LISTENER])
    await db.execute("UPDATE changes SET changed_at = changed_at - interval '40 days'")
    month = timedelta(days=30)
    assert (await log_pruning.prune_changes(db, None, month)).removed == 0
    await take(db, log)
    assert (await log_pruning.prune_changes(db, None, month)).removed == 1
