"""What is sent again, of a history of any length, whatever ends a worker meanwhile."""

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.database.marking import mark
from app.models.webhook import EndpointChanges, message_id
from app.services import Connection, log_pruning, webhook_deliveries, webhook_replays, webhooks
from app.services.log import Log, MarkedLog, NumberedLog, follow
from app.services.webhook_replays import PORTION
from app.worker.webhooks import Webhooks
from tests.support.killed_worker import start_worker
from tests.support.listener import write_task
from tests.support.receiver import TASKS, Receiver, add_endpoint, rounds

_LONG = 20_000
NUMBERED = NumberedLog(webhook_deliveries.TAKING)
_URL = "http://127.0.0.1:9/hook"
_WRITE = """
INSERT INTO changes (kind, operation, user_id, entity_id, sequence, fields, changed_at)
SELECT 'task', 'updated', 'user-' || n % 20, uuid_v7(), (n - 1) / 20 + 1, '{title}',
    $2::timestamptz + n * interval '1 second'
FROM generate_series(1, $1::int) AS n
"""
_READ = """
INSERT INTO consumers (name, position) SELECT 'webhooks', max(position) FROM changes
ON CONFLICT (name) DO UPDATE SET position = excluded.position
"""
_TELL_ALL = """
UPDATE webhook_deliveries SET due_at = NULL, outcome = 'delivered' WHERE due_at IS NOT NULL
RETURNING position
"""
_LEFT = "SELECT count(*) FROM webhook_replays"
_CLAIMS_OVER = "UPDATE webhook_deliveries SET claimed_until = now() WHERE claimed_until > now()"


async def history(db: Connection, count: int, url: str = _URL, days: int = 1) -> Any:
    """An endpoint, so many events since, a second apart, and that the log was read."""
    endpoint, _ = await add_endpoint(db, url, TASKS)
    began = await db.fetchval(
        "UPDATE webhook_endpoints SET created_at = now() - make_interval(days => $1) "
        "RETURNING created_at",
        days,
    )
    await db.execute(_WRITE, count, began)
    await db.execute(_READ)
    return endpoint, began


async def go_on(db: Connection) -> None:
    async with db.transaction():
        await webhook_replays.go_on(db, await follow(db, webhook_deliveries.TAKING))


