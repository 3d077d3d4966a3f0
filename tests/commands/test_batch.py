"""A batch performs queued commands in order: all or none, or each by itself."""

from typing import Any

import pytest
from httpx import AsyncClient
from prometheus_client import REGISTRY

from app.commands.registry import ACTION_HANDLERS
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS, TaskFactory
from tests.support.batches import command, create, ref, send_alone, send_batch

MODES = ("atomic", "independent")
each_mode = pytest.mark.parametrize("mode", MODES)
MISSING = command("gone", "get-task", task_id=str(MISSING_ID))


async def titles(db: Connection) -> list[str]:
    return [row[0] for row in await db.fetch("SELECT title FROM tasks ORDER BY id")]


async def count(db: Connection, table: str) -> int:
    found: int = await db.fetchval(f"SELECT count(*) FROM {table}")
    return found


@each_mode
async def test_commands_are_performed_in_order_and_answered_as_alone(
    client: AsyncClient, db: Connection, mode: str
) -> None:
    answer = await send_batch(
        client,
        create("a", "one", priority="low"),
        create("b", "two"),
        command("c", "update-task", task_id=ref("a"), status="completed"),
        command("d", "list-tasks"),
        command("e", "delete-task", task_id=ref("b")),
        mode=mode,
    )
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"success", "data", "error", "timestamp"}
    data = body["data"]
    assert {name: data[name] for name in data if name != "results"} == {
        "mode": mode,
        "applied": 5,
        "failed": 0,
        "replayed": 0,
    }
    results = data["results"]
    assert [result["id"] for result in results] == list("abcde")
    assert {(one["status"], one["error"], one["replayed"]) for one in results} == {
        (200, None, False)
    }
    created, other, completed, listed, deleted = (one["data"] for one in results)
    assert (created["title"], created["status"]) == ("one", "pending")
    assert (completed["id"], completed["status"]) == (created["id"], "completed")
    assert listed == {"tasks": [other, completed], "count": 2}
    assert deleted == {"success": True, "deleted_id": other["id"]}
    assert await titles(db) == ["one"]
    sequences = await db.fetch("SELECT sequence, operation FROM changes ORDER BY position")
    assert [tuple(row) for row in sequences] == [
        (1, "created"),
        (2, "created"),
        (3, "updated"),
        (4, "deleted"),
    ]


async def test_mode_is_atomic_unless_told_otherwise(client: AsyncClient) -> None:
    assert (await send_batch(client, create("a"))).json()["data"]["mode"] == "atomic"


async def test_the_first_failure_of_an_atomic_batch_leaves_nothing(
    client: AsyncClient, db: Connection
) -> None:
    answer = await send_batch(client, create("a"), create("b"), MISSING, create("d"))
    assert answer.status_code == 404
    assert answer.json() == {
        "detail": f"commands[2]: Task not found: {MISSING_ID}",
        "code": "not_found",
        "index": 2,
        "id": "gone",
    }
    assert [await count(db, name) for name in ("tasks", "changes", "replays")] == [0, 0, 0]
    again = await send_batch(client, create("a"), create("b"), create("d"))
    assert again.json()["data"]["applied"] == 3


async def test_in_an_independent_batch_the_others_go_on(
    client: AsyncClient, db: Connection
) -> None:
    missing = command("gone", "update-task", task_id=str(MISSING_ID), status="completed")
    unnamed = command("unnamed", "create-task")
    answer = await send_batch(
        client, create("a"), missing, unnamed, create("d"), mode="independent"
    )
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert [data[name] for name in ("applied", "failed", "replayed")] == [2, 2, 0]
    assert [result["status"] for result in data["results"]] == [200, 404, 400, 200]
    assert data["results"][1]["error"] == {
        "detail": f"Task not found: {MISSING_ID}",
        "code": "not_found",
    }
    sentence = "Missing required field: title"
    assert data["results"][2]["error"] == {
        "detail": sentence,
        "code": "invalid_payload",
        "errors": [{"field": "title", "message": sentence}],
    }
    assert (data["results"][1]["data"], data["results"][2]["data"]) == (None, None)
    assert await count(db, "tasks") == 2
    stored = {row[0] for row in await db.fetch("SELECT idempotency_key FROM replays")}
    assert stored == {"a", "gone", "d"}  # what failed before execution is not stored


