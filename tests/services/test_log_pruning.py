"""The log goes in time, but never what a consumer has not read."""

from datetime import timedelta

import pytest

from app.config import Settings
from app.database import Database
from app.database.purge import purge
from app.models.origin import PLATFORM
from app.models.task import TaskChanges, TaskFields
from app.services import Connection, deletions, deliveries, log_pruning, tasks
from app.services.log import follow
from tests.conftest import TaskFactory

_KEPT = "SELECT sequence FROM changes ORDER BY sequence"
_EVERYTHING = deliveries.taking("mirror", "true")


async def kept(db: Connection) -> list[int]:
    return [row["sequence"] for row in await db.fetch(_KEPT)]


async def write(db: Connection, count: int, days_ago: int) -> None:
    task = await tasks.insert_task(db, "user_123", TaskFields(title="Feed cat"))
    for number in range(count - 1):
        await tasks.update_task(db, task.id, None, TaskChanges(title=f"Title {number}"))
    await db.execute(
        "UPDATE changes SET changed_at = changed_at - make_interval(days => $1) "
        "WHERE changed_at > now() - interval '1 minute'",
        days_ago,
    )


async def run_out(db: Connection, undo_days: int = 7, kept_days: int = 30) -> None:
    while await log_pruning.forget_content(db, timedelta(days=undo_days)):
        pass
    while (await log_pruning.prune_changes(db, None, timedelta(days=kept_days))).removed:
        pass


async def test_old_changes_go_and_young_ones_stay(db: Connection) -> None:
    await write(db, 3, days_ago=31)
    await write(db, 2, days_ago=29)
    await run_out(db)
    assert await kept(db) == [4, 5]


async def test_content_behind_a_younger_change_is_forgotten_in_its_turn(db: Connection) -> None:
    await write(db, 3, days_ago=8)
    await db.execute("UPDATE changes SET changed_at = now() WHERE sequence = 2")
    assert await log_pruning.forget_content(db, timedelta(days=7)) == 1
    await db.execute("UPDATE changes SET changed_at = now() - interval '8 days'")
    assert await log_pruning.forget_content(db, timedelta(days=7)) == 2
    assert await db.fetchval("SELECT count(*) FROM changes WHERE before IS NOT NULL") == 0


async def test_log_goes_from_its_beginning_only(db: Connection) -> None:
    await write(db, 3, days_ago=31)
    await db.execute("UPDATE changes SET changed_at = now() WHERE sequence = 2")
    await run_out(db, undo_days=0)
    assert await kept(db) == [2, 3]


@pytest.mark.usefixtures("each_log")
async def test_what_a_consumer_has_not_read_stays_until_it_has(crowd: list[Connection]) -> None:
    db = crowd[0]
    await write(db, 3, days_ago=40)
    log = await follow(db, _EVERYTHING)
    await run_out(db)
    assert await kept(db) == [1, 2, 3]
    await log.take(db)
    await write(db, 2, days_ago=35)
    await run_out(db)
    assert await kept(db) == [4, 5]
    await log.take(db)
    await run_out(db)
    assert await kept(db) == []


@pytest.mark.usefixtures("each_log")
async def test_a_consumer_goes_on_where_the_log_was_pruned_behind_it(
    crowd: list[Connection],
) -> None:
    db = crowd[0]
    log = await follow(db, _EVERYTHING)
    await write(db, 3, days_ago=40)
    assert await log.take(db) == 3
    await run_out(db)
    await write(db, 2, days_ago=0)
    assert await log.take(db) == 2


async def test_content_goes_before_the_change_does(db: Connection) -> None:
    await write(db, 3, days_ago=8)
    await write(db, 3, days_ago=6)
    await run_out(db)
    rows = await db.fetch("SELECT sequence FROM changes WHERE before IS NOT NULL ORDER BY 1")
    assert [row["sequence"] for row in rows] == [5, 6]
    assert await kept(db) == [1, 2, 3, 4, 5, 6]


async def test_no_content_is_written_where_none_is_kept(
    db: Connection, make_task: TaskFactory
) -> None:
    nothing = PLATFORM._replace(keeps_content=False)
    task = await make_task()
    await tasks.update_task(db, task.id, None, TaskChanges(title="Secret"), origin=nothing)
    await deletions.delete_task(db, task.id, None, nothing)
    assert await db.fetchval("SELECT count(*) FROM changes WHERE before IS NOT NULL") == 0


async def test_more_than_a_slice_goes_in_slices(db: Connection) -> None:
    await db.execute("""
        INSERT INTO changes (kind, operation, user_id, entity_id, sequence, fields, changed_at)
        SELECT 'task', 'updated', 'u', gen_random_uuid(), n, '{}', now() - interval '31 days'
        FROM generate_series(1, 1500) AS n
    """)
    await log_pruning.forget_content(db, timedelta(days=7))
    first = await log_pruning.prune_changes(db, None, timedelta(days=30))
    assert (first.removed, len(await kept(db))) == (1000, 500)
    await log_pruning.forget_content(db, timedelta(days=7))
    rest = await log_pruning.prune_changes(db, first.end, timedelta(days=30))
    assert (rest.removed, await kept(db)) == (500, [])


async def test_the_hourly_purge_prunes_the_log(database_url: str) -> None:
    settings = Settings(database_url=database_url)
    database = Database(settings)
    await database.open()
    async with database.connection() as db:
        await db.execute("""
            INSERT INTO changes (kind, operation, user_id, entity_id, sequence, fields, changed_at)
            SELECT 'task', 'updated', 'u', gen_random_uuid(), n, '{}', now() - n * interval '1 day'
            FROM generate_series(100, 1, -1) AS n
        """)
        await purge(database, settings)
        assert await kept(db) == list(range(1, 30))
    await database.close()


def test_what_is_undone_must_be_logged() -> None:
    with pytest.raises(ValueError, match="UNDO_DAYS must be at most CHANGES_KEPT_DAYS"):
        Settings(database_url="postgresql://x", undo_days=8, changes_kept_days=7)
