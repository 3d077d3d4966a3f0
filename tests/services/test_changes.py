import asyncio
from collections import Counter
from typing import cast

import asyncpg
import pytest

from app.errors import NotFound
from app.models.task import TaskChanges, TaskFields
from app.models.task_list import TaskFilter
from app.services import Connection, deletions, task_lists, tasks
from tests.conftest import MISSING_ID, TaskFactory

_LOG = """
SELECT kind, operation, user_id, entity_id, sequence, fields
FROM changes WHERE user_id = $1 ORDER BY position
"""


async def test_each_write_appends_exactly_one_row(db: Connection, make_task: TaskFactory) -> None:
    task = await make_task()
    await tasks.update_task(db, task.id, None, TaskChanges(title="Feed dog", priority=None))
    await deletions.delete_task(db, task.id, None)
    assert [tuple(row) for row in await db.fetch(_LOG, "user_123")] == [
        ("task", "created", "user_123", task.id, 1, []),
        ("task", "updated", "user_123", task.id, 2, ["priority", "title"]),
        ("task", "deleted", "user_123", task.id, 3, []),
    ]


async def test_reading_appends_nothing(db: Connection, make_task: TaskFactory) -> None:
    task = await make_task()
    await tasks.fetch_task(db, task.id, None)
    await task_lists.fetch_page(db, "user_123", TaskFilter())
    assert len(await db.fetch(_LOG, "user_123")) == 1


async def test_change_belongs_to_the_owner_of_the_task_whoever_wrote_it(
    db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task(user_id="owner")
    await tasks.update_task(db, task.id, None, TaskChanges(status="completed"))
    assert [row["operation"] for row in await db.fetch(_LOG, "owner")] == ["created", "updated"]


async def test_sequence_counts_each_user_apart(db: Connection, make_task: TaskFactory) -> None:
    for user_id in ("ann", "bob", "ann", "ann", "bob"):
        await make_task(user_id=user_id)
    assert [row["sequence"] for row in await db.fetch(_LOG, "ann")] == [1, 2, 3]
    assert [row["sequence"] for row in await db.fetch(_LOG, "bob")] == [1, 2]


async def test_failed_write_appends_nothing_and_burns_no_number(
    db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task()
    title = TaskChanges(title="Mine now")
    with pytest.raises(NotFound):
        await tasks.update_task(db, MISSING_ID, None, title)
    with pytest.raises(NotFound):
        await tasks.update_task(db, task.id, "stranger", title)
    with pytest.raises(NotFound):
        await deletions.delete_task(db, MISSING_ID, None)
    with pytest.raises(NotFound):
        await deletions.delete_task(db, task.id, "stranger")
    await deletions.delete_task(db, task.id, "user_123")
    assert [(row["operation"], row["sequence"]) for row in await db.fetch(_LOG, "user_123")] == [
        ("created", 1),
        ("deleted", 2),
    ]
    assert await db.fetch(_LOG, "stranger") == []


async def test_rolled_back_write_burns_no_number(db: Connection, make_task: TaskFactory) -> None:
    transaction = db.transaction()
    await transaction.start()
    await make_task()
    await transaction.rollback()
    await make_task()
    assert [row["sequence"] for row in await db.fetch(_LOG, "user_123")] == [1]


async def test_twenty_concurrent_writers_leave_no_gap(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=20, max_size=20) as pool:

        async def write(writer: int) -> None:
            async with pool.acquire() as lent:
                db = cast(Connection, lent)
                task = await tasks.insert_task(db, "busy", TaskFields(title=f"Task {writer}"))
                await tasks.update_task(db, task.id, "busy", TaskChanges(status="completed"))
                with pytest.raises(NotFound):
                    await deletions.delete_task(db, MISSING_ID, "busy")
                if writer % 2:
                    await deletions.delete_task(db, task.id, "busy")

        await asyncio.gather(*(write(writer) for writer in range(20)))
        log = await pool.fetch(_LOG, "busy")
    assert sorted(row["sequence"] for row in log) == list(range(1, 51))
    assert Counter(row["operation"] for row in log) == {"created": 20, "updated": 20, "deleted": 10}


async def test_sequence_follows_the_order_in_which_writes_committed(database_url: str) -> None:
    first, second = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    transaction = first.transaction()
    await transaction.start()
    early = await tasks.insert_task(first, "busy", TaskFields(title="Early"))
    waiting = asyncio.create_task(tasks.insert_task(second, "busy", TaskFields(title="Late")))
    _, pending = await asyncio.wait({waiting}, timeout=0.1)
    assert pending == {waiting}
    await transaction.commit()
    late = await waiting
    log = await first.fetch(_LOG, "busy")
    assert [(row["entity_id"], row["sequence"]) for row in log] == [(early.id, 1), (late.id, 2)]
    await asyncio.gather(first.close(), second.close())