@each_mode
async def test_a_command_has_one_effect_alone_and_in_batches(
    client: AsyncClient, db: Connection, mode: str
) -> None:
    alone = await send_alone(client, create("a", "alone"))
    batch = await send_batch(
        client,
        create("a", "alone"),
        create("b", "batched"),
        command("c", "update-task", task_id=ref("a"), title="renamed"),
        mode=mode,
    )
    data = batch.json()["data"]
    assert [data[name] for name in ("applied", "failed", "replayed")] == [2, 0, 1]
    assert data["results"][0] == {
        "id": "a",
        "status": 200,
        "data": alone.json()["data"],
        "error": None,
        "replayed": True,
    }
    again = await send_batch(
        client,
        create("b", "batched"),
        create("e", "new"),
        create("a", "alone"),
        command("c", "update-task", task_id=ref("a"), title="renamed"),
        mode=mode,
    )
    data = again.json()["data"]
    assert [one["replayed"] for one in data["results"]] == [True, False, True, True]
    second = await send_alone(client, create("b", "batched"))
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json()["data"] == batch.json()["data"]["results"][1]["data"]
    task_id = alone.json()["data"]["id"]
    third = await send_alone(client, command("c", "update-task", task_id=task_id, title="renamed"))
    assert third.headers["Idempotency-Replayed"] == "true"
    assert sorted(await titles(db)) == ["batched", "new", "renamed"]


async def test_another_content_under_an_id_fails_that_command(
    client: AsyncClient, db: Connection
) -> None:
    await send_alone(client, create("a", "first"))
    refused = await send_batch(client, create("x"), create("a", "second"))
    assert (refused.status_code, refused.json()["index"]) == (422, 1)
    assert refused.json()["code"] == "idempotency_key_reused"
    data = (await send_batch(client, create("x"), create("a", "second"), mode="independent")).json()
    assert [one["status"] for one in data["data"]["results"]] == [200, 422]
    assert await titles(db) == ["first", "Feed cat"]


async def test_a_stored_refusal_fails_an_atomic_batch_and_is_replayed_in_another(
    client: AsyncClient, db: Connection
) -> None:
    gone = command("gone", "delete-task", task_id=str(MISSING_ID))
    assert (await send_alone(client, gone)).status_code == 404
    refused = await send_batch(client, create("a"), gone)
    assert (refused.status_code, refused.json()["index"]) == (404, 1)
    assert refused.json()["detail"] == f"commands[1]: Task not found: {MISSING_ID}"
    assert await count(db, "tasks") == 0
    data = (await send_batch(client, gone, mode="independent")).json()["data"]
    assert (data["failed"], data["replayed"], data["results"][0]["status"]) == (0, 1, 404)


@each_mode
async def test_a_reference_to_what_has_no_id_is_refused(
    client: AsyncClient, db: Connection, make_task: TaskFactory, mode: str
) -> None:
    task = await make_task()
    answer = await send_batch(
        client,
        command("a", "delete-task", task_id=str(task.id)),
        command("b", "get-task", task_id=ref("a")),
        mode=mode,
    )
    sentence = "task_id: the result of commands[0] has no id"
    if mode == "atomic":
        assert (answer.status_code, answer.json()["index"]) == (400, 1)
        assert answer.json()["detail"] == f"commands[1]: {sentence}"
        assert await count(db, "tasks") == 1
    else:
        failed = answer.json()["data"]["results"][1]
        assert (failed["status"], failed["error"]["detail"]) == (400, sentence)
        assert await count(db, "tasks") == 0


