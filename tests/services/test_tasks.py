import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.errors import NotFound
from app.models.task import Task, TaskChanges, TaskFields
from app.models.task_list import Slice, TaskFilter
from app.services import Connection, deletions, task_lists, tasks
from tests.conftest import MISSING_ID, TaskFactory

with_db = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)
titles = texts.map("{}🐈".format)
instants = st.datetimes(datetime(1900, 1, 2), datetime(9998, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
values = {
    "title": titles,
    "description": st.none() | texts,
    "status": st.sampled_from(["pending", "in_progress", "completed"]),
    "priority": st.none() | st.sampled_from(["low", "medium", "high", "urgent"]),
    "due_date": st.none() | instants,
    "tags": st.lists(titles, max_size=3),
}
field_sets = st.fixed_dictionaries(values)
partial_updates = st.fixed_dictionaries({}, optional=values).filter(bool)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def backdate(db: Connection, task: Task) -> None:
    await db.execute(
        "UPDATE tasks SET updated_at = $2, completed_at = $2 WHERE id = $1", task.id, LONG_AGO
    )


async def change(db: Connection, task: Task, **fields: Any) -> Task:
    return await tasks.update_task(db, task.id, None, TaskChanges(**fields))


async def listed(db: Connection, user_id: str = "user_123", **filters: Any) -> list[dict[str, Any]]:
    """All tasks of the user, page after page."""
    page = await task_lists.fetch_page(db, user_id, TaskFilter(**filters))
    found: list[dict[str, Any]] = json.loads(b"[%b]" % page.tasks)
    assert page.size == len(found)
    while page.last is not None:
        page = await task_lists.fetch_page(
            db, user_id, TaskFilter(**filters), part=Slice(after=page.last)
        )
        found += json.loads(b"[%b]" % page.tasks)
    return found


async def test_new_task_has_the_documented_defaults(make_task: TaskFactory) -> None:
    task = await make_task()
    assert (task.status, task.priority, task.description) == ("pending", None, None)
    assert (task.due_date, task.completed_at, task.deleted_at) == (None, None, None)
    assert (task.tags, task.version) == ([], 1)
    assert task.created_at == task.updated_at
    assert abs(task.created_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_new_task_has_a_time_ordered_id(make_task: TaskFactory) -> None:
    ids = [(await make_task()).id for _ in range(3)]
    assert {task_id.version for task_id in ids} == {7}
    milliseconds = [task_id.int >> 80 for task_id in ids]
    assert milliseconds == sorted(milliseconds)
    assert abs(milliseconds[0] / 1000 - datetime.now(UTC).timestamp()) < 60


@given(fields=field_sets)
@with_db
async def test_stored_task_is_fetched_as_it_was_given(
    db: Connection, fields: dict[str, Any]
) -> None:
    stored = await tasks.insert_task(db, "user_123", TaskFields(**fields))
    fetched = await tasks.fetch_task(db, stored.id, "user_123")
    assert fetched == stored
    assert vars(fetched) == {**vars(fetched), **fields}


@given(before=field_sets, update=partial_updates)
@with_db
async def test_update_changes_exactly_the_given_fields(
    db: Connection, before: dict[str, Any], update: dict[str, Any]
) -> None:
    task = await tasks.insert_task(db, "user_123", TaskFields(**before))
    await backdate(db, task)
    updated = await change(db, task, **update)
    assert vars(updated) == {**vars(updated), **before, **update}
    assert (updated.id, updated.user_id, updated.created_at) == (
        *(task.id, task.user_id, task.created_at),
    )
    assert updated.version == 2
    assert updated.updated_at > LONG_AGO
    assert updated == await tasks.fetch_task(db, task.id, None)


async def test_null_clears_what_may_be_empty(db: Connection, make_task: TaskFactory) -> None:
    task = await make_task(description="Salmon", priority="high", due_date="2030-01-01T00:00:00Z")
    cleared = await change(db, task, description=None, priority=None, due_date=None)
    assert (cleared.description, cleared.priority, cleared.due_date) == (None, None, None)
    assert cleared.title == "Feed cat"


async def test_each_update_raises_the_version_by_one(
    db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task()
    assert [(await change(db, task, title="Feed cat")).version for _ in range(3)] == [2, 3, 4]


async def test_creating_as_completed_stamps_completed_at(make_task: TaskFactory) -> None:
    task = await make_task(status="completed")
    assert task.completed_at == task.created_at


async def test_completing_stamps_completed_at(db: Connection, make_task: TaskFactory) -> None:
    completed = await change(db, await make_task(), status="completed")
    assert completed.completed_at == completed.updated_at


async def test_completing_again_stamps_completed_at_anew(
    db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task(status="completed")
    await backdate(db, task)
    again = await change(db, task, status="completed")
    assert again.completed_at == again.updated_at > task.created_at


@pytest.mark.parametrize("status", ["pending", "in_progress"])
async def test_reopening_clears_completed_at(
    db: Connection, make_task: TaskFactory, status: str
) -> None:
    task = await make_task(status="completed")
    assert (await change(db, task, status=status)).completed_at is None


async def test_update_without_status_leaves_completed_at(
    db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task(status="completed")
    await backdate(db, task)
    assert (await change(db, task, title="Feed dog")).completed_at == LONG_AGO


Access = Callable[[Connection, UUID, str | None], Awaitable[object]]
ACCESSES: list[Access] = [
    tasks.fetch_task,
    lambda db, task_id, owner: tasks.update_task(db, task_id, owner, TaskChanges(title="x")),
    deletions.delete_task,
]
each_access = pytest.mark.parametrize("access", ACCESSES, ids=["fetch", "update", "delete"])


@each_access
@pytest.mark.parametrize("owner", [None, "user_123"])
async def test_owner_and_trusted_caller_reach_the_task(
    db: Connection, make_task: TaskFactory, access: Access, owner: str | None
) -> None:
    await access(db, (await make_task()).id, owner)


@each_access
async def test_foreign_task_is_not_found_and_stays_as_it_is(
    db: Connection, make_task: TaskFactory, access: Access
) -> None:
    task = await make_task()
    with pytest.raises(NotFound, match=f"^Task not found: {task.id}$"):
        await access(db, task.id, "another")
    assert await tasks.fetch_task(db, task.id, None) == task


@each_access
async def test_missing_task_is_not_found(db: Connection, access: Access) -> None:
    with pytest.raises(NotFound, match=f"^Task not found: {MISSING_ID}$"):
        await access(db, MISSING_ID, None)


@each_access
async def test_soft_deleted_task_is_not_found(
    db: Connection, make_task: TaskFactory, access: Access
) -> None:
    task = await make_task()
    await db.execute("UPDATE tasks SET deleted_at = now() WHERE id = $1", task.id)
    with pytest.raises(NotFound):
        await access(db, task.id, None)
    assert await listed(db) == []
    assert await db.fetchval("SELECT version FROM tasks WHERE id = $1", task.id) == 1


async def test_deletion_is_permanent_and_a_second_one_not_found(
    db: Connection, make_task: TaskFactory
) -> None:
    task, other = await make_task(), await make_task()
    await deletions.delete_task(db, task.id, None)
    assert await db.fetchval("SELECT count(*) FROM tasks WHERE id = $1", task.id) == 0
    with pytest.raises(NotFound):
        await deletions.delete_task(db, task.id, None)
    assert [task["id"] for task in await listed(db)] == [str(other.id)]


async def test_row_of_another_door_is_read_as_it_is(db: Connection) -> None:
    task_id = await db.fetchval(
        "INSERT INTO tasks (user_id, title, status, priority, due_date, tags) "
        "VALUES ('user_123', repeat('x', 500), 'on_hold', 'critical', '1901-01-01Z', '{a,b}') "
        "RETURNING id"
    )
    task = await tasks.fetch_task(db, task_id, None)
    assert (task.title, task.status, task.priority) == ("x" * 500, "on_hold", "critical")
    assert task.tags == ["a", "b"]
    (shown,) = await listed(db)
    assert (shown["status"], shown["due_date"]) == ("on_hold", "1901-01-01T00:00:00Z")
    updated = await change(db, task, title="Short")
    assert (updated.title, updated.status) == ("Short", "on_hold")
