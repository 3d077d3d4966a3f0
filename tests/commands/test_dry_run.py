"""A dry run answers as the real one does, and leaves nothing."""

from dataclasses import replace
from typing import Any

import pytest
from httpx import AsyncClient

from app.commands.registry import ACTION_HANDLERS, commands, find_action
from app.models.caller import SERVICES
from app.services import Connection
from tests.conftest import MISSING_ID, CallFactory, ContactFactory, TaskFactory
from tests.support.batches import command, create, ref, send_batch
from tests.support.options import data, send


async def content(db: Connection) -> dict[str, Any]:
    """Every row of every table."""
    tables = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        name: await db.fetchval(f"SELECT array_agg(t::text ORDER BY t::text) FROM {name} AS t")
        for (name,) in tables
    }


REQUESTS = [
    request for action in commands() if not action.by_name for request in action.example_requests()
]


@pytest.mark.parametrize("envelope", REQUESTS, ids=lambda one: str(one["action"]))
async def test_a_dry_run_of_any_action_answers_as_the_real_one_and_leaves_nothing(
    client: AsyncClient,
    db: Connection,
    make_task: TaskFactory,
    make_contact: ContactFactory,
    make_call: CallFactory,
    envelope: dict[str, Any],
) -> None:
    task = await make_task()
    contact = await make_contact()
    category = await data(client, "create-category", {"name": "Vet"})
    ids = {
        "task_id": str(task.id),
        "category_id": category["id"],
        "contact_id": str(contact.id),
        "call_id": str((await make_call(contact)).id),
        "user_id": str(contact.id),
    }
    if envelope["action"] == "undo":
        renamed = await send(client, "update-task", {"task_id": ids["task_id"], "title": "Vet"})
        ids["command_id"] = renamed.headers["x-request-id"]
    if envelope["action"] == "unassign-category":
        await data(client, "assign-category", {name: ids[name] for name in list(ids)[:2]})
    if envelope["action"] == "restore-task":
        await data(client, "delete-task", {"task_id": str(task.id), "permanent": False})
    payload = {name: ids.get(name, value) for name, value in envelope["payload"].items()}
    before = await content(db)
    rehearsed = await send(client, envelope["action"], payload, dry_run=True)
    assert await content(db) == before
    real = await send(client, envelope["action"], payload)
    assert rehearsed.status_code == real.status_code == 200
    assert rehearsed.json()["dry_run"] is True
    assert set(rehearsed.json()) == {*real.json(), "dry_run"}
    assert shape(rehearsed.json()["data"]) == shape(real.json()["data"])
    if find_action(envelope["action"]).writes:
        assert await content(db) != before


def shape(value: Any) -> Any:
    """The value without what differs from one time to the next."""
    if isinstance(value, dict):
        varying = {"id", "created_at", "updated_at", "completed_at", "computed_at"}
        return {name: name if name in varying else shape(one) for name, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else value


async def test_a_dry_run_leaves_its_idempotency_key_unused(
    client: AsyncClient, db: Connection
) -> None:
    await data(client, "get-stats", {})  # makes the development key
    before = await content(db)
    rehearsed = await send(client, "create-task", {"title": "x"}, dry_run=True, idempotency_key="k")
    assert (rehearsed.status_code, rehearsed.json()["dry_run"]) == (200, True)
    assert await content(db) == before
    real = await send(client, "create-task", {"title": "y"}, idempotency_key="k")
    assert (real.status_code, "Idempotency-Replayed" in real.headers) == (200, False)
    assert "dry_run" not in real.json()
    again = await send(client, "create-task", {"title": "y"}, dry_run=True, idempotency_key="k")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == real.json() | {"dry_run": True}


async def test_a_dry_run_makes_the_same_checks(client: AsyncClient, db: Connection) -> None:
    named = {"task_id": str(MISSING_ID)}
    missing = await send(client, "delete-task", named, dry_run=True)
    assert (missing.status_code, missing.json()) == (
        404,
        {"detail": f"Task not found: {MISSING_ID}", "code": "not_found"},
    )
    assert (await send(client, "create-task", {}, dry_run=True)).status_code == 400
    sequence = await data(client, "create-task", {"title": "x"})
    assert sequence["title"] == "x"
    assert await db.fetchval("SELECT last_sequence FROM change_counts") == 1


async def test_what_reaches_outside_cannot_be_rehearsed(
    client: AsyncClient, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = replace(find_action("test-user-secret"), allow=SERVICES)
    monkeypatch.setitem(ACTION_HANDLERS, "test-user-secret", outside)
    refused = await send(client, "test-user-secret", {}, dry_run=True)
    assert (refused.status_code, refused.json()["code"]) == (400, "dry_run_unsupported")
    batched = await send_batch(client, create("a"), command("b", "test-user-secret"))
    assert (batched.status_code, batched.json()["index"]) == (400, 1)
    alone = await send_batch(
        client, create("a"), command("b", "test-user-secret"), mode="independent", dry_run=True
    )
    results = alone.json()["data"]["results"]
    assert [one["status"] for one in results] == [200, 400]
    assert results[1]["error"]["code"] == "dry_run_unsupported"
    assert await db.fetchval("SELECT count(*) FROM tasks") == 0


@pytest.mark.parametrize("mode", ["atomic", "independent"])
async def test_a_batch_can_be_rehearsed(client: AsyncClient, db: Connection, mode: str) -> None:
    queued = [
        create("a", "one"),
        create("b", "two"),
        command("c", "update-task", task_id=ref("a"), status="completed"),
        command("d", "list-tasks"),
    ]
    await data(client, "get-stats", {})  # makes the development key
    before = await content(db)
    rehearsed = (await send_batch(client, *queued, mode=mode, dry_run=True)).json()
    assert await content(db) == before
    real = (await send_batch(client, *queued, mode=mode)).json()
    assert rehearsed["dry_run"] is True
    assert shape(rehearsed["data"]) == shape(real["data"])
    again = (await send_batch(client, *queued, mode=mode, dry_run=True)).json()["data"]
    assert again["replayed"] == 3
