"""What a batch refuses, before anything is performed or at the command that fails."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.commands.registry import ACTION_HANDLERS
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS, TaskFactory
from tests.support.batches import command, count, create, each_mode, ref, send_batch, titles

MISSING = command("gone", "get-task", task_id=str(MISSING_ID))


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
    ([{"id": 5, "action": "get-stats"}], 400, at(0, "id: Input should be a valid string")),
    ([create("a"), {"action": "get-stats"}], 400, at(1, "Missing required field: id")),
    ([create("")], 400, at(0, "id: ")),
    ([create("with space")], 400, at(0, "id: ")),
    ([create("x" * 256)], 400, at(0, "id: ")),
    ([create("a"), {"id": "b"}], 400, at(1, "Missing required field: action")),
    ([{"id": "a", "action": "get-stats", "payload": []}], 400, at(0, "payload: ")),
    ([create("a"), command("b", "fly")], 404, at(1, "Unknown action: fly")),
    (
        [command("a", "get-user-secret")],
        403,
        at(0, "This kind of credential may not perform the action"),
    ),
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


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"id": "a", "action": "get-stats", "payload": None}, "a"),
        ({"id": "a", "action": ""}, "a"),
        ({"id": "with space", "action": "get-stats"}, None),
        ({"action": "get-stats"}, None),
        ("a", None),
    ],
)
async def test_a_refusal_tells_the_id_where_that_is_one(
    client: AsyncClient, sent: Any, named: str | None
) -> None:
    answer = await send_batch(client, sent)
    assert (answer.status_code, answer.json()["index"], answer.json()["id"]) == (400, 0, named)


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


@pytest.mark.parametrize("condition", ["lock_not_available", "deadlock_detected"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_what_the_database_cannot_do_now_is_503_in_a_dry_run_too(
    live_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, condition: str, *, dry_run: bool
) -> None:
    async def wait(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
        return await db.fetchval(f"DO $$ BEGIN RAISE {condition}; END $$") or {}

    monkeypatch.setitem(ACTION_HANDLERS, "wait", wait)
    commands = create("a"), command("b", "wait"), create("c")
    alone = await send_batch(live_client, *commands, mode="independent", dry_run=dry_run)
    results = alone.json()["data"]["results"]
    assert [one["status"] for one in results] == [200, 503, 200]
    assert results[1]["error"]["code"] == "unavailable"
    atomic = await send_batch(live_client, *commands, dry_run=dry_run)
    assert (atomic.status_code, atomic.json()["code"], atomic.json()["index"]) == (
        *(503, "unavailable", 1),
    )
    assert int(atomic.headers["Retry-After"]) >= 1


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
