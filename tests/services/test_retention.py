"""What is old goes in slices, each beginning where the one before has ended."""

from datetime import timedelta

from app.config import Settings
from app.database import Database
from app.database.purge import purge
from app.services import Connection, deletions, retention
from tests.conftest import TaskFactory

_EXPIRED = """
INSERT INTO replays (user_id, key_name, idempotency_key, fingerprint, claimed_at)
SELECT 'u', 'k', n::text, '', now() - interval '9 days' + n * interval '1 second'
FROM generate_series(1, $1) AS n
"""


async def test_purge_removes_what_was_withdrawn_long_enough_ago(
    db: Connection, make_task: TaskFactory
) -> None:
    old, recent, alive = [await make_task() for _ in range(3)]
    for task in (old, recent):
        await deletions.withdraw_task(db, task.id, None)
    await db.execute(
        "UPDATE tasks SET deleted_at = deleted_at - $1::interval WHERE id = $2",
        timedelta(days=31),
        old.id,
    )
    assert (await retention.purge_tasks(db, None, timedelta(days=30))).removed == 1
    left = {row["id"] for row in await db.fetch("SELECT id FROM tasks")}
    assert left == {recent.id, alive.id}


async def test_expired_answers_go_in_slices_and_the_others_stay(db: Connection) -> None:
    await db.execute(_EXPIRED, 1500)
    await db.execute("UPDATE replays SET claimed_at = now() WHERE idempotency_key = '1500'")
    first = await retention.purge_replays(db, None)
    second = await retention.purge_replays(db, first.end)
    assert (first.removed, second.removed) == (1000, 499)
    assert (await retention.purge_replays(db, second.end)).removed == 0
    assert await db.fetchval("SELECT idempotency_key FROM replays") == "1500"


async def test_a_slice_does_not_look_at_what_went_before_it(db: Connection) -> None:
    await db.execute(_EXPIRED, 1500)
    first = await retention.purge_replays(db, None)
    await db.execute(_EXPIRED, 10)
    assert (await retention.purge_replays(db, first.end)).removed == 500


async def test_the_hourly_purge_removes_more_answers_than_a_slice(database_url: str) -> None:
    settings = Settings(database_url=database_url)
    database = Database(settings)
    await database.open()
    async with database.connection() as db:
        await db.execute(_EXPIRED, 1500)
        await purge(database, settings)
        assert await db.fetchval("SELECT count(*) FROM replays") == 0
    await database.close()
