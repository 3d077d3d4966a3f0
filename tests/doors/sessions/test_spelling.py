"""What real web clients send to the sessions door, and what it tells them of what it knows."""

import json
from typing import Any

import pytest
from httpx import AsyncClient

from tests.conftest import TaskFactory
from tests.support.people import acting_for

ANN = acting_for("user_123")
JSON = {"Content-Type": "application/json"}
KNOWN = "title, description, status, priority, dueDate, tags"


@pytest.mark.parametrize("body", [{}, {"completed": True}, {"Title": "x", "due": None}])
async def test_a_patch_that_names_no_field_is_422_and_told_which_are_known(
    client: AsyncClient, make_task: TaskFactory, body: dict[str, Any]
) -> None:
    task = await make_task()
    answer = await client.patch(f"/api/tasks/{task.id}", json=body, headers=ANN)
    sentence = f"No fields provided for update: known are {KNOWN}"
    errors = [{"field": "body", "message": sentence}]
    told = {"detail": sentence, "code": "invalid_payload", "errors": errors}
    assert (answer.status_code, answer.json()) == (422, told)


@pytest.mark.parametrize("body", [[], None, "x"])
async def test_what_is_no_object_is_told_so(
    client: AsyncClient, make_task: TaskFactory, body: object
) -> None:
    task, told = await make_task(), "must be an object"
    for path in (f"/api/tasks/{task.id}", f"/api/tasks/{task.id}/complete"):
        answer = await client.patch(path, content=json.dumps(body), headers=ANN | JSON)
        errors = [{"field": "body", "message": told}]
        body_of = {"detail": told, "code": "invalid_payload", "errors": errors}
        assert (answer.status_code, answer.json()) == (422, body_of)


@pytest.mark.parametrize("name", ["dueDate", "due_date"])
async def test_a_due_date_is_understood_in_both_spellings(client: AsyncClient, name: str) -> None:
    due = {name: "2026-12-20T10:00:00Z"}
    made = await client.post("/api/tasks", json={"title": "Feed cat", **due}, headers=ANN)
    assert made.json()["dueDate"] == "2026-12-20T10:00:00Z"
    path = f"/api/tasks/{made.json()['id']}"
    cleared = await client.patch(path, json={name: None}, headers=ANN)
    assert (cleared.status_code, cleared.json()["dueDate"]) == (200, None)


@pytest.mark.parametrize("priority", ["URGENT", "high", "Medium", "lOW"])
async def test_a_priority_is_understood_in_any_case(client: AsyncClient, priority: str) -> None:
    task = {"title": "Feed cat", "priority": priority}
    made = await client.post("/api/tasks", json=task, headers=ANN)
    assert (made.status_code, made.json()["priority"]) == (201, priority.upper())