async def test_a_reference_to_what_failed_fails_that_command(client: AsyncClient) -> None:
    answer = await send_batch(
        client,
        MISSING,
        command("b", "update-task", task_id=ref("gone"), title="x"),
        create("c"),
        mode="independent",
    )
    results = answer.json()["data"]["results"]
    assert [one["status"] for one in results] == [404, 400, 200]
    assert results[1]["error"]["detail"] == "task_id: commands[0] failed"


def at(index: int, sentence: str) -> str:
    return f"commands[{index}]: {sentence}"


NO_EARLIER = "task_id: refers to no earlier command of the batch"
SHAPES: list[tuple[list[Any], int, str]] = [
    ([], 400, "commands"),
    ([create(str(number)) for number in range(101)], 400, "commands"),
    ([create("a"), create("b"), create("a")], 400, at(2, "id: is that of commands[0] too")),
    ([create("a"), "b"], 400, "commands[1]: "),
    ([create("a"), {"action": "get-stats"}], 400, at(1, "Missing required field: id")),
    ([create("")], 400, at(0, "id: ")),
    ([create("with space")], 400, at(0, "id: ")),
    ([create("x" * 256)], 400, at(0, "id: ")),
    ([create("a"), {"id": "b"}], 400, at(1, "Missing required field: action")),
    ([{"id": "a", "action": "get-stats", "payload": []}], 400, at(0, "payload: ")),
    ([create("a"), command("b", "fly")], 404, at(1, "Unknown action: fly")),
    ([command("a", "get-user-secret")], 403, at(0, "Not for this kind of credential")),
    ([create("a"), command("b", "batch", commands=[create("c")])], 400, at(1, "action: ")),
    ([create("a"), command("b", "get-task", task_id=ref("z"))], 400, at(1, NO_EARLIER)),
    ([command("b", "get-task", task_id=ref("a")), create("a")], 400, at(0, NO_EARLIER)),
    ([create("a"), command("b", "get-task", task_id=ref("b"))], 400, at(1, NO_EARLIER)),
    ([create("a"), command("b", "get-task", task_id={"$ref": 1})], 400, at(1, NO_EARLIER)),
]


@each_mode
@pytest.mark.parametrize(("commands", "status", "detail"), SHAPES)
async def test_a_wrong_shape_is_refused_before_anything_is_performed(
    client: AsyncClient,
    db: Connection,
    mode: str,
    commands: list[Any],
    status: int,
    detail: str,
) -> None:
    answer = await send_batch(client, *commands, mode=mode)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail), answer.text
    assert [await count(db, name) for name in ("tasks", "replays")] == [0, 0]


async def test_an_unknown_mode_is_refused(client: AsyncClient, db: Connection) -> None:
    answer = await send_batch(client, create("a"), mode="some")
    assert (answer.status_code, await count(db, "tasks")) == (400, 0)
    assert answer.json()["errors"][0]["field"] == "mode"


async def test_an_atomic_batch_is_validated_before_anything_is_performed(
    client: AsyncClient, db: Connection
) -> None:
    deeper = command("b", "create-task", title="x", tags=[ref("a")])
    for wrong in (command("b", "create-task", title=""), deeper):
        answer = await send_batch(client, create("a"), wrong)
        assert (answer.status_code, answer.json()["index"]) == (400, 1)
        assert answer.json()["code"] == "invalid_payload"
        assert await count(db, "tasks") == 0


@each_mode
async def test_a_batch_has_no_key_of_its_own(
    client: AsyncClient, db: Connection, mode: str
) -> None:
    answer = await send_batch(client, create("a"), mode=mode, idempotency_key="k")
    assert (answer.status_code, await count(db, "tasks")) == (400, 0)
    headers = {**SERVICE_HEADERS, "Idempotency-Key": "k"}
    answer = await send_batch(client, create("a"), mode=mode, headers=headers)
    assert (answer.status_code, await count(db, "tasks")) == (400, 0)


