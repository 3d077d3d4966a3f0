import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from app.commands.registry import ACTION_HANDLERS, commands, find_action
from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import MISSING_ID, SERVICE_HEADERS, Execute, TaskFactory

REFUSED_KEY = {"detail": "Invalid or expired service key"}
JSON = {**SERVICE_HEADERS, "Content-Type": "application/json"}
MEBIBYTE = 1024 * 1024
ERROR_MEMBERS = ("type", "loc", "msg")
COMMAND = b'{"action": "get-stats", "user_id": "user_123"}'
TASK_FIELDS = (
    *("id", "user_id", "title", "description", "status", "priority"),
    *("created_at", "completed_at", "due_date"),
)

Send = Callable[..., Awaitable[Response]]
each_with_id = pytest.mark.parametrize("action", ["get-task", "update-task", "delete-task"])


def nested(depth: int) -> bytes:
    return COMMAND[:-1] + b', "x": %b%b}' % (b"[" * (depth - 1), b"]" * (depth - 1))


@pytest.fixture
def send(client: AsyncClient) -> Send:
    """Posts these bytes with the development key."""

    async def send(content: bytes | AsyncIterator[bytes], headers: Any = JSON) -> Response:
        return await client.post("/execute", content=content, headers=headers)

    return send


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


def assert_envelope_refused(answer: Response) -> None:
    assert answer.status_code == 422, answer.text
    assert set(answer.json()) == {"detail"}
    assert {frozenset(error) for error in answer.json()["detail"]} == {frozenset(ERROR_MEMBERS)}


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


@pytest.mark.parametrize("key", [None, "", "sk_prod_" + "0" * 64, "x" * 5000, "ключ".encode()])
@pytest.mark.parametrize("content", [b"{", b'{"action": "fly"}', b"x" * (MEBIBYTE + 1)])
async def test_key_is_checked_before_anything_else(send: Send, key: Any, content: bytes) -> None:
    answer = await send(content, {} if key is None else {"X-Service-Key": key})
    assert (answer.status_code, answer.json()) == (401, REFUSED_KEY)


@pytest.mark.parametrize("change", ["active = false", "expires_at = now() - interval '1 s'"])
async def test_inactive_or_expired_key_is_401(
    client: AsyncClient, db: Connection, change: str
) -> None:
    await keys.ensure_development_key(db)
    await db.execute(f"UPDATE service_api_keys SET {change}")
    answer = await client.post("/execute", content=COMMAND, headers=JSON)
    assert (answer.status_code, answer.json()) == (401, REFUSED_KEY)


async def test_envelope_is_checked_before_the_action(send: Send) -> None:
    assert_envelope_refused(await send(b'{"action": "fly", "payload": {}}'))


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
    assert_payload_refused(await send(COMMAND.replace(b"get-stats", b"create-task")), "title")


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


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"7", b'"s3cr3t"', b"[]", COMMAND + b"}", COMMAND + b"\x00"),
        *(b'{"action": "get-stats"}', b'{"user_id": "s3cr3t"}', b'{"Action": "get-stats"}'),
        *(COMMAND.replace(b'"get-stats"', value) for value in (b'""', b"null", b"7", b'["a"]')),
        *(COMMAND.replace(b"user_123", value) for value in (b"", b"u" * 256, b"s3cr3t\\u0000")),
        *(COMMAND.replace(b"user_123", value) for value in (b"s3cr3t\\ud800", b"\xff", b"\x01")),
        *(COMMAND.replace(b'"user_123"', value) for value in (b"null", b"7", b"true", b"{}")),
        *(
            COMMAND.replace(b"get-stats", value)
            for value in (b"a\\u0000", b"a\\udc00", b"\xc0\x80")
        ),
        *(COMMAND[:-1] + b', "payload": %b}' % value for value in (b"null", b"[]", b'"s3cr3t"')),
        COMMAND[:-1] + b', "options": {%b}}' % b",".join(b'"%d": 0' % n for n in range(90_000)),
        *(COMMAND[:-1] + b', "x": %b}' % value for value in (b"NaN", b"Infinity", b"-Infinity")),
        *(COMMAND[:-1] + b', "payload": {"x": NaN}}', b"\xef\xbb\xbf" * 2 + COMMAND),
        *(COMMAND.decode().encode("utf-16"), b"[" * 1000, b"[" * 1000 + b"]" * 1000),
        *(b'{"a":' * 1000, b"[" * 100_000, nested(33)),
    ],
)
async def test_wrong_envelope_is_422_and_not_echoed(send: Send, content: bytes) -> None:
    answer = await send(content)
    assert_envelope_refused(answer)
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize(
    "content", [nested(32), COMMAND.replace(b"user_123", "ü".encode() * 255), b" \n" + COMMAND]
)
async def test_envelope_at_its_limits_is_accepted(send: Send, content: bytes) -> None:
    assert (await send(content)).status_code == 200


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jsonp", "json"])
async def test_other_content_type_is_422(send: Send, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert_envelope_refused(await send(COMMAND, {**SERVICE_HEADERS, **headers}))


async def test_spelling_and_parameters_of_the_content_type_do_not_matter(send: Send) -> None:
    headers = {**SERVICE_HEADERS, "Content-Type": "Application/JSON; charset=utf-8"}
    assert (await send(COMMAND, headers)).status_code == 200


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 413)])
async def test_body_over_one_mebibyte_is_413(
    send: Send, streamed: bool, excess: int, status: int
) -> None:
    body = COMMAND.ljust(MEBIBYTE + excess)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    answer = await send(chunks() if streamed else body)
    assert ("content-length" in answer.request.headers) != streamed
    assert answer.status_code == status
    assert status == 200 or set(answer.json()) == {"detail"}
