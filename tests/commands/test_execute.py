"""What a command is told: its answer, or what is wrong with its action, scope or payload."""

import json
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from app.commands.registry import ACTION_HANDLERS, commands, find_action
from app.models.key import NewKey
from app.services import Connection, keys
from tests.commands.conftest import Send
from tests.conftest import MISSING_ID, Execute, TaskFactory

TASK_FIELDS = (
    *("id", "user_id", "title", "description", "status", "priority"),
    *("created_at", "completed_at", "due_date"),
)
each_with_id = pytest.mark.parametrize("action", ["get-task", "update-task", "delete-task"])


@pytest.fixture
def send_with(client: AsyncClient, db: Connection) -> Send:
    """Performs an action for user_123 with a new key of these properties."""

    async def send_with(key: dict[str, Any], action: str, **payload: Any) -> Response:
        value = keys.generate("dev", None)
        new = NewKey(**{"key_name": uuid4().hex, "environment": "dev", **key})
        await keys.insert_key(db, new, value)
        command = {"action": action, "user_id": "user_123", "payload": payload}
        return await client.post("/execute", json=command, headers={"X-Service-Key": value})

    return send_with


def assert_payload_refused(answer: Response, field: str) -> None:
    body = answer.json()
    assert answer.status_code == 400, body
    assert set(body) == {"detail", "code", "errors"}
    assert field in body["detail"]
    assert body["code"] == "invalid_payload"
    (error,) = body["errors"]
    assert set(error) == {"field", "message"}
    assert error["field"] == field


async def test_success_has_the_four_envelope_members(execute: Execute) -> None:
    body = (await execute("create-task", title="Feed cat")).json()
    assert tuple(body) == ("success", "data", "error", "timestamp")
    assert (body["success"], body["error"]) == (True, None)
    assert body["timestamp"].endswith("Z")


async def test_every_task_has_exactly_the_nine_fields(
    execute: Execute, make_task: TaskFactory
) -> None:
    task_id = str((await make_task()).id)
    (listed,) = (await execute("list-tasks")).json()["data"]["tasks"]
    assert tuple(listed) == TASK_FIELDS
    for action in ("create-task", "get-task", "update-task"):
        shown = (await execute(action, task_id=task_id, title="t")).json()["data"]
        assert tuple(shown) == TASK_FIELDS


async def test_stats_have_exactly_the_six_figures(execute: Execute) -> None:
    assert (await execute("get-stats")).json()["data"] == {
        **dict.fromkeys(("total_tasks", "pending_tasks", "in_progress_tasks"), 0),
        **dict.fromkeys(("completed_tasks", "completion_rate", "overdue_tasks"), 0),
    }


async def test_action_is_looked_up_before_scope_and_payload(send_with: Send) -> None:
    answer = await send_with({"scopes": ["tasks:read"]}, "fly", task_id=7)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Unknown action: fly"})


async def test_scope_is_checked_before_the_payload(send_with: Send) -> None:
    answer = await send_with({"scopes": ["tasks:read"]}, "create-task")
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "Missing scope: tasks:write", "code": "forbidden"},
    )


async def test_payload_is_checked_before_the_task(execute: Execute) -> None:
    answer = await execute("update-task", task_id=str(MISSING_ID), status="done")
    assert_payload_refused(answer, "status")


@each_with_id
async def test_missing_task_is_404(execute: Execute, action: str) -> None:
    answer = await execute(action, task_id=str(MISSING_ID), title="t")
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"Task not found: {MISSING_ID}", "code": "not_found"}


@each_with_id
@pytest.mark.parametrize("task_id", ["s3cr3t", "", 7, 1.5, None, True, [], {}, "0" * 5000])
async def test_task_id_of_another_form_is_400(execute: Execute, action: str, task_id: Any) -> None:
    answer = await execute(action, task_id=task_id, title="t")
    assert_payload_refused(answer, "task_id")
    assert answer.json()["detail"] == "Invalid UUID format for task_id"


@each_with_id
async def test_missing_task_id_is_400(execute: Execute, action: str) -> None:
    answer = await execute(action, title="t")
    assert_payload_refused(answer, "task_id")
    assert answer.json()["detail"] == "Missing required field: task_id"


