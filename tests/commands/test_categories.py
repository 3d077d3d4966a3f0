"""Categories through POST /execute, as the holder of a service key meets them."""

from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import MISSING_ID, SERVICE_HEADERS, Execute, TaskFactory

FOREIGN_NAMES = ["delete-category", "assign-category", "unassign-category"]


def data(answer: Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["data"]
    return result


async def test_category_is_created_assigned_shown_removed_and_deleted(
    execute: Execute, make_task: TaskFactory
) -> None:
    category = data(await execute("create-category", name="Litter"))
    assert category | {"name": "Litter", "color": "#6366F1"} == category
    assert data(await execute("list-categories")) == {"categories": [category], "count": 1}
    both = {"task_id": str((await make_task()).id), "category_id": category["id"]}
    label = {name: category[name] for name in ("id", "name", "color")}
    assert (data(await execute("assign-category", **both)))["categories"] == [label]
    assert (data(await execute("unassign-category", **both)))["categories"] == []
    deleted = await execute("delete-category", category_id=category["id"])
    assert data(deleted) == {"success": True, "deleted_id": category["id"]}


async def test_taken_name_is_409(execute: Execute) -> None:
    await execute("create-category", name="Litter")
    answer = await execute("create-category", name="Litter")
    assert (answer.status_code, answer.json()) == (
        409,
        {"detail": "Category name already exists", "code": "taken"},
    )
    assert (await execute("create-category", user_id="another", name="Litter")).status_code == 200


async def test_a_name_that_looks_like_a_taken_one_is_taken(execute: Execute) -> None:
    category = data(await execute("create-category", name="Cafe\u0301"))
    assert category["name"] == "Café"
    for same in ("Café", "Cafe\u0301"):
        assert (await execute("create-category", name=same)).status_code == 409


async def test_assigning_twice_is_400_with_its_code(
    execute: Execute, make_task: TaskFactory
) -> None:
    category = data(await execute("create-category", name="Litter"))
    both = {"task_id": str((await make_task()).id), "category_id": category["id"]}
    await execute("assign-category", **both)
    answer = await execute("assign-category", **both)
    assert answer.status_code == 400
    assert answer.json() == {
        "detail": "The task has this category already",
        "code": "already_assigned",
        "errors": [],
    }


async def test_assignment_sent_again_has_one_effect(
    client: AsyncClient, execute: Execute, make_task: TaskFactory
) -> None:
    category = data(await execute("create-category", name="Litter"))
    payload = {"task_id": str((await make_task()).id), "category_id": category["id"]}
    command = {"action": "assign-category", "user_id": "user_123", "payload": payload}
    headers = {**SERVICE_HEADERS, "Idempotency-Key": "once"}
    first = await client.post("/execute", json=command, headers=headers)
    again = await client.post("/execute", json=command, headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content


@pytest.mark.parametrize("name", FOREIGN_NAMES)
async def test_key_that_enforces_ownership_cannot_tell_foreign_from_missing(
    client: AsyncClient, db: Connection, execute: Execute, make_task: TaskFactory, name: str
) -> None:
    value = keys.generate("dev", None)
    new = NewKey(key_name="strict", environment="dev", enforce_ownership=True)
    await keys.insert_key(db, new, value)
    foreign = data(await execute("create-category", user_id="another", name="Litter"))
    mine = str((await make_task()).id)

    async def ask(category_id: str) -> Response:
        payload = {"task_id": mine, "category_id": category_id}
        command = {"action": name, "user_id": "user_123", "payload": payload}
        return await client.post("/execute", json=command, headers={"X-Service-Key": value})

    for category_id in (foreign["id"], str(MISSING_ID)):
        answer = await ask(category_id)
        assert answer.status_code == 404
        sentence = f"Category not found: {category_id}"
        assert answer.json() == {"detail": sentence, "code": "not_found"}


async def test_scopes_of_categories_are_their_own(client: AsyncClient, db: Connection) -> None:
    value = keys.generate("dev", None)
    new = NewKey(key_name="reader", environment="dev", scopes=["categories:read"])
    await keys.insert_key(db, new, value)
    statuses = {}
    for name in ("list-categories", "create-category", "list-tasks"):
        command = {"action": name, "user_id": "user_123", "payload": {"name": "Litter"}}
        answer = await client.post("/execute", json=command, headers={"X-Service-Key": value})
        statuses[name] = answer.status_code
    assert statuses == {"list-categories": 200, "create-category": 403, "list-tasks": 403}
