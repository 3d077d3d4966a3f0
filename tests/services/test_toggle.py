"""Completing and reopening a task in one statement."""

import asyncio

import pytest

from app.config import Settings
from app.database import Database
from app.errors import NotFound
from app.models.task import TaskFields
from app.services import Connection, tasks
from tests.conftest import MISSING_ID, TaskFactory


@pytest.mark.parametrize(
    ("before", "after"),
    [("pending", "completed"), ("in_progress", "completed"), ("completed", "pending")],
)
async def test_toggling_completes_what_is_open_and_reopens_what_is_completed(
    db: Connection, make_task: TaskFactory, before: str, after: str
) -> None:
    task = await make_task(status=before)
    toggled = await tasks.toggle_task(db, task.id, "user_123")
    assert (toggled.status, toggled.version) == (after, 2)
    assert (toggled.completed_at is not None) == (after == "completed")
    change = await db.fetchrow(
        "SELECT * FROM changes WHERE entity_id = $1 AND sequence = 2", task.id
    )
    assert change is not None
    assert (change["operation"], change["fields"]) == ("updated", ["status"])


async def test_toggling_completes_a_cancelled_task(db: Connection, make_task: TaskFactory) -> None:
    task = await make_task()
    await db.execute("UPDATE tasks SET status = 'cancelled' WHERE id = $1", task.id)
    assert (await tasks.toggle_task(db, task.id, "user_123")).status == "completed"


@pytest.mark.parametrize("owner", ["another", "user_123"])
async def test_toggling_a_foreign_or_missing_task_is_not_found(
    db: Connection, make_task: TaskFactory, owner: str
) -> None:
    task = await make_task()
    with pytest.raises(NotFound):
        await tasks.toggle_task(db, MISSING_ID if owner == "user_123" else task.id, owner)
    assert (await tasks.fetch_task(db, task.id, None)).version == 1


async def test_of_twenty_toggles_at_once_none_reads_an_old_state(database_url: str) -> None:
    database = Database(Settings(database_url=database_url))
    await database.open()
    async with database.connection() as db:
        task = await tasks.insert_task(db, "user_123", TaskFields(title="Feed cat"))

    async def toggle() -> tuple[int, str]:
        async with database.connection() as db:
            toggled = await tasks.toggle_task(db, task.id, "user_123")
            return toggled.version, toggled.status

    states = sorted(await asyncio.gather(*(toggle() for _ in range(20))))
    await database.close()
    assert [version for version, _ in states] == list(range(2, 22))
    assert [status for _, status in states] == ["completed", "pending"] * 10
