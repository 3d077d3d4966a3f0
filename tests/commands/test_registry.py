import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from fastapi import HTTPException
from httpx import ASGITransport, AsyncClient, Response

from app.commands import handlers
from app.commands.action import Action, BareHandler
from app.commands.registry import ACTION_HANDLERS, actions, commands, find_action
from app.config import Settings
from app.errors import InvalidPayload, NotFound
from app.main import create_app
from app.services import Connection
from tests.conftest import SERVICE_HEADERS, TaskFactory

SQL = re.compile(
    r"\bSELECT\s|\bINSERT\s+INTO\b|\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b|\bdb\.(fetch|execute)"
)
NAMES = ["create-task", "list-tasks", "get-task", "update-task", "delete-task", "get-stats"]
each_action = pytest.mark.parametrize("action", actions(), ids=lambda action: str(action.name))


async def call(name: str, db: Connection, **payload: Any) -> dict[str, Any]:
    handler = cast(Callable[..., Awaitable[dict[str, Any]]], ACTION_HANDLERS[name])
    result = await handler("user_123", payload, db)
    assert json.loads(json.dumps(result)) == result
    return result


def test_a_service_key_is_offered_the_six_documented_actions_and_no_one_elses() -> None:
    offered = {action.name for action in commands()}
    assert set(NAMES) <= offered
    assert offered.isdisjoint({"toggle-task", "get-user-secret"})


@pytest.mark.parametrize(("name", "handler"), ACTION_HANDLERS.items())
def test_every_key_is_the_name_of_its_action(name: str, handler: object) -> None:
    assert isinstance(handler, Action)
    assert find_action(name).name == name == handler.name


def test_unknown_name_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"^Unknown action: fly$"):
        find_action("fly")


async def test_created_task_is_shown_changed_and_deleted(db: Connection) -> None:
    created = await call("create-task", db, title="Feed cat", due_date="2030-01-01T00:00:00")
    assert (created["user_id"], created["due_date"]) == ("user_123", "2030-01-01T00:00:00Z")
    task_id = created["id"]
    assert await call("get-task", db, task_id=task_id) == created
    assert await call("list-tasks", db) == {"tasks": [created], "count": 1}
    updated = await call("update-task", db, task_id=task_id, status="completed")
    assert updated == {**created, "status": "completed", "completed_at": updated["completed_at"]}
    assert updated["completed_at"].endswith("Z")
    assert await call("delete-task", db, task_id=task_id) == {
        "success": True,
        "deleted_id": task_id,
    }


async def test_statistics_are_json_numbers(db: Connection, make_task: TaskFactory) -> None:
    await make_task(status="completed")
    assert await call("get-stats", db) == {
        "total_tasks": 1,
        "pending_tasks": 0,
        "in_progress_tasks": 0,
        "completed_tasks": 1,
        "completion_rate": 100.0,
        "overdue_tasks": 0,
    }


async def test_handler_called_directly_validates_its_payload(db: Connection) -> None:
    with pytest.raises(InvalidPayload, match=r"^Missing required field: title$"):
        await call("create-task", db)


async def test_handler_called_directly_is_trusted_across_users(
    db: Connection, make_task: TaskFactory
) -> None:
    task = await make_task(user_id="another")
    assert (await call("get-task", db, task_id=str(task.id)))["user_id"] == "another"


@each_action
def test_every_action_is_described(action: Action) -> None:
    assert len(action.description) > 20
    assert action.description[-1] in ".:"


@each_action
def test_every_action_has_examples_that_validate(action: Action) -> None:
    assert action.examples
    for example in action.examples:
        action.validate(example)


@each_action
def test_only_writing_actions_ask_for_a_write_scope(action: Action) -> None:
    if action.scope is None:
        assert action.composite
    elif not action.by_name:
        assert action.scope.endswith(":write" if action.writes else ":read")


@pytest.mark.parametrize(
    "path", sorted(Path(handlers.__file__).parent.glob("*.py")), ids=lambda path: str(path.name)
)
def test_handlers_contain_no_sql(path: Path) -> None:
    assert SQL.findall(path.read_text()) == []