async def test_update_without_fields_is_400(execute: Execute) -> None:
    answer = await execute("update-task", task_id=str(MISSING_ID), user_id_of="nobody")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "No fields provided for update"


@pytest.mark.parametrize("action", ["create-task", "update-task"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("title", value) for value in ("", " \t", None, 7, ["s3cr3t"], "s3cr3t" * 84)),
        *(("title", value) for value in ("s3cr3t\x00", "s3cr3t\ud800")),
        *(("description", value) for value in (7, "s3cr3t\x00", "\udfff", "x" * 100_001)),
        *(("status", value) for value in (None, "s3cr3t", "cancelled", "Pending", 1)),
        *(("priority", value) for value in ("s3cr3t", "HIGH", "", 1)),
        *(("due_date", value) for value in (0, 1732190000, "1732190000", True, "s3cr3t", "")),
        *(("due_date", f"{year}-12-31T23:59:59-12:00") for year in ("9999", "1899", "0001")),
    ],
)
async def test_wrong_field_is_400_and_not_echoed(
    send: Send, action: str, field: str, value: Any
) -> None:
    payload = {"task_id": str(MISSING_ID), "title": "t", field: value}
    command = {"action": action, "user_id": "user_123", "payload": payload}
    answer = await send(json.dumps(command).encode())
    assert_payload_refused(answer, field)
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize("field", ["status", "priority"])
@pytest.mark.parametrize("value", ["s3cr3t", "", 7, ["pending"]])
async def test_unknown_filter_is_400(execute: Execute, field: str, value: Any) -> None:
    answer = await execute("list-tasks", **{field: value})
    assert_payload_refused(answer, field)
    assert "s3cr3t" not in answer.text


async def test_unknown_members_are_ignored(send: Send) -> None:
    answer = await send(
        b'{"action": "create-task", "user_id": "user_123", "trace": {"a": [1]}, "note": 1,'
        b' "payload": {"title": "Feed cat", "id": 7, "user_id": "another", "colour": "\\ud800"}}'
    )
    assert answer.status_code == 200
    assert answer.json()["data"]["user_id"] == "user_123"


async def test_missing_payload_is_an_empty_one(send: Send) -> None:
    assert (await send(b'{"action": "list-tasks", "user_id": "user_123"}')).status_code == 200
    assert_payload_refused(await send(b'{"action": "create-task", "user_id": "u"}'), "title")


@each_with_id
@pytest.mark.parametrize(
    ("enforced", "owner", "status"),
    [(True, "another", 404), (True, "user_123", 200), (False, "another", 200)],
)
async def test_only_a_key_that_enforces_ownership_hides_foreign_tasks(
    send_with: Send, make_task: TaskFactory, action: str, enforced: bool, owner: str, status: int
) -> None:
    task_id = str((await make_task(user_id=owner)).id)
    answer = await send_with({"enforce_ownership": enforced}, action, task_id=task_id, title="t")
    assert answer.status_code == status
    hidden = {"detail": f"Task not found: {task_id}", "code": "not_found"}
    assert status == 200 or answer.json() == hidden


@pytest.mark.parametrize(
    ("scopes", "permitted"),
    [
        (["tasks:read"], {"list-tasks", "get-task", "list-changes"}),
        (
            ["tasks:write"],
            {"create-task", "update-task", "delete-task", "restore-task", "undo"}
            | {"set-preferences"},
        ),
        (
            ["stats:read", "get-task"],
            {"get-stats", "get-mood", "get-preferences", "get-task"},
        ),
        (["*"], {action.name for action in commands() if action.scope and not action.by_name}),
        (None, {action.name for action in commands() if action.scope and not action.by_name}),
        (["users:export", "purge-user"], {"export-user", "purge-user"}),
    ],
)
async def test_scopes_permit_exactly_their_actions(
    send_with: Send, scopes: list[str] | None, permitted: set[str]
) -> None:
    payload = {"task_id": str(MISSING_ID), "title": "t"}
    answers = {
        action: await send_with({"scopes": scopes}, action, **payload)
        for action in ACTION_HANDLERS
        if find_action(action).scope is not None
    }
    assert {action for action, answer in answers.items() if answer.status_code != 403} == permitted
