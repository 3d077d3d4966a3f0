from uuid import uuid4

import pytest

from tests.conftest import Execute, TaskFactory
from tests.doors.contacts.conftest import Ask
from tests.support.contacts import assert_refused


async def test_a_task_is_created_shown_and_listed_in_one_shape(ask: Ask, user_id: str) -> None:
    given = {
        "title": "Prepare onboarding materials",
        "description": "Create custom deck with use case examples",
        "user_id": user_id,
        "due_date": "2025-10-26T12:00:00Z",
    }
    answer = await ask("POST", "/tasks", given)
    assert answer.status_code == 201
    task = answer.json()
    assert list(task) == [
        *("id", "title", "description", "user_id", "status", "due_date"),
        *("created_at", "updated_at"),
    ]
    assert {name: task[name] for name in given} == given
    assert task["status"] == "todo"
    assert (await ask("GET", f"/tasks/{task['id']}")).json() == task
    assert (await ask("GET", "/tasks")).json() == [task]


async def test_a_task_may_be_nobodys(ask: Ask) -> None:
    task = (await ask("POST", "/tasks", {"title": "Feed the office cat"})).json()
    assert (task["user_id"], task["description"], task["due_date"]) == (None, None, None)
    assert (await ask("GET", "/tasks")).json() == [task]


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"title": ""},
        {"title": "x" * 201},
        {"title": "x", "description": "x" * 1001},
        {"title": "x", "due_date": "tomorrow"},
        {"title": "x", "user_id": 7},
        {"title": "x", "user_id": ""},
        ["title"],
    ],
)
async def test_unusable_task_is_422(ask: Ask, task: object) -> None:
    answer = await ask("POST", "/tasks", task)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


@pytest.mark.parametrize(
    ("status", "canonical"),
    [
        ("todo", "pending"),
        ("in_progress", "in_progress"),
        ("done", "completed"),
        ("cancelled", "cancelled"),
    ],
)
async def test_a_tasks_status_is_mapped_to_the_canonical_one_and_back(
    ask: Ask, execute: Execute, user_id: str, status: str, canonical: str
) -> None:
    task = (await ask("POST", "/tasks", {"title": "Follow up", "user_id": user_id})).json()
    answer = await ask("PATCH", f"/tasks/{task['id']}/status", params={"new_status": status})
    assert answer.json() == {**task, "status": status, "updated_at": answer.json()["updated_at"]}
    seen = (await execute("get-task", task_id=task["id"])).json()["data"]
    assert (seen["user_id"], seen["status"]) == (user_id, canonical)
    assert (seen["completed_at"] is None) is (status != "done")


async def test_reopening_clears_the_completion_time(ask: Ask, execute: Execute) -> None:
    task = (await ask("POST", "/tasks", {"title": "Follow up"})).json()
    for status in ("done", "todo"):
        await ask("PATCH", f"/tasks/{task['id']}/status", params={"new_status": status})
    seen = (await execute("get-task", task_id=task["id"])).json()["data"]
    assert (seen["status"], seen["completed_at"]) == ("pending", None)


async def test_tasks_of_other_users_are_seen_by_no_route(
    ask: Ask, execute: Execute, make_task: TaskFactory
) -> None:
    for owner in ("user_123", str(uuid4())):
        task = await make_task(user_id=owner)
        missing = f"Task {task.id} not found"
        assert_refused(await ask("GET", f"/tasks/{task.id}"), 404, missing)
        change = await ask("PATCH", f"/tasks/{task.id}/status?new_status=done")
        assert_refused(change, 404, missing)
        for parameters in ({}, {"user_id": owner}, {"status_filter": "todo"}):
            assert (await ask("GET", "/tasks", params=parameters)).json() == []
        seen = await execute("get-task", task_id=str(task.id))
        assert seen.json()["data"]["status"] == "pending"


async def test_a_contacts_task_of_another_door_is_seen_in_this_doors_spelling(
    ask: Ask, execute: Execute, user_id: str
) -> None:
    fields = {"title": "x" * 500, "description": "y" * 2000, "priority": "urgent"}
    created = (await execute("create-task", user_id=user_id, status="completed", **fields)).json()[
        "data"
    ]
    [task] = (await ask("GET", "/tasks", params={"user_id": user_id})).json()
    assert (task["id"], task["status"]) == (created["id"], "done")
    assert (task["title"], task["description"]) == (fields["title"], fields["description"])
    await execute("delete-task", task_id=task["id"])
    assert (await ask("GET", "/tasks")).json() == []


async def test_commands_go_on_refusing_to_cancel(ask: Ask, execute: Execute, user_id: str) -> None:
    task = (await ask("POST", "/tasks", {"title": "Follow up", "user_id": user_id})).json()
    refused = await execute("update-task", task_id=task["id"], status="cancelled")
    assert refused.status_code == 400
    refused = await execute("create-task", user_id=user_id, title="x", status="cancelled")
    assert refused.status_code == 400
