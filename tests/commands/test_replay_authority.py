"""A first answer is given again only to whom the command would be allowed now."""

from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

from app.auth.service_keys import ServiceKeys
from app.config import Settings
from app.database import Database
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, TaskFactory

SECRET_TITLE = "Somebody else's business"
REFUSED = {
    "detail": "The stored answer may show tasks that this key may not see",
    "code": "forbidden",
}


async def mint(client: AsyncClient, **limits: Any) -> str:
    body = {"key_name": "cat-house", "environment": "prod", **limits}
    answer = await client.post("/admin/service-keys", json=body, headers=ADMIN_HEADERS)
    assert answer.status_code == 201
    return str(answer.json()["service_key"])


async def limit(app: FastAPI, db: Connection, change: str) -> None:
    """Takes from the key what it was allowed, and a second later that is known."""
    await db.execute(f"UPDATE service_api_keys SET {change}")
    resources = app.state.resources
    resources.add(ServiceKeys(resources[Database], resources[Settings]))


async def send(client: AsyncClient, key: str, action: str, **payload: Any) -> Response:
    command = {"action": action, "user_id": "user_123", "payload": payload}
    headers = {"X-Service-Key": key, "Idempotency-Key": action}
    return await client.post("/execute", json=command, headers=headers)


async def test_key_that_enforces_ownership_by_now_is_shown_no_answer_from_before(
    client: AsyncClient, app: FastAPI, db: Connection, make_task: TaskFactory
) -> None:
    foreign = await make_task("somebody", title=SECRET_TITLE)
    key, payload = await mint(client), {"task_id": str(foreign.id), "priority": "low"}
    first = await send(client, key, "update-task", **payload)
    assert SECRET_TITLE in first.text
    assert (await send(client, key, "update-task", **payload)).content == first.content
    await limit(app, db, "enforce_ownership = true")
    again = await send(client, key, "update-task", **payload)
    assert (again.status_code, again.json()) == (403, REFUSED)
    await limit(app, db, "enforce_ownership = false")
    assert (await send(client, key, "update-task", **payload)).content == first.content


async def test_name_minted_anew_with_less_is_shown_no_answer_of_the_former_key(
    client: AsyncClient, db: Connection, make_task: TaskFactory
) -> None:
    foreign = await make_task("somebody", title=SECRET_TITLE)
    payload = {"task_id": str(foreign.id), "priority": "low"}
    assert (await send(client, await mint(client), "update-task", **payload)).status_code == 200
    await db.execute("UPDATE service_api_keys SET active = false")
    key = await mint(client, enforce_ownership=True)
    assert SECRET_TITLE not in (await send(client, key, "update-task", **payload)).text


async def test_key_that_lost_the_scope_is_shown_no_answer_from_before(
    client: AsyncClient, app: FastAPI, db: Connection
) -> None:
    key = await mint(client, scopes=["tasks:write"])
    assert (await send(client, key, "create-task", title=SECRET_TITLE)).status_code == 200
    await limit(app, db, "scopes = '{tasks:read}'")
    again = await send(client, key, "create-task", title=SECRET_TITLE)
    assert (again.status_code, again.json()) == (
        403,
        {"detail": "Missing scope: tasks:write", "code": "forbidden"},
    )


@pytest.mark.parametrize("now", [True, False])
async def test_key_that_enforced_ownership_before_gets_its_first_answer_again(
    client: AsyncClient, app: FastAPI, db: Connection, make_task: TaskFactory, now: bool
) -> None:
    own, foreign = await make_task(), await make_task("somebody")
    key = await mint(client, enforce_ownership=True)
    for task, action, status in ((own, "delete-task", 200), (foreign, "update-task", 404)):
        payload = {"task_id": str(task.id)} | ({"title": "x"} if action == "update-task" else {})
        first = await send(client, key, action, **payload)
        assert first.status_code == status
        await limit(app, db, f"enforce_ownership = {now}")
        again = await send(client, key, action, **payload)
        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
        await limit(app, db, "enforce_ownership = true")


async def test_answer_stored_by_the_version_before_is_given_again(
    client: AsyncClient, db: Connection
) -> None:
    key = await mint(client, enforce_ownership=True)
    first = await send(client, key, "delete-task", task_id=str(MISSING_ID))
    await db.execute("UPDATE replays SET across_owners = NULL")
    again = await send(client, key, "delete-task", task_id=str(MISSING_ID))
    assert (again.status_code, again.content) == (404, first.content)
