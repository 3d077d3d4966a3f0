"""Tasks and categories that are deleted while somebody assigns, removes or deletes them too."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from app.errors import NotFound
from app.models.category import Category, CategoryFields
from app.models.task import Task, TaskFields
from app.services import Connection, categories, deletions, tasks

USER = "user_123"
Step = Callable[[Connection, Task, Category], Coroutine[Any, Any, object]]

_COUNT_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def assign(db: Connection, task: Task, category: Category) -> object:
    async with db.transaction():
        return await categories.assign_category(db, task.id, category.id, USER)


async def unassign(db: Connection, task: Task, category: Category) -> object:
    async with db.transaction():
        return await categories.unassign_category(db, task.id, category.id, USER)


async def delete_task(db: Connection, task: Task, _: Category) -> None:
    await deletions.delete_task(db, task.id, USER)


async def withdraw_task(db: Connection, task: Task, _: Category) -> None:
    await deletions.withdraw_task(db, task.id, USER)


async def delete_category(db: Connection, _: Task, category: Category) -> None:
    async with db.transaction():
        await categories.delete_category(db, category.id, USER)


async def make(db: Connection, *, assigned: bool) -> tuple[Task, Category]:
    task = await tasks.insert_task(db, USER, TaskFields(title="Feed cat"))
    category = await categories.insert_category(db, USER, CategoryFields(name="Litter"))
    if assigned:
        await assign(db, task, category)
    return task, category


async def waiting(db: Connection, count: int) -> None:
    """Returns once so many statements wait for a lock."""
    async with asyncio.timeout(5):
        while await db.fetchval(_COUNT_WAITING) < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("change", "deletion", "missing"),
    [
        (assign, delete_category, "Category not found: {category}"),
        (assign, delete_task, "Task not found: {task}"),
        (assign, withdraw_task, "Task not found: {task}"),
        (unassign, delete_category, "Category not found: {category}"),
        (unassign, delete_task, "Task not found: {task}"),
        (unassign, withdraw_task, "Task not found: {task}"),
        (delete_category, delete_category, "Category not found: {category}"),
    ],
)
async def test_what_another_one_has_just_deleted_is_not_found(
    crowd: list[Connection], change: Step, deletion: Step, missing: str
) -> None:
    first, second, observer, *_ = crowd
    task, category = await make(first, assigned=change is unassign)
    async with first.transaction():
        await deletion(first, task, category)
        changing = asyncio.create_task(change(second, task, category))
        await waiting(observer, 1)
    with pytest.raises(NotFound) as error:
        await changing
    assert type(error.value) is NotFound
    assert error.value.message == missing.format(task=task.id, category=category.id)


async def test_removal_and_deletion_of_a_task_never_wait_for_each_other(
    crowd: list[Connection],
) -> None:
    busy, deleting, removing, observer, *_ = crowd
    task, category = await make(busy, assigned=True)
    async with busy.transaction():
        await tasks.insert_task(busy, USER, TaskFields(title="Another write of the user"))
        deletion = asyncio.create_task(delete_task(deleting, task, category))
        await waiting(observer, 1)
        removal = asyncio.create_task(unassign(removing, task, category))
        await waiting(observer, 2)
    await deletion
    with suppress(NotFound):  # or it came first
        await removal
    log = await busy.fetch("SELECT sequence FROM changes ORDER BY changed_at")
    assert [row["sequence"] for row in log] == list(range(1, len(log) + 1))
