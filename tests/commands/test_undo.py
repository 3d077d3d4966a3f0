"""What a change overwrote comes back, and goes again."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient

from app.services import Connection
from app.services.log_pruning import forget_content
from tests.conftest import SERVICE_HEADERS, Execute

FULL = {
    "title": "Übung",
    "description": 'Äpfel \u2028 \\ " ,',
    "status": "completed",
    "priority": "high",
    "due_date": "2030-01-01T00:00:00.123456Z",
    "tags": ["a", "b,c", '"{}'],
}


async def data(execute: Execute, action: str, **payload: Any) -> dict[str, Any]:
    response = await execute(action, **payload)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()["data"]
    return found


async def refusal(execute: Execute, **payload: Any) -> tuple[int, str | None]:
    response = await execute("undo", **payload)
    return response.status_code, response.json().get("code")


async def last(db: Connection) -> int:
    sequence: int = await db.fetchval("SELECT max(sequence) FROM changes")
    return sequence


async def stored(db: Connection) -> list[dict[str, Any]]:
    rows = await db.fetch("SELECT * FROM tasks WHERE deleted_at IS NULL ORDER BY id")
    return [
        {name: row[name] for name in dict(row).keys() - {"version", "updated_at"}} for row in rows
    ]


async def completions(db: Connection) -> list[tuple[Any, ...]]:
    rows = await db.fetch(
        "SELECT task_id, completed_at, due_date, reopened_at FROM completions ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


async def test_old_values_of_an_update_come_back(execute: Execute, db: Connection) -> None:
    task = await data(execute, "create-task", **FULL)
    before = await stored(db), await completions(db)
    change = dict.fromkeys(("description", "priority", "due_date"))
    await data(
        execute, "update-task", task_id=task["id"], title="x", status="pending", tags=[], **change
    )
    after = await stored(db), await completions(db)
    undone = await data(execute, "undo", sequence=2)
    assert undone == {"undone": [2], "tasks": [task]}
    assert (await stored(db), await completions(db)) == before
    await data(execute, "undo", sequence=3)
    assert (await stored(db), await completions(db)) == after


async def test_a_title_that_comes_back_is_found_and_ordered_at_once(execute: Execute) -> None:
    task = await data(execute, "create-task", title="Übung")
    await data(execute, "create-task", title="Vogel")
    await data(execute, "create-task", title="Spiel")
    await data(execute, "update-task", task_id=task["id"], title="x")
    await data(execute, "undo", sequence=4)
    found = await data(execute, "list-tasks", search="übung")
    assert [one["title"] for one in found["tasks"]] == ["Übung"]
    ordered = await data(execute, "list-tasks", sort="title")
    assert [one["title"] for one in ordered["tasks"]] == ["Spiel", "Übung", "Vogel"]


async def test_a_deleted_task_comes_back_with_its_id_and_all_its_fields(
    execute: Execute, db: Connection
) -> None:
    task = await data(execute, "create-task", **FULL)
    category = await data(execute, "create-category", name="Litter")
    link = {"task_id": task["id"], "category_id": category["id"]}
    categorized = await data(execute, "assign-category", **link)
    before = await stored(db), await completions(db)
    await data(execute, "delete-task", task_id=task["id"])
    assert await completions(db) == before[1]
    undone = await data(execute, "undo", sequence=3)
    assert undone["tasks"] == [task]
    assert (await stored(db), await completions(db)) == before
    links = await db.fetch("SELECT category_id FROM task_categories")
    assert [str(row["category_id"]) for row in links] == [category["id"]]
    assert categorized["categories"]


async def test_a_created_task_goes_and_its_completion_with_it(
    execute: Execute, db: Connection
) -> None:
    task = await data(execute, "create-task", **FULL)
    before = await stored(db), await completions(db)
    assert await data(execute, "undo", sequence=1) == {"undone": [1], "tasks": []}
    assert (await stored(db), await completions(db)) == ([], [])
    assert (await data(execute, "undo", sequence=2))["tasks"] == [task]
    assert (await stored(db), await completions(db)) == before


async def test_withdrawals_and_restorations_are_undone(execute: Execute, db: Connection) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "delete-task", task_id=task["id"], permanent=False)
    assert (await data(execute, "undo", sequence=2))["tasks"] == [task]
    assert (await data(execute, "undo", sequence=3))["tasks"] == []
    await data(execute, "restore-task", task_id=task["id"])
    assert (await data(execute, "undo", sequence=5))["tasks"] == []
    assert await db.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NOT NULL") == 1


async def test_a_completion_is_taken_back_and_a_reopening_goes_on(
    execute: Execute, db: Connection
) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "update-task", task_id=task["id"], status="completed")
    [first] = await completions(db)
    await data(execute, "update-task", task_id=task["id"], status="completed")
    assert await completions(db) == [first]
    await data(execute, "update-task", task_id=task["id"], status="in_progress")
    [reopened] = await completions(db)
    assert (reopened[:3], reopened[3] is None) == (first[:3], False)
    await data(execute, "undo", sequence=4)
    assert await completions(db) == [first]
    await data(execute, "undo", sequence=5)
    assert await completions(db) == [reopened]
    await data(execute, "undo", sequence=6)
    await data(execute, "undo", sequence=3)
    await data(execute, "undo", sequence=2)
    assert await completions(db) == []
    await data(execute, "undo", sequence=9)
    assert await completions(db) == [first]


async def test_the_change_that_undoes_is_told_as_what_it_does(execute: Execute) -> None:
    begun = (await data(execute, "list-changes"))["cursor"]
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "update-task", task_id=task["id"], status="completed")
    await data(execute, "undo", sequence=2)
    await data(execute, "undo", sequence=1)
    await data(execute, "undo", sequence=4)
    changes = (await data(execute, "list-changes", cursor=begun))["changes"]
    assert [change["type"] for change in changes] == [
        "task.created",
        "task.completed",
        "task.reopened",
        "task.deleted",
        "task.restored",
    ]


async def test_what_was_changed_since_is_409_and_nothing_is_written(execute: Execute) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "update-task", task_id=task["id"], title="Feed dog", priority="high")
    await data(execute, "update-task", task_id=task["id"], title="Feed bird", tags=["x"])
    response = await execute("undo", sequence=2)
    assert response.status_code == 409
    assert response.json() == {
        "detail": "The task was changed since: title",
        "code": "changed_since",
        "fields": ["title"],
    }
    assert await refusal(execute, sequence=1) == (409, "changed_since")
    await data(execute, "update-task", task_id=task["id"], status="in_progress")
    await data(execute, "undo", sequence=3)
    assert (await data(execute, "undo", sequence=2))["tasks"][0]["title"] == "Feed cat"


async def test_what_is_undone_is_not_undone_twice(execute: Execute) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "update-task", task_id=task["id"], title="Feed dog")
    await data(execute, "undo", sequence=2)
    assert await refusal(execute, sequence=2) == (409, "already_undone")
    await data(execute, "undo", sequence=3)
    assert (await data(execute, "undo", sequence=2))["tasks"][0]["title"] == "Feed cat"


async def test_a_change_of_a_deleted_task_is_409(execute: Execute) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "update-task", task_id=task["id"], title="Feed dog")
    await data(execute, "delete-task", task_id=task["id"])
    assert await refusal(execute, sequence=2) == (409, "changed_since")


async def test_what_is_not_there_is_404_and_what_is_not_kept_410(
    execute: Execute, db: Connection
) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "update-task", task_id=task["id"], title="Feed dog")
    await data(execute, "create-task", title="Another")
    await data(execute, "delete-task", task_id=task["id"])
    assert await refusal(execute, sequence=5) == (404, "not_found")
    assert await refusal(execute, user_id="stranger", sequence=1) == (404, "not_found")
    assert await refusal(execute, command_id="unknown") == (404, "not_found")
    await db.execute("DELETE FROM changes WHERE sequence = 1")
    await db.execute("UPDATE changes SET before = NULL")
    assert await refusal(execute, sequence=1) == (410, "gone")
    assert await refusal(execute, sequence=4) == (410, "gone")


async def test_deletion_is_repeated_as_it_was_or_not_at_all(
    execute: Execute, db: Connection
) -> None:
    withdrawn = await data(execute, "create-task", title="Feed cat")
    deleted = await data(execute, "create-task", title="Feed dog")
    await data(execute, "delete-task", task_id=withdrawn["id"], permanent=False)
    await data(execute, "delete-task", task_id=deleted["id"], permanent=True)
    await data(execute, "undo", sequence=3)
    await data(execute, "undo", sequence=4)
    await db.execute("UPDATE changes SET changed_at = now() - interval '8 days'")
    await forget_content(db, timedelta(days=7))
    assert await refusal(execute, sequence=6) == (410, "gone")
    await data(execute, "undo", sequence=5)
    await data(execute, "restore-task", task_id=withdrawn["id"])
    assert [task["title"] for task in await stored(db)] == ["Feed cat", "Feed dog"]
    await db.execute("DELETE FROM changes WHERE sequence = 4")
    assert await refusal(execute, sequence=6) == (410, "gone")


@pytest.mark.parametrize(
    "payload", [{}, {"sequence": 1, "command_id": "x"}, {"sequence": 0}, {"command_id": ""}]
)
async def test_one_change_or_one_command_is_named(
    execute: Execute, payload: dict[str, Any]
) -> None:
    assert (await execute("undo", **payload)).status_code == 400


async def test_a_command_is_undone_by_its_id(execute: Execute, client: AsyncClient) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    headers = {**SERVICE_HEADERS, "Idempotency-Key": "offline-7"}
    payload = {"task_id": task["id"], "title": "Feed dog"}
    command = {"action": "update-task", "user_id": "user_123", "payload": payload}
    await client.post("/execute", json=command, headers=headers)
    undone = await data(execute, "undo", command_id="offline-7")
    assert undone == {"undone": [2], "tasks": [task]}


async def test_what_a_command_changed_together_is_undone_together(
    execute: Execute, db: Connection
) -> None:
    batch_id = UUID(int=7)
    made = [await data(execute, "create-task", title=title) for title in ("One", "Two")]
    for task in made:
        await data(execute, "update-task", task_id=task["id"], title="Changed")
    await data(execute, "update-task", task_id=made[0]["id"], title="Changed again")
    await db.execute(
        "UPDATE changes SET batch_id = $1, command_id = 'c-' || sequence WHERE sequence > 2",
        batch_id,
    )
    response = await execute("undo", command_id="c-4")
    assert response.json()["data"] == {"undone": [3, 4, 5], "tasks": made}
    own = response.headers["x-request-id"]
    redone = await data(execute, "undo", command_id=own)
    assert [task["title"] for task in redone["tasks"]] == ["Changed again", "Changed"]
    assert redone["undone"] == [6, 7, 8]


async def test_of_changes_undone_together_all_stay_where_one_cannot(
    execute: Execute, db: Connection
) -> None:
    made = [await data(execute, "create-task", title=title) for title in ("One", "Two")]
    for task in made:
        await data(execute, "update-task", task_id=task["id"], title="Changed")
    await db.execute(
        "UPDATE changes SET batch_id = $1, command_id = 'c' WHERE sequence > 2", UUID(int=7)
    )
    await data(execute, "update-task", task_id=made[0]["id"], title="Changed again")
    before = await stored(db)
    assert await refusal(execute, command_id="c") == (409, "changed_since")
    assert (await stored(db), await last(db)) == (before, 5)


async def test_a_category_comes_back_to_its_task_while_it_is_there(
    execute: Execute, db: Connection
) -> None:
    task = await data(execute, "create-task", title="Feed cat")
    category = await data(execute, "create-category", name="Litter")
    link = {"task_id": task["id"], "category_id": category["id"]}
    count = "SELECT count(*) FROM task_categories"
    await data(execute, "assign-category", **link)
    await data(execute, "undo", sequence=2)
    assert await db.fetchval(count) == 0
    await data(execute, "undo", sequence=3)
    assert await db.fetchval(count) == 1
    await data(execute, "delete-category", category_id=category["id"])
    assert await last(db) == 5
    assert await refusal(execute, sequence=5) == (410, "gone")