@each_mode
async def test_a_key_needs_the_scope_of_each_command(
    client: AsyncClient, db: Connection, mode: str
) -> None:
    minted = await client.post(
        "/admin/service-keys",
        json={"key_name": "reader", "environment": "dev", "scopes": ["tasks:read"]},
        headers=ADMIN_HEADERS,
    )
    headers = {"X-Service-Key": minted.json()["service_key"]}
    listing = command("a", "list-tasks")
    allowed = await send_batch(client, listing, mode=mode, headers=headers)
    assert allowed.status_code == 200
    refused = await send_batch(client, listing, create("b"), mode=mode, headers=headers)
    assert refused.status_code == 403
    assert refused.json()["detail"] == "commands[1]: Missing scope: tasks:write"
    assert await count(db, "tasks") == 0


async def fail(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
    await db.execute("INSERT INTO tasks (user_id, title) VALUES ($1, 'half')", user_id)
    raise RuntimeError("out of cat food")


async def test_a_fault_is_the_status_of_its_command_and_is_not_stored(
    client: AsyncClient, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ACTION_HANDLERS, "fail", fail)
    data = (
        await send_batch(client, create("a"), command("b", "fail"), create("c"), mode="independent")
    ).json()["data"]
    assert [one["status"] for one in data["results"]] == [200, 500, 200]
    assert data["results"][1]["error"] == {
        "detail": "Internal server error",
        "code": "internal_error",
    }
    assert await titles(db) == ["Feed cat", "Feed cat"]
    assert await count(db, "replays") == 2
    atomic = await send_batch(client, create("d"), command("e", "fail"))
    assert (atomic.status_code, atomic.json()["index"]) == (500, 1)
    assert atomic.json()["detail"] == "commands[1]: Internal server error"
    assert (atomic.json()["success"], atomic.json()["error"]) == (
        False,
        "commands[1]: Internal server error",
    )
    assert await count(db, "tasks") == 2


async def test_a_bare_handler_takes_references_and_gives_ids(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def echo(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
        return {"id": "paw", "payload": payload}

    monkeypatch.setitem(ACTION_HANDLERS, "echo", echo)
    answer = await send_batch(client, command("a", "echo"), command("b", "echo", of=ref("a"), n=1))
    assert answer.json()["data"]["results"][1]["data"]["payload"] == {"of": "paw", "n": 1}


@each_mode
async def test_lists_that_are_too_long_together_are_refused(
    client: AsyncClient, db: Connection, mode: str
) -> None:
    await db.execute(
        "INSERT INTO tasks (user_id, title, description) "
        "SELECT 'user_123', 'long', repeat('x', 90000) FROM generate_series(1, 15)"
    )
    lists = [command(str(number), "list-tasks") for number in range(5)]
    answer = await send_batch(client, *lists, mode=mode)
    if mode == "atomic":
        assert (answer.status_code, answer.json()["code"]) == (413, "answer_too_large")
    else:
        statuses = [one["status"] for one in answer.json()["data"]["results"]]
        assert statuses == [200, 200, 200, 413, 413]


@each_mode
async def test_a_hundred_creates_are_a_few_statements(
    client: AsyncClient, db: Connection, mode: str
) -> None:
    await send_batch(client, create("first"))
    statements: list[str] = []

    def note(statement: Any) -> None:
        statements.append(statement.query)

    db.add_query_logger(note)
    answer = await send_batch(client, *(create(f"c{n}", f"t{n}") for n in range(100)), mode=mode)
    db.remove_query_logger(note)
    assert answer.json()["data"]["applied"] == 100
    assert len(statements) <= 10
    assert (await titles(db))[1:] == [f"t{n}" for n in range(100)]
    assert await db.fetchval("SELECT last_sequence FROM change_counts") == 101


async def test_the_metrics_tell_what_became_of_the_commands(client: AsyncClient) -> None:
    def counted(action: str, status: int) -> float:
        name = "task_manager_batched_commands_total"
        labels = {"action": action, "status": str(status)}
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = counted("create-task", 200), counted("get-task", 404)
    await send_batch(client, create("a"), MISSING, create("b"), mode="independent")
    after = counted("create-task", 200), counted("get-task", 404)
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
