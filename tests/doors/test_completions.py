"""A completion is noted once, whoever completes, and by every way to write a task there is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from app.commands.registry import actions
from app.services import Connection, tasks
from tests.conftest import SERVICE_HEADERS, TaskFactory
from tests.doors.test_user_tasks import bearer as user_bearer
from tests.support.accounts import bearer
from tests.support.contacts import HEADERS as PARTNER
from tests.support.people import acting_for, start_session

OWNER = str(uuid4())
_ROWS = """
SELECT task_id, completed_at, due_date, reopened_at FROM completions ORDER BY completed_at
"""
# What each writing action of the registry does to completions, shown below or elsewhere.
_COMPLETES = {"create-task", "update-task", "toggle-task", "undo"}
_LEAVES = {
    *("delete-task", "restore-task", "assign-category", "unassign-category", "delete-category"),
    *(
        "create-category",
        "create-contact",
        "schedule-call",
        "set-call-status",
        "set-preferences",
        "purge-user",
    ),
    *("set-user-secret", "delete-user-secret", "test-user-secret"),
}


async def rows(db: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await db.fetch(_ROWS)]


def test_every_writing_action_is_known_here() -> None:
    writing = {action.name for action in actions() if action.writes}
    assert writing - {"batch"} <= _COMPLETES | _LEAVES, "say above what it does to completions"


Step = tuple[str, str, dict[str, Any] | None]


async def walk(
    client: AsyncClient, headers: dict[str, str], steps: Sequence[Step], task_id: str
) -> None:
    for method, path, body in steps:
        url = path.format(id=task_id, owner=OWNER)
        answer = await client.request(method, url, headers=headers, json=body)
        assert answer.status_code in {200, 204}, answer.text


def command(action: str, **payload: Any) -> Step:
    given = {"action": action, "user_id": OWNER, "payload": payload}
    return "POST", "/execute", given


_DOORS: dict[str, tuple[Step, Step]] = {
    "sessions": (
        ("PATCH", "/api/tasks/{id}", {"status": "COMPLETED"}),
        ("PATCH", "/api/tasks/{id}", {"status": "TODO"}),
    ),
    "sessions, by toggling": (
        ("PATCH", "/api/tasks/{id}/complete", None),
        ("PATCH", "/api/tasks/{id}/complete", None),
    ),
    "user tasks": (
        ("PUT", "/api/{owner}/tasks/{id}", {"completed": True}),
        ("PUT", "/api/{owner}/tasks/{id}", {"completed": False}),
    ),
    "user tasks, by toggling": (
        ("PATCH", "/api/{owner}/tasks/{id}/complete", None),
        ("PATCH", "/api/{owner}/tasks/{id}/complete", None),
    ),
    "accounts": (
        ("PATCH", "/api/v1/tasks/{id}", {"version": 1, "status": "completed"}),
        ("PATCH", "/api/v1/tasks/{id}", {"version": 2, "status": "in_progress"}),
    ),
}


async def credentials(db: Connection, door: str) -> dict[str, str]:
    if door.startswith("sessions"):
        return await start_session(db, OWNER)
    return await bearer(db, OWNER) if door == "accounts" else user_bearer(OWNER)


@pytest.mark.parametrize("door", _DOORS)
async def test_each_door_notes_a_completion_and_its_end(
    client: AsyncClient, db: Connection, make_task: TaskFactory, door: str
) -> None:
    due = datetime(2030, 1, 1, tzinfo=UTC)
    task = await make_task(user_id=OWNER, due_date=due)
    headers = await credentials(db, door)
    complete, reopen = _DOORS[door]
    await walk(client, headers, [complete], str(task.id))
    done = await tasks.fetch_task(db, task.id, OWNER)
    assert await rows(db) == [(task.id, done.completed_at, due, None)]
    await walk(client, headers, [reopen], str(task.id))
    opened = await tasks.fetch_task(db, task.id, OWNER)
    assert opened.completed_at is None
    assert await rows(db) == [(task.id, done.completed_at, due, opened.updated_at)]


async def test_the_door_of_contacts_notes_it_too(client: AsyncClient, db: Connection) -> None:
    made = await client.post("/tasks", json={"title": "Follow up"}, headers=PARTNER)
    path = f"/tasks/{made.json()['id']}/status?new_status="
    for status, standing in (("done", 1), ("done", 1), ("cancelled", 0), ("done", 1)):
        answer = await client.patch(f"{path}{status}", headers=PARTNER)
        assert answer.status_code == 200
        found = await rows(db)
        assert sum(row[-1] is None for row in found) == standing
    assert len(await rows(db)) == 2


async def test_commands_note_each_real_completion_once(
    client: AsyncClient, db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task(user_id=OWNER)
    steps = [
        command("update-task", task_id=str(task.id), **change)
        for change in (
            {"status": "completed"},
            {"status": "completed"},
            {"title": "Renamed"},
            {"status": "pending"},
            {"status": "completed"},
        )
    ]
    await walk(client, SERVICE_HEADERS, steps, str(task.id))
    assert [row[-1] is None for row in await rows(db)] == [False, True]


@pytest.mark.parametrize("permanent", [True, False])
async def test_deleting_what_is_completed_keeps_what_was_done(
    client: AsyncClient, db: Connection, make_task: TaskFactory, permanent: bool
) -> None:
    task = await make_task(user_id=OWNER, status="completed")
    [made] = await rows(db)
    assert made == (task.id, task.completed_at, None, None)
    step = command("delete-task", task_id=str(task.id), permanent=permanent)
    await walk(client, SERVICE_HEADERS, [step], str(task.id))
    assert await rows(db) == [made]


async def test_what_is_written_by_hand_is_noted_too(db: Connection, make_task: TaskFactory) -> None:
    task = await make_task()
    await db.execute("UPDATE tasks SET status = 'completed' WHERE id = $1", task.id)
    assert [row[0] for row in await rows(db)] == [task.id]


async def test_acting_for_somebody_is_the_owners_completion(
    client: AsyncClient, db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task(user_id=OWNER)
    step = ("PATCH", "/api/tasks/{id}/complete", None)
    await walk(client, acting_for(OWNER), [step], str(task.id))
    assert await db.fetchval("SELECT user_id FROM completions") == OWNER
