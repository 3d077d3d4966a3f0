"""Lists of a user's tasks, in one page and in many."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.task import TaskFields
from app.models.task_list import PAGE_SIZE, Slice, TaskFilter
from app.services import Connection, task_lists, tasks
from tests.conftest import TaskFactory
from tests.services.test_tasks import field_sets, listed, titles, with_db


async def test_list_is_newest_first_and_ties_are_broken_by_id(
    db: Connection, make_task: TaskFactory
) -> None:
    made = [await make_task() for _ in range(6)]
    for task, day in zip(made, (2, 1, 2, 3, 1, 3), strict=True):
        created_at = datetime(2026, 1, day, tzinfo=UTC)
        await db.execute("UPDATE tasks SET created_at = $2 WHERE id = $1", task.id, created_at)
        task.created_at = created_at
    expected = sorted(made, key=lambda task: (task.created_at, task.id), reverse=True)
    assert [task["id"] for task in await listed(db)] == [str(task.id) for task in expected]


async def test_list_shows_only_the_users_tasks_that_pass_both_filters(
    db: Connection, make_task: TaskFactory
) -> None:
    await make_task(user_id="another", status="completed", priority="low")
    await make_task(title="both", status="completed", priority="low")
    await make_task(title="status", status="completed", priority="high")
    await make_task(title="priority", priority="low")

    async def titled(**filters: Any) -> set[str]:
        return {task["title"] for task in await listed(db, **filters)}

    assert await titled() == {"both", "status", "priority"}
    assert await titled(status="completed") == {"both", "status"}
    assert await titled(priority="low") == {"both", "priority"}
    assert await titled(status="completed", priority="low") == {"both"}
    assert await titled(status="cancelled") == set()


async def test_user_without_tasks_has_an_empty_list(db: Connection) -> None:
    assert await listed(db, "nobody") == []


@given(fields=st.lists(field_sets, min_size=1, max_size=4), user_id=titles)
@with_db
async def test_list_json_is_what_pydantic_writes_of_the_same_tasks(
    db: Connection, fields: list[dict[str, Any]], user_id: str
) -> None:
    async with db.transaction():
        await db.execute("DELETE FROM tasks WHERE user_id = $1", user_id)
        made = [await tasks.insert_task(db, user_id, TaskFields(**each)) for each in fields]
        found = await listed(db, user_id)
    newest_first = sorted(made, key=lambda task: task.id, reverse=True)
    assert found == [json.loads(task.model_dump_json()) for task in newest_first]


@pytest.mark.parametrize(
    "text", ['"quoted"', "back\\slash", "two\nlines\r\t", "🐈 ☃ \u2028\x7f\x01"]
)
@pytest.mark.parametrize("microsecond", [0, 1, 500_000, 999_999])
async def test_list_spells_text_and_instants_as_pydantic_does(
    db: Connection, make_task: TaskFactory, text: str, microsecond: int
) -> None:
    moment = datetime(2026, 11, 20, 10, 0, 0, microsecond, UTC)
    task = await make_task(title=text, description=text, due_date=moment, status="completed")
    await db.execute("UPDATE tasks SET created_at = $1, completed_at = $1", moment)
    [shown] = await listed(db)
    stored = await tasks.fetch_task(db, task.id, None)
    assert shown == json.loads(stored.model_dump_json())
    assert (shown["title"], shown["description"]) == (text, text)


async def fill(db: Connection, count: int, user_id: str = "user_123") -> None:
    """So many tasks, always ten of them at one instant."""
    await db.execute(
        """
        INSERT INTO tasks (user_id, title, created_at)
        SELECT $1, 'Task ' || n, now() - n / 10 * interval '1 minute'
        FROM generate_series(1, $2::int) AS n
        """,
        user_id,
        count,
    )


@pytest.mark.parametrize("count", [PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 1234])
async def test_pages_together_are_the_whole_list(db: Connection, count: int) -> None:
    await fill(db, count)
    expected = await db.fetch(
        "SELECT id FROM tasks WHERE user_id = 'user_123' ORDER BY created_at DESC, id DESC"
    )
    assert [task["id"] for task in await listed(db)] == [str(row["id"]) for row in expected]


async def test_a_task_deleted_or_added_between_two_pages_moves_no_other(db: Connection) -> None:
    await fill(db, PAGE_SIZE + 200)
    first = await task_lists.fetch_page(db, "user_123", TaskFilter())
    shown = [task["id"] for task in json.loads(b"[%b]" % first.tasks)]
    await tasks.insert_task(db, "user_123", TaskFields(title="newest"))
    await db.execute("DELETE FROM tasks WHERE id = $1", shown[-1])
    second = await task_lists.fetch_page(db, "user_123", TaskFilter(), part=Slice(after=first.last))
    following = {task["id"] for task in json.loads(b"[%b]" % second.tasks)}
    assert len(following) == 200
    assert following.isdisjoint(shown)