def assert_fault(answer: Response, status: int) -> None:
    body = answer.json()
    assert answer.status_code == status, body
    assert set(body) == {"detail", "code", "success", "data", "error", "timestamp"}
    assert (body["success"], body["data"], body["error"]) == (False, None, body["detail"])
    assert datetime.now(UTC) - datetime.fromisoformat(body["timestamp"]) < timedelta(minutes=1)


async def post(client: AsyncClient, payload: bytes = b"{}") -> Response:
    content = b'{"action": "purr", "user_id": "user_123", "payload": %b}' % payload
    headers = {**SERVICE_HEADERS, "Content-Type": "application/json"}
    return await client.post("/execute", content=content, headers=headers)


def register(monkeypatch: pytest.MonkeyPatch, handler: BareHandler) -> None:
    monkeypatch.setitem(ACTION_HANDLERS, "purr", handler)


async def purr(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
    await db.execute("INSERT INTO tasks (user_id, title) VALUES ($1, $2)", user_id, "Purr")
    if fault := payload.get("fault"):
        raise {"runtime": RuntimeError("s3cr3t"), "http": HTTPException(418, "No tea")}[fault]
    return {"user_id": user_id, "payload": payload}


async def purrs(database_url: str) -> int:
    db = await asyncpg.connect(database_url)
    count: int = await db.fetchval("SELECT count(*) FROM tasks WHERE title = 'Purr'")
    await db.close()
    return count


async def test_bare_handler_works_and_its_writes_are_kept(
    live_client: AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, purr)
    answer = await post(live_client, b'{"loudness": 3}')
    assert answer.status_code == 200
    assert answer.json()["data"] == {"user_id": "user_123", "payload": {"loudness": 3}}
    assert await purrs(database_url) == 1


def test_bare_handler_is_the_same_action_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, purr)
    assert actions() == actions()
    assert find_action("purr") in actions()


async def test_bare_handler_that_raises_is_rolled_back_and_500(
    live_client: AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, purr)
    answer = await post(live_client, b'{"fault": "runtime"}')
    assert_fault(answer, 500)
    assert answer.json()["detail"] == "Internal server error"
    assert "s3cr3t" not in answer.text
    assert await purrs(database_url) == 0


async def test_bare_handler_that_raises_http_exception_keeps_its_status(
    live_client: AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, purr)
    answer = await post(live_client, b'{"fault": "http"}')
    assert (answer.status_code, answer.json()) == (418, {"detail": "No tea"})
    assert await purrs(database_url) == 0


@pytest.mark.parametrize("text", [b"a\\u0000", b"a\\ud800"])
@pytest.mark.parametrize("payload", [b'{"t": "%b"}', b'{"t": {"%b": [1]}}', b'{"t": ["%b"]}'])
async def test_bare_handler_never_sees_text_that_cannot_be_stored(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, text: bytes, payload: bytes
) -> None:
    register(monkeypatch, purr)
    assert (await post(client, payload % text)).status_code == 400


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"1" * 400, b"-" + b"1" * 400])
@pytest.mark.parametrize("payload", [b'{"n": %b}', b'{"n": {"m": [%b]}}'])
async def test_bare_handler_never_sees_a_number_that_json_could_not_tell_again(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, number: bytes, payload: bytes
) -> None:
    register(monkeypatch, purr)
    answer = await post(client, payload % number)
    assert (answer.status_code, answer.json()["detail"]) == (
        *(400, "must not have numbers beyond 1.8e308"),
    )
    assert (await post(client, payload % b"-1.5e308")).status_code == 200


async def test_statement_timeout_is_503(
    live_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
        await db.execute("SET LOCAL statement_timeout = 50")
        await db.execute("SELECT pg_sleep(5)")
        return {}

    register(monkeypatch, slow)
    answer = await post(live_client)
    assert_fault(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1


async def test_database_that_is_away_is_503_but_a_missing_key_still_401() -> None:
    app = create_app(Settings(database_url="postgresql://s3cr3t@127.0.0.1:1/none"))
    transport = ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        answer = await post(client)
        unauthenticated = await client.post("/execute", json={})
    assert_fault(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
    assert "s3cr3t" not in answer.text
    assert unauthenticated.status_code == 401
