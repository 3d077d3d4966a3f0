"""What is removed in time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.config import Settings
from app.database import Database
from app.database.purge import purge, purge_regularly
from app.models.task import TaskFields
from app.services import Connection, deletions, retention, tasks
from app.services.retention import PORTION, Slice


async def test_withdrawn_tasks_go_in_time_and_the_others_stay(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url=database_url)
    database = Database(settings)
    await database.open()
    async with database.connection() as db:
        made = [await tasks.insert_task(db, "u", TaskFields(title=str(n))) for n in range(3)]
        for task in made[:2]:
            await deletions.withdraw_task(db, task.id, None)
        await db.execute(
            "UPDATE tasks SET deleted_at = now() - interval '31 days' WHERE id = $1", made[0].id
        )
    monkeypatch.setattr("app.database.purge._INTERVAL", 0.01)
    purging = asyncio.create_task(purge_regularly(database, settings))
    for _ in range(100):
        await asyncio.sleep(0.02)
        async with database.connection() as db:
            left = {row["id"] for row in await db.fetch("SELECT id FROM tasks")}
        if len(left) == 2:
            break
    purging.cancel()
    assert left == {made[1].id, made[2].id}
    await purge(database, settings.model_copy(update={"purge_after_days": 1}))
    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM tasks") == 2
    await database.close()


async def test_the_first_portion_that_is_not_full_is_the_last(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    portions = [Slice(PORTION, "the end"), Slice(3, "the end")]
    begun_after = []

    async def purge_tasks(_: Connection, after: Any, kept: timedelta) -> Slice:
        begun_after.append(after)
        return portions.pop(0)

    monkeypatch.setattr(retention, "purge_tasks", purge_tasks)
    settings = Settings(database_url=database_url)
    database = Database(settings)
    await database.open()
    await purge(database, settings)
    assert begun_after == [None, "the end"]
    await database.close()


async def test_a_fault_does_not_end_the_purging(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url=database_url)
    database = Database(settings)
    await database.open()
    async with database.connection() as db:
        task = await tasks.insert_task(db, "u", TaskFields(title="Old"))
        await db.execute("ALTER TABLE tasks RENAME deleted_at TO elsewhere")
    monkeypatch.setattr("app.database.purge._INTERVAL", 0.01)
    purging = asyncio.create_task(purge_regularly(database, settings))
    await asyncio.sleep(0.2)
    async with database.connection() as db:
        await db.execute("ALTER TABLE tasks RENAME elsewhere TO deleted_at")
        await db.execute("UPDATE tasks SET deleted_at = now() - interval '31 days'")
    await asyncio.sleep(0.5)
    purging.cancel()
    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM tasks WHERE id = $1", task.id) == 0
    await database.close()


async def test_an_absent_database_does_not_end_the_purging(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(database_url="postgresql://u@127.0.0.1:1/d")
    database = Database(settings)
    await database.open()
    monkeypatch.setattr("app.database.purge._INTERVAL", 0.01)
    purging = asyncio.create_task(purge_regularly(database, settings))
    await asyncio.sleep(0.2)
    assert not purging.done()
    purging.cancel()
    await database.close()
