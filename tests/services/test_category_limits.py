"""A user has 200 categories at most, and a task is in 50 at most, also when they come at once."""

import asyncio
from uuid import UUID, uuid4

import pytest

from app.errors import AlreadyAssigned, AppError, Full, Taken
from app.models.category import MOST_CATEGORIES, MOST_OF_A_TASK, CategoryFields
from app.models.task import Task, TaskFields
from app.services import Connection, categories, tasks
from tests.conftest import TaskFactory

USER = "user_123"
_FILL = """
INSERT INTO categories (user_id, name, color)
SELECT $1, 'Category ' || n, '#6366F1' FROM generate_series(1, $2::int) AS n RETURNING id
"""
_ASSIGN_ALL = """
INSERT INTO task_categories (user_id, task_id, category_id)
SELECT user_id, $1, id FROM categories WHERE id = ANY ($2)
"""


async def fill(db: Connection, count: int, user_id: str = USER) -> list[UUID]:
    return [row["id"] for row in await db.fetch(_FILL, user_id, count)]


async def create(db: Connection, name: str, user_id: str = USER) -> AppError | None:
    try:
        async with db.transaction():
            await categories.insert_category(db, user_id, CategoryFields(name=name))
    except AppError as error:
        return error
    return None


async def assign(db: Connection, task: Task, category_id: UUID) -> AppError | None:
    try:
        async with db.transaction():
            await categories.assign_category(db, task.id, category_id, USER)
    except AppError as error:
        return error
    return None


async def test_the_201st_category_is_refused_until_one_is_deleted(db: Connection) -> None:
    first, *_ = await fill(db, MOST_CATEGORIES)
    refusal = await create(db, "One more")
    assert isinstance(refusal, Full)
    assert (refusal.status, refusal.message) == (409, "A user may have at most 200 categories")
    assert await create(db, "Another's", "another") is None
    await categories.delete_category(db, first, USER)
    assert await create(db, "One more") is None


async def test_a_name_is_still_taken_where_there_is_room(db: Connection) -> None:
    await fill(db, MOST_CATEGORIES - 1)
    assert isinstance(await create(db, "Category 7"), Taken)


async def test_of_eight_categories_at_once_as_many_pass_as_there_is_room_for(
    crowd: list[Connection],
) -> None:
    await fill(crowd[0], MOST_CATEGORIES - 2)
    refusals = await asyncio.gather(*(create(db, f"New {uuid4()}"[:50]) for db in crowd))
    assert sorted(map(type, refusals), key=str) == [type(None)] * 2 + [Full] * 6
    assert len(await categories.list_categories(crowd[0], USER)) == MOST_CATEGORIES


async def test_the_51st_category_of_a_task_is_refused_and_writes_nothing(
    db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task()
    *assigned, last = await fill(db, MOST_OF_A_TASK + 1)
    await db.execute(_ASSIGN_ALL, task.id, assigned)
    refusal = await assign(db, task, last)
    assert isinstance(refusal, Full)
    assert (refusal.status, refusal.message) == (409, "A task may have at most 50 categories")
    assert isinstance(await assign(db, task, assigned[0]), AlreadyAssigned)
    assert (await tasks.fetch_task(db, task.id, USER)).version == 1
    await categories.unassign_category(db, task.id, assigned[0], USER)
    assert await assign(db, task, last) is None


async def test_of_eight_assignments_at_once_as_many_pass_as_there_is_room_for(
    crowd: list[Connection],
) -> None:
    task = await tasks.insert_task(crowd[0], USER, TaskFields(title="Feed cat"))
    made = await fill(crowd[0], MOST_OF_A_TASK + 6)
    await crowd[0].execute(_ASSIGN_ALL, task.id, made[8:])
    refusals = await asyncio.gather(
        *(assign(db, task, one) for db, one in zip(crowd, made, strict=False))
    )
    assert sorted(map(type, refusals), key=str) == [type(None)] * 2 + [Full] * 6
    labels = await categories.fetch_labels(crowd[0], USER, [task.id])
    assert len(labels[task.id]) == MOST_OF_A_TASK


@pytest.mark.parametrize("count", [0, 2000])
async def test_what_was_there_before_the_limit_stays(db: Connection, count: int) -> None:
    made = await fill(db, count)
    assert len(await categories.list_categories(db, USER)) == count
    assert len(await categories.find_labels(db, USER, made)) == count
