"""The sessions door: its requests as its document prints them, its spelling, its refusals."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response

from app.services import Connection, task_lists
from tests.conftest import MISSING_ID, OPEN_DOORS, Execute, TaskFactory
from tests.services.test_task_lists import fill
from tests.support.application import talking_to
from tests.support.people import Headers, acting_for, start_session

NEW = {
    "title": "Buy groceries",
    "description": "Milk, eggs, bread",
    "priority": "MEDIUM",
    "dueDate": "2025-12-27T17:00:00Z",
    "tags": ["shopping", "personal"],
}
CHANGES = {
    "title": "Buy groceries and cook dinner",
    "description": "Updated description",
    "priority": "HIGH",
    "dueDate": "2025-12-27T19:00:00Z",
}
MEMBERS = [
    *("id", "title", "description", "status", "priority", "dueDate", "tags", "userId"),
    *("createdAt", "updatedAt", "completedAt"),
]
NOT_FOUND = {
    "detail": "Task not found or you don't have permission to access it",
    "code": "not_found",
}


@pytest.fixture
async def ann(db: Connection) -> Headers:
    """The headers of user_123, who has a session."""
    return await start_session(db, "user_123")


async def create(client: AsyncClient, headers: Headers, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/tasks", json={"title": "Feed cat", **fields}, headers=headers)
    assert answer.status_code == 201
    task: dict[str, Any] = answer.json()
    return task


async def test_every_request_of_the_document_answers_as_printed(
    client: AsyncClient, ann: Headers
) -> None:
    answer = await client.post("/api/tasks", json=NEW, headers=ann)
    created = answer.json()
    assert (answer.status_code, list(created)) == (201, MEMBERS)
    assert created == {**created, **NEW, "status": "TODO", "userId": "user_123"}
    assert (created["completedAt"], created["createdAt"][-1]) == (None, "Z")
    second = await create(client, ann, title="Finish report")

    listed = await client.get("/api/tasks", headers=ann)
    assert (listed.status_code, listed.json()) == (200, [second, created])
    path = f"/api/tasks/{created['id']}"
    assert (await client.get(path, headers=ann)).json() == created

    updated = (await client.patch(path, json=CHANGES, headers=ann)).json()
    assert updated == {**created, **CHANGES, "updatedAt": updated["updatedAt"]}

    completed = (await client.patch(f"{path}/complete", headers=ann)).json()
    assert completed["status"] == "COMPLETED"
    assert completed["completedAt"].endswith("Z")
    reopened = (await client.patch(f"{path}/complete", headers=ann)).json()
    assert (reopened["status"], reopened["completedAt"]) == ("TODO", None)

    deleted = await client.delete(path, headers=ann)
    assert (deleted.status_code, deleted.content) == (204, b"")
    again = await client.delete(path, headers=ann)
    assert (again.status_code, again.json()) == (404, NOT_FOUND)


async def test_a_title_is_all_that_a_task_needs(client: AsyncClient, ann: Headers) -> None:
    task = await create(client, ann)
    assert (task["status"], task["priority"], task["tags"]) == ("TODO", None, [])
    assert (task["description"], task["dueDate"]) == (None, None)


async def test_a_service_sees_the_tasks_of_whom_it_acts_for(
    client: AsyncClient, ann: Headers
) -> None:
    task = await create(client, ann)
    for_ann, for_bob = acting_for("user_123"), acting_for("bob")
    assert (await client.get("/api/tasks", headers=for_ann)).json() == [task]
    assert (await client.get("/api/tasks", headers=for_bob)).json() == []


async def test_a_task_of_execute_is_toggled_here_and_its_version_moves_by_one(
    client: AsyncClient, execute: Execute, ann: Headers, db: Connection
) -> None:
    task_id = (await execute("create-task", title="Buy milk")).json()["data"]["id"]
    toggled = await client.patch(f"/api/tasks/{task_id}/complete", headers=ann)
    assert toggled.json()["status"] == "COMPLETED"
    shown = (await execute("get-task", task_id=task_id)).json()["data"]
    assert (shown["status"], shown["completed_at"]) == ("completed", toggled.json()["completedAt"])
    assert await db.fetchval("SELECT version FROM tasks WHERE id = $1", UUID(task_id)) == 2


async def test_two_toggles_at_once_do_not_read_the_same_state(database_url: str) -> None:
    async with talking_to(database_url, **OPEN_DOORS) as client:
        headers = acting_for("user_123")
        path = f"/api/tasks/{(await create(client, headers))['id']}/complete"
        answers = await asyncio.gather(*(client.patch(path, headers=headers) for _ in range(2)))
        assert sorted(answer.json()["status"] for answer in answers) == ["COMPLETED", "TODO"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("pending", "TODO"),
        ("in_progress", "IN_PROGRESS"),
        ("completed", "COMPLETED"),
        ("cancelled", "CANCELLED"),
        ("resting", "RESTING"),
    ],
)
async def test_what_another_door_wrote_is_shown(
    client: AsyncClient,
    db: Connection,
    make_task: TaskFactory,
    ann: Headers,
    written: str,
    shown: str,
) -> None:
    task = await make_task(title="t" * 500, priority="urgent")
    await db.execute("UPDATE tasks SET status = $2 WHERE id = $1", task.id, written)
    (listed,) = (await client.get("/api/tasks", headers=ann)).json()
    assert (listed["status"], listed["priority"], listed["title"]) == (shown, "URGENT", "t" * 500)
    assert (await client.get(f"/api/tasks/{task.id}", headers=ann)).json() == listed


async def test_a_cancelled_task_is_completed_by_toggling(
    client: AsyncClient, db: Connection, make_task: TaskFactory, ann: Headers
) -> None:
    task = await make_task()
    await db.execute("UPDATE tasks SET status = 'cancelled' WHERE id = $1", task.id)
    toggled = await client.patch(f"/api/tasks/{task.id}/complete", headers=ann)
    assert toggled.json()["status"] == "COMPLETED"


@pytest.mark.parametrize(
    "patch",
    [
        {"title": "t" * 200},
        {"description": None},
        {"status": "IN_PROGRESS"},
        {"priority": None},
        {"priority": "URGENT"},
        {"dueDate": None},
        {"dueDate": "2030-01-01T12:00:00Z"},
        {"tags": []},
        {"tags": ["a", "b"]},
        {"status": "TODO", "title": "Cook"},
    ],
    ids=str,
)
async def test_a_patch_changes_exactly_what_it_names(
    client: AsyncClient, ann: Headers, patch: dict[str, Any]
) -> None:
    task = await create(client, ann, **NEW)
    answer = await client.patch(f"/api/tasks/{task['id']}", json=patch, headers=ann)
    assert answer.status_code == 200
    assert answer.json() == {**task, **patch, "updatedAt": answer.json()["updatedAt"]}


async def test_completing_by_patch_stamps_the_instant_and_reopening_clears_it(
    client: AsyncClient, ann: Headers
) -> None:
    path = f"/api/tasks/{(await create(client, ann))['id']}"
    done = await client.patch(path, json={"status": "COMPLETED"}, headers=ann)
    assert done.json()["completedAt"] is not None
    again = await client.patch(path, json={"status": "IN_PROGRESS"}, headers=ann)
    assert again.json()["completedAt"] is None


WRONG = [
    *({"title": ""}, {"title": "  "}, {"title": "t" * 201}, {"title": None}, {"title": 7}),
    *({"title": "t\x00"}, {"description": "\x00"}, {"description": 7}, {"dueDate": "tomorrow"}),
    *({"dueDate": 7}, {"dueDate": "0001-01-01T00:00:00Z"}, {"priority": "highest"}),
    *({"priority": "SOON"}, {"tags": None}, {"tags": "home"}, {"tags": [7]}, {"tags": ["\x00"]}),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_an_invalid_body_is_422_and_not_echoed(
    client: AsyncClient, ann: Headers, wrong: dict[str, Any]
) -> None:
    task = await create(client, ann)
    body = {"title": "s3cr3t", **wrong}
    created = await client.post("/api/tasks", json=body, headers=ann)
    patched = await client.patch(f"/api/tasks/{task['id']}", json=wrong, headers=ann)
    for answer in (created, patched):
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["field"].partition(".")[0] == next(iter(wrong))
        assert answer.json()["detail"] == f"{error['field']}: {error['message']}"
        assert "s3cr3t" not in answer.text
    assert (await client.get("/api/tasks", headers=ann)).json() == [task]


@pytest.mark.parametrize("status", ["CANCELLED", "todo", "DONE", None])
async def test_a_status_that_cannot_be_written_is_422(
    client: AsyncClient, ann: Headers, status: object
) -> None:
    path = f"/api/tasks/{(await create(client, ann))['id']}"
    answer = await client.patch(path, json={"status": status}, headers=ann)
    assert answer.status_code == 422


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b'"t"', b"\xff", b'{"title": NaN}'])
async def test_a_body_that_is_no_json_object_is_422(
    client: AsyncClient, ann: Headers, content: bytes
) -> None:
    headers = {**ann, "Content-Type": "application/json"}
    answer = await client.post("/api/tasks", content=content, headers=headers)
    assert (answer.status_code, list(answer.json())) == (422, ["detail", "code", "errors"])
    assert isinstance(answer.json()["detail"], str)


async def on_each_task_route(
    client: AsyncClient, task_id: object, headers: Headers
) -> list[Response]:
    path = f"/api/tasks/{task_id}"
    return [
        await client.get(path, headers=headers),
        await client.patch(path, json={"title": "Mine"}, headers=headers),
        await client.patch(f"{path}/complete", headers=headers),
        await client.delete(path, headers=headers),
    ]


async def test_a_missing_task_is_404_in_the_words_of_the_document(
    client: AsyncClient, ann: Headers
) -> None:
    for answer in await on_each_task_route(client, MISSING_ID, ann):
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


async def test_a_foreign_task_is_404_and_stays_as_it_is(
    client: AsyncClient, ann: Headers, make_task: TaskFactory, db: Connection
) -> None:
    task = await make_task(user_id="another")
    for answer in await on_each_task_route(client, task.id, ann):
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert await db.fetchval("SELECT version FROM tasks WHERE id = $1", task.id) == 1


@pytest.mark.parametrize("task_id", ["nope", "1", "550e8400-e29b-41d4-a716"])
async def test_a_malformed_id_is_422(client: AsyncClient, ann: Headers, task_id: str) -> None:
    for answer in await on_each_task_route(client, task_id, ann):
        assert (answer.status_code, list(answer.json())) == (422, ["detail", "code", "errors"])


async def fail(*_: object) -> None:
    raise RuntimeError("s3cr3t")


async def test_a_path_with_a_control_character_is_404(client: AsyncClient) -> None:
    answer = await client.get("/api/tasks/%00", headers=acting_for("user_123"))
    assert answer.status_code == 404


async def test_a_fault_says_no_more_than_that(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_lists, "fetch_page", fail)
    answer = await client.get("/api/tasks", headers=acting_for("user_123"))
    fault = {"detail": "Internal server error", "code": "internal_error"}
    assert (answer.status_code, answer.json()) == (500, fault)
    assert answer.headers["x-ratelimit-remaining"] == "99"


async def test_an_absent_database_is_503_in_the_shape_of_the_door() -> None:
    async with talking_to("postgresql://localhost:1/none", **OPEN_DOORS) as client:
        answer = await client.get("/api/tasks", headers=acting_for("user_123"))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_a_long_list_is_one_array_newest_first(
    client: AsyncClient, ann: Headers, db: Connection
) -> None:
    await fill(db, 1234)
    listed = (await client.get("/api/tasks", headers=ann)).json()
    assert len({task["id"] for task in listed}) == len(listed) == 1234
    assert [task["createdAt"] for task in listed] == sorted(
        (task["createdAt"] for task in listed), reverse=True
    )