async def replayed(db: Connection, log: Log = NUMBERED) -> list[int]:
    """The positions of what is told, in order; every second portion is lost with its worker."""
    told: list[int] = []
    for turn in range(10 * _LONG // PORTION):
        portion = db.transaction()
        await portion.start()
        await webhook_replays.go_on(db, log)
        await (portion.rollback() if turn % 2 else portion.commit())
        told += sorted(row["position"] for row in await db.fetch(_TELL_ALL))
        if not await db.fetchval(_LEFT):
            return told
    raise AssertionError("it does not end")


async def test_a_long_history_is_told_in_order_and_once_whatever_ends_a_worker(
    db: Connection,
) -> None:
    endpoint, began = await history(db, _LONG)
    assert await webhook_replays.ask(db, endpoint.id, began) == _LONG
    assert await replayed(db) == list(range(1, _LONG + 1))


async def test_of_a_divided_log_all_since_an_instant_is_told_in_order_and_once(
    db: Connection,
) -> None:
    async with db.transaction():
        await mark(db)
    endpoint, began = await history(db, 3 * PORTION)
    since = began + timedelta(seconds=PORTION // 2 + 1)
    told = await db.fetch("SELECT position FROM changes WHERE changed_at >= $1 ORDER BY 1", since)
    assert await webhook_replays.ask(db, endpoint.id, since) == len(told) == 5 * PORTION // 2
    log = MarkedLog(webhook_deliveries.TAKING)
    assert await replayed(db, log) == [row["position"] for row in told]


async def test_workers_that_go_on_with_one_replay_tell_nothing_twice(
    db: Connection, crowd: list[Connection]
) -> None:
    endpoint, began = await history(db, 10 * PORTION)
    await webhook_replays.ask(db, endpoint.id, began)

    async def work(own: Connection) -> list[int]:
        told = []
        while await own.fetchval(_LEFT):
            await go_on(own)
            told += [row["position"] for row in await own.fetch(_TELL_ALL)]
        return told

    told = await asyncio.gather(*map(work, crowd[:3]))
    rest = [row["position"] for row in await db.fetch(_TELL_ALL)]
    assert sorted(sum(told, rest)) == list(range(1, 10 * PORTION + 1))


async def looked_at(db: Connection, statement: str, *arguments: object) -> float:
    """How many rows the busiest part of the statement looks at."""
    explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
    plan = await db.fetchval(explained, *arguments)
    rows = re.findall(r'"(?:Actual Rows|Rows Removed by [^"]+)": ([\d.]+)', plan)
    return max(map(float, rows))


@pytest.mark.parametrize("before", ["SELECT", "ANALYZE changes"])
async def test_no_statement_looks_at_more_the_longer_the_history_is(
    db: Connection, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    endpoint, began = await history(db, _LONG)
    await db.execute(before)
    monkeypatch.setattr(webhook_replays, "_COUNTED", 500)
    assert await webhook_replays.ask(db, endpoint.id, began) == _LONG
    assert await looked_at(db, webhook_replays.MIDDLE, _LONG // 2, began) <= 1
    assert await looked_at(db, webhook_replays.COUNT, endpoint.id, 0, 500, began) <= 500
    told = endpoint.id, _LONG // 2, _LONG // 2 + PORTION, began
    assert await looked_at(db, webhook_replays.TELL, *told) <= PORTION


async def test_a_replay_begins_at_its_instant(db: Connection) -> None:
    endpoint, _ = await history(db, 5000)
    since = await db.fetchval("SELECT changed_at FROM changes WHERE position = 4001")
    await db.execute("DELETE FROM changes WHERE position % 7 = 0")  # as the log has gaps
    left = [position for position in range(4001, 5001) if position % 7]
    assert await webhook_replays.ask(db, endpoint.id, since) == len(left)
    assert await replayed(db) == left


async def test_one_asked_for_while_another_is_under_way_leaves_nothing_out(
    db: Connection,
) -> None:
    endpoint, began = await history(db, 2000)
    later = await db.fetchval("SELECT changed_at FROM changes WHERE position = 1501")
    await webhook_replays.ask(db, endpoint.id, began)
    await go_on(db)
    await db.execute(_TELL_ALL)
    await webhook_replays.ask(db, endpoint.id, later)
    assert await replayed(db) == list(range(PORTION + 1, 2001))


async def test_what_happens_during_a_long_replay_does_not_wait_for_its_end(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, began = await history(db, 5000, receiver.url)
    await webhook_replays.ask(db, endpoint.id, began)
    await rounds(worker, 2)
    await write_task(db, "News", user_id="ann")
    while all(one.event["data"]["user_id"] != "ann" for one in receiver.received):
        await rounds(worker, 1)
    assert 0 < len(receiver.received) < 2 * PORTION
    assert await db.fetchval(_LEFT) == 1


async def test_a_replay_of_a_disabled_endpoint_waits_and_that_of_a_deleted_one_is_forgotten(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, began = await history(db, 20, receiver.url)
    await webhooks.change_endpoint(db, endpoint.id, EndpointChanges(enabled=False))
    await webhook_replays.ask(db, endpoint.id, began)
    await rounds(worker)
    assert receiver.received == []
    await webhooks.change_endpoint(db, endpoint.id, EndpointChanges(enabled=True))
    await rounds(worker)
    assert len({one.id for one in receiver.received}) == len(receiver.received) == 20
    await webhook_replays.ask(db, endpoint.id, began)
    await webhooks.delete_endpoint(db, endpoint.id)
    await rounds(worker)
    assert len(receiver.received) == 20


async def test_what_is_to_be_sent_again_stays_until_it_is(db: Connection) -> None:
    endpoint, began = await history(db, 2 * PORTION, days=40)
    await webhook_replays.ask(db, endpoint.id, began)
    for number in (1, 2):
        pruned = await log_pruning.prune_changes(db, None, timedelta(days=30))
        assert pruned.removed == (PORTION if number == 2 else 0)
        await go_on(db)
        assert await webhook_deliveries.purge_old(db) == 0
        await db.execute(_TELL_ALL)
        assert await webhook_deliveries.purge_old(db) == PORTION


async def test_killed_workers_send_all_of_a_replay_under_the_same_ids(
    database_url: str, db: asyncpg.Connection, receiver: Receiver
) -> None:
    endpoint, began = await history(db, PORTION + 200, receiver.url)
    ids = {
        message_id(row["position"], row["changed_at"])
        for row in await db.fetch("SELECT position, changed_at FROM changes")
    }
    await webhook_replays.ask(db, endpoint.id, began)
    for kill_after in (150, PORTION + 50, len(ids)):
        worker = start_worker(database_url)
        async with asyncio.timeout(60):
            while len({one.id for one in receiver.received}) < kill_after:
                await asyncio.sleep(0.05)
        worker.kill()
        worker.join()
        await db.execute(_CLAIMS_OVER)
    told = Counter(one.id for one in receiver.received)
    assert told.keys() == ids
    assert sum(told.values()) - len(ids) <= 2 * 200  # what the killed had in flight or not noted
