"""A batch performs queued commands in order: all or none, or each by itself."""

from typing import Any

from httpx import AsyncClient
from prometheus_client import REGISTRY

from app.services import Connection
from tests.conftest import MISSING_ID
from tests.support.batches import (
    command,
    count,
    create,
    each_mode,
    ref,
    send_alone,
    send_batch,
    titles,
)

MISSING = command("gone", "get-task", task_id=str(MISSING_ID))


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
