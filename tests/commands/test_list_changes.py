"""The feed: what changed, from a cursor on."""

from typing import Any

import pytest

from app.models.change import cursor
from app.services import Connection
from tests.conftest import MISSING_ID, SERVICE_HEADERS, CallFactory, ContactFactory, Execute


async def data(execute: Execute, action: str, **payload: Any) -> dict[str, Any]:
    response = await execute(action, **payload)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()["data"]
    return found


async def start(execute: Execute) -> str:
    found = await data(execute, "list-changes")
    assert (found["changes"], found["has_more"]) == ([], False)
    begun: str = found["cursor"]
    return begun


async def types_since(execute: Execute, begun: str) -> list[str]:
    found = await data(execute, "list-changes", cursor=begun)
    return [change["type"] for change in found["changes"]]


async def test_without_a_cursor_there_are_no_changes_and_the_cursor_of_now(
    execute: Execute,
) -> None:
    await data(execute, "create-task", title="Before")
    begun = await start(execute)
    assert await types_since(execute, begun) == []
    task = await data(execute, "create-task", title="After")
    found = await data(execute, "list-changes", cursor=begun)
    assert [change["task_id"] for change in found["changes"]] == [task["id"]]
    assert len(found["cursor"]) <= 200


async def test_a_change_says_what_was_before_who_it_was_and_what_is_now(execute: Execute) -> None:
    task = await data(execute, "create-task", title="Feed cat", tags=["cat"])
    begun = await start(execute)
    answer = await execute(
        "update-task", task_id=task["id"], title="Feed dog", due_date="2030-01-01T00:00:00Z"
    )
    [change] = (await data(execute, "list-changes", cursor=begun))["changes"]
    shown = change.pop("task")
    assert change == {
        "sequence": 2,
        "type": "task.updated",
        "task_id": task["id"],
        "occurred_at": shown["updated_at"],
        "fields": ["due_date", "title"],
        "before": {"due_date": None, "title": "Feed cat"},
        "by": {"kind": "service", "name": "cat-house-dev", "installation_id": None},
        "command_id": answer.headers["x-request-id"],
    }
    updated = answer.json()["data"]
    extra = {"tags": ["cat"], "version": 2, "updated_at": shown["updated_at"]}
    assert shown == {**updated, **extra}


async def test_old_values_look_as_they_did(execute: Execute) -> None:
    old = {
        "title": "Feed cat",
        "description": 'Salmon \u2028 \\ " ,',
        "status": "in_progress",
        "priority": "high",
        "due_date": "2030-01-01T00:00:00.123456Z",
        "tags": ["a", "b,c", '"{}'],
    }
    task = await data(execute, "create-task", **old)
    begun = await start(execute)
    new = {"title": "x", "description": None, "status": "pending", "priority": None}
    await data(execute, "update-task", task_id=task["id"], due_date=None, tags=[], **new)
    [change] = (await data(execute, "list-changes", cursor=begun))["changes"]
    assert change["before"] == old


async def test_the_type_tells_real_completions_and_reopenings(execute: Execute) -> None:
    begun = await start(execute)
    task = await data(execute, "create-task", title="Feed cat")
    for status in ("completed", "completed", "in_progress", "pending"):
        await data(execute, "update-task", task_id=task["id"], status=status)
    await data(execute, "create-task", title="Done", status="completed")
    await data(execute, "delete-task", task_id=task["id"], permanent=False)
    await data(execute, "restore-task", task_id=task["id"])
    await data(execute, "delete-task", task_id=task["id"])
    assert await types_since(execute, begun) == [
        "task.created",
        "task.completed",
        "task.updated",
        "task.reopened",
        "task.updated",
        "task.created",
        "task.deleted",
        "task.restored",
        "task.deleted",
    ]


@pytest.mark.parametrize("permanent", [True, False])
async def test_the_task_of_a_change_is_null_once_it_is_gone(
    execute: Execute, permanent: bool
) -> None:
    begun = await start(execute)
    task = await data(execute, "create-task", title="Feed cat")
    await data(execute, "delete-task", task_id=task["id"], permanent=permanent)
    changes = (await data(execute, "list-changes", cursor=begun))["changes"]
    assert [(change["task"], change["before"]) for change in changes] == [(None, {}), (None, {})]


async def test_pages_are_gap_free_and_a_cursor_can_be_used_again(execute: Execute) -> None:
    begun = await start(execute)
    for number in range(5):
        await data(execute, "create-task", title=f"Task {number}")
    sequences, more, at = [], True, begun
    while more:
        found = await data(execute, "list-changes", cursor=at, limit=2)
        assert found == await data(execute, "list-changes", cursor=at, limit=2)
        sequences += [change["sequence"] for change in found["changes"]]
        at, more = found["cursor"], found["has_more"]
    assert sequences == [1, 2, 3, 4, 5]


async def test_a_page_of_long_tasks_is_short_and_the_rest_follows(execute: Execute) -> None:
    begun = await start(execute)
    for _ in range(4):
        await data(execute, "create-task", title="Long", description="m" * 90_000)
    found = await data(execute, "list-changes", cursor=begun, limit=500)
    assert len(found["changes"]) < 4
    assert found["has_more"]
    rest = await data(execute, "list-changes", cursor=found["cursor"], limit=500)
    sequences = [change["sequence"] for change in found["changes"] + rest["changes"]]
    assert sequences == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nonsense", "cursor: was not issued by list-changes"),
        ("ü", "cursor: was not issued by list-changes"),
        *(
            (f"{before}{cursor('user_123', 0)}{after}", "cursor: was not issued by list-changes")
            for before, after in (("", "!!"), ("!", ""), ("", "\n"), ("", "="))
        ),
        (cursor("somebody", 0), "cursor: is another user's"),
        (cursor("user_123", 2), "cursor: is from the future"),
        (cursor("user_123", 2**64 - 1), "cursor: is from the future"),
    ],
)
async def test_a_cursor_that_cannot_be_is_400(execute: Execute, given: str, message: str) -> None:
    await data(execute, "create-task", title="Feed cat")
    response = await execute("list-changes", cursor=given)
    assert (response.status_code, response.json()["detail"]) == (400, message)


@pytest.mark.parametrize("payload", [{"limit": 0}, {"limit": 501}, {"cursor": "x" * 201}])
async def test_what_is_out_of_range_is_400(execute: Execute, payload: dict[str, Any]) -> None:
    assert (await execute("list-changes", **payload)).status_code == 400


@pytest.mark.parametrize("all_of_them", [True, False])
async def test_a_cursor_older_than_what_is_kept_is_410(
    execute: Execute, db: Connection, all_of_them: bool
) -> None:
    for number in range(3):
        await data(execute, "create-task", title=f"Task {number}")
    await db.execute("DELETE FROM changes WHERE sequence < $1", 10 if all_of_them else 3)
    response = await execute("list-changes", cursor=cursor("user_123", 0))
    assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")
    kept = await data(execute, "list-changes", cursor=cursor("user_123", 3 if all_of_them else 2))
    assert len(kept["changes"]) == (not all_of_them)


async def test_calls_of_a_contact_are_neither_shown_nor_counted(
    execute: Execute, make_contact: ContactFactory, make_call: CallFactory
) -> None:
    contact = await make_contact()
    user = str(contact.id)
    begun = (await execute("list-changes", user_id=user)).json()["data"]["cursor"]
    await make_call(contact)
    await execute("create-task", user_id=user, title="Follow up")
    await make_call(contact)
    await execute("create-task", user_id=user, title="Thank")
    found = (await execute("list-changes", user_id=user, cursor=begun)).json()["data"]
    assert [change["sequence"] for change in found["changes"]] == [1, 2]
    assert found["has_more"] is False


async def test_the_key_of_a_command_is_its_id(execute: Execute, client: Any) -> None:
    begun = await start(execute)
    command = {
        "action": "create-task",
        "user_id": "user_123",
        "payload": {"title": "Feed cat"},
        "options": {"idempotency_key": "offline-1"},
    }
    for _ in range(2):
        await client.post("/execute", json=command, headers=SERVICE_HEADERS)
    changes = (await data(execute, "list-changes", cursor=begun))["changes"]
    assert [change["command_id"] for change in changes] == ["offline-1"]


async def test_a_refused_write_burns_no_number(execute: Execute) -> None:
    begun = await start(execute)
    task = await data(execute, "create-task", title="Feed cat")
    assert (await execute("update-task", task_id=str(MISSING_ID), title="x")).status_code == 404
    stale = await execute("update-task", task_id=task["id"], title="x", expected_version=9)
    assert stale.status_code == 409
    await data(execute, "delete-task", task_id=task["id"])
    changes = (await data(execute, "list-changes", cursor=begun))["changes"]
    assert [change["sequence"] for change in changes] == [1, 2]
