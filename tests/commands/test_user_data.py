"""Everything kept of a user is shown and removed, and nothing of anybody else's."""

import asyncio
import json
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.commands.registry import ACTION_HANDLERS
from app.models.task import TaskFields
from app.services import Connection, tasks
from app.services.users import KEPT, purge_user
from tests.conftest import (
    ADMIN_HEADERS,
    OPEN_DOORS,
    SERVICE_HEADERS,
    CallFactory,
    ContactFactory,
    Execute,
    TaskFactory,
)
from tests.doors.admin.test_keys import create
from tests.support.accounts import register
from tests.support.people import acting_for

SECRET = "a-secret-of-more-than-20-characters"


@pytest.fixture
async def key(client: AsyncClient) -> dict[str, str]:
    """Headers of a key that may export and purge."""
    minted = await create(client, key_name="privacy", scopes=["users:export", "users:purge"])
    return {"X-Service-Key": minted.json()["service_key"]}


async def send(
    client: AsyncClient, headers: dict[str, str], action: str, user_id: str, **options: object
) -> Response:
    command = {"action": action, "user_id": user_id, "options": options}
    return await client.post("/execute", json=command, headers=headers)


async def fill(client: AsyncClient, execute: Execute, user_id: str) -> None:
    """Leaves something of the user in every table that a client can write."""
    task = (await execute("create-task", user_id, title=f"Feed {user_id}")).json()["data"]
    category = (await execute("create-category", user_id, name="Cats")).json()["data"]
    payload = {"task_id": task["id"], "category_id": category["id"]}
    assert (await execute("assign-category", user_id, **payload)).status_code == 200
    body = {"provider": "gemini", "api_key": SECRET}
    await client.post("/api/user-api-keys", json=body, headers=acting_for(user_id))
    command = {"action": "create-task", "user_id": user_id, "payload": {"title": "Feed cat"}}
    headers = {**SERVICE_HEADERS, "Idempotency-Key": "once"}
    await client.post("/execute", json=command, headers=headers)


async def counts(db: Connection, user_id: str) -> dict[str, int]:
    """How many rows of the user there are, by table."""
    found = {}
    for kept in KEPT:
        where = f"SELECT count(*) FROM {kept.table} WHERE {kept.owner}"
        found[kept.table] = await db.fetchval(where, user_id)
    return {table: count for table, count in found.items() if count}


async def test_every_table_with_a_user_id_is_known_to_export_and_purge(db: Connection) -> None:
    listed = await db.fetch("""
        SELECT table_name
        FROM information_schema.columns JOIN information_schema.tables USING (table_name)
        WHERE columns.table_schema = 'public' AND tables.table_schema = 'public'
            AND table_type = 'BASE TABLE' AND column_name = 'user_id'
    """)
    known = {kept.table for kept in KEPT} | {"user_sessions"}  # the auth server's
    assert {row["table_name"] for row in listed} <= known


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: str(kept.table))
async def test_every_column_is_shown_or_kept_secret_on_purpose(db: Connection, kept: Any) -> None:
    columns = await db.fetch(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = $1",
        kept.table,
    )
    known = f"{kept.columns}, {kept.hidden}, user_id".replace(" ", "").split(",")
    assert {row["column_name"] for row in columns} <= set(known)


@pytest.mark.parametrize("scopes", [None, ["*"], ["tasks:read", "tasks:write"]], ids=str)
@pytest.mark.parametrize("action", ["export-user", "purge-user"])
async def test_only_a_key_that_was_granted_it_by_name_may(
    client: AsyncClient, db: Connection, action: str, scopes: list[str] | None
) -> None:
    minted = (await create(client, scopes=scopes)).json()
    headers = {"X-Service-Key": minted["service_key"]}
    answer = await send(client, headers, action, "user_123")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await client.get(f"/actions/{action}", headers=headers)).status_code == 404
    named = (await create(client, key_name="named", scopes=[action])).json()
    headers = {"X-Service-Key": named["service_key"]}
    assert (await send(client, headers, action, "user_123")).status_code == 200
    assert (await client.get(f"/actions/{action}", headers=headers)).status_code == 200


async def test_export_shows_what_is_kept_and_no_secret(
    client: AsyncClient, execute: Execute, key: dict[str, str]
) -> None:
    for user_id in ("user_123", "another"):
        await fill(client, execute, user_id)
    answer = await send(client, key, "export-user", "user_123")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["user_id"], data["exported_at"][-1]) == ("user_123", "Z")
    assert list(data) == ["user_id", "exported_at", *(kept.table for kept in KEPT)]
    assert [task["title"] for task in data["tasks"]] == ["Feed user_123", "Feed cat"]
    assert data["tasks"][0]["created_at"].endswith("Z")
    assert [one["name"] for one in data["categories"]] == ["Cats"]
    assert data["task_categories"][0]["task_id"] == data["tasks"][0]["id"]
    assert [one["masked_key"] for one in data["user_api_keys"]] == ["a-se...ers"]
    assert [json.loads(one["body"])["data"]["title"] for one in data["replays"]] == ["Feed cat"]
    assert [one["sequence"] for one in data["changes"]] == [1, 2, 3]
    for foreign in ("another", SECRET):
        assert foreign not in answer.text


async def test_export_of_an_account_and_of_a_contact_shows_them(
    client: AsyncClient,
    key: dict[str, str],
    make_contact: ContactFactory,
    make_call: CallFactory,
) -> None:
    account = (await register(client)).json()
    data = (await send(client, key, "export-user", account["user"]["id"])).json()["data"]
    assert [one["email"] for one in data["accounts"]] == ["whiskers@example.com"]
    assert (len(data["refresh_tokens"]), len(data["verification_tokens"])) == (1, 1)
    assert "argon2" not in str(data)
    assert "token_hash" not in str(data)
    contact = await make_contact()
    await make_call(contact)
    data = (await send(client, key, "export-user", str(contact.id))).json()["data"]
    assert [one["name"] for one in data["contacts"]] == ["María"]
    assert [one["title"] for one in data["calls"]] == ["Onboarding"]


async def test_long_export_is_whole_and_comes_in_parts(
    client: AsyncClient, db: Connection, key: dict[str, str]
) -> None:
    await db.execute("""
        INSERT INTO tasks (user_id, title, description, created_at)
        SELECT 'user_123', n, repeat('x', n * 20), timestamptz '2026-01-01' + n % 7 * interval '1h'
        FROM generate_series(1, 700) AS n
    """)
    data = (await send(client, key, "export-user", "user_123")).json()["data"]
    assert sorted(int(task["title"]) for task in data["tasks"]) == list(range(1, 701))


async def test_purge_leaves_one_change_and_nothing_of_anybody_else_goes(
    client: AsyncClient, db: Connection, execute: Execute, key: dict[str, str]
) -> None:
    for user_id in ("user_123", "another"):
        await fill(client, execute, user_id)
    # The test is one transaction, so that all of it happens now.
    await db.execute("UPDATE replays SET claimed_at = claimed_at - interval '1 second'")
    before = await counts(db, "another")
    assert len(before) >= 6
    answer = await send(client, key, "purge-user", "user_123")
    assert (answer.status_code, answer.json()["data"]) == (
        200,
        {"user_id": "user_123", "sequence": 4, "removed": answer.json()["data"]["removed"]},
    )
    assert answer.json()["data"]["removed"].items() >= {"tasks": 2, "categories": 1}.items()
    assert await counts(db, "user_123") == {"changes": 1, "change_counts": 1}
    assert await counts(db, "another") == before
    [left] = await db.fetch("SELECT * FROM changes WHERE user_id = 'user_123'")
    assert (left["kind"], left["operation"], left["sequence"]) == ("user", "purged", 4)
    assert left["fields"] == []
    task = await execute("create-task", title="Back again")
    assert task.status_code == 200
    sequences = await db.fetch("SELECT sequence FROM changes WHERE user_id = 'user_123'")
    assert {row["sequence"] for row in sequences} == {4, 5}


async def test_purged_account_is_signed_out_and_purged_contact_is_gone(
    client: AsyncClient,
    db: Connection,
    key: dict[str, str],
    make_contact: ContactFactory,
    make_call: CallFactory,
    make_task: TaskFactory,
) -> None:
    account = (await register(client)).json()
    contact = await make_contact()
    await make_call(contact)
    await make_task(str(contact.id))
    for user_id in (account["user"]["id"], str(contact.id)):
        assert (await send(client, key, "purge-user", user_id)).status_code == 200
        assert set(await counts(db, user_id)) == {"changes", "change_counts"}
    body = {"refresh_token": account["refresh_token"]}
    assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
    headers = {"X-API-Key": OPEN_DOORS["task_api_key"]}
    assert (await client.get(f"/users/{contact.id}", headers=headers)).status_code == 404


async def test_another_spelling_of_an_accounts_id_is_another_user(
    client: AsyncClient, db: Connection, key: dict[str, str]
) -> None:
    account = (await register(client)).json()
    await send(client, key, "purge-user", account["user"]["id"].upper())
    assert await db.fetchval("SELECT count(*) FROM accounts") == 1


async def test_purge_that_is_sent_again_removes_nothing_that_came_since(
    client: AsyncClient, execute: Execute, key: dict[str, str]
) -> None:
    await execute("create-task", title="Feed cat")
    first = await send(client, key, "purge-user", "user_123", idempotency_key="once")
    await execute("create-task", title="Back again")
    again = await send(client, key, "purge-user", "user_123", idempotency_key="once")
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert (await execute("list-tasks")).json()["data"]["count"] == 1


async def test_dry_run_of_a_purge_tells_what_would_go_and_leaves_it(
    client: AsyncClient, db: Connection, execute: Execute, key: dict[str, str]
) -> None:
    await fill(client, execute, "user_123")
    before = await counts(db, "user_123")
    answer = await send(client, key, "purge-user", "user_123", dry_run=True)
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert answer.json()["data"]["removed"]["tasks"] == 2
    assert await counts(db, "user_123") == before
    acts = (await client.get("/admin/audit", headers=ADMIN_HEADERS)).json()["acts"]
    assert [act["act"] for act in acts] == ["key.created"]


async def test_both_leave_a_trail(client: AsyncClient, key: dict[str, str]) -> None:
    for action in ("export-user", "purge-user"):
        await send(client, key, action, "user_123")
    acts = (await client.get("/admin/audit", headers=ADMIN_HEADERS)).json()["acts"]
    purged, exported, _ = acts
    assert [act["act"] for act in (exported, purged)] == ["user.exported", "user.purged"]
    for act in (exported, purged):
        assert (act["object"], act["administrator"]) == ("user/user_123", "key:privacy")
        assert act["request_id"]
    assert purged["after"]["sequence"] == 1


async def test_whoever_writes_meanwhile_comes_before_or_after(crowd: list[Connection]) -> None:
    async def write(db: Connection) -> None:
        for number in range(20):
            await tasks.insert_task(db, "user_123", TaskFields(title=str(number)))

    async def purge(db: Connection) -> int:
        async with db.transaction():
            return (await purge_user(db, "user_123")).sequence

    writer, purger, *_ = crowd
    _, sequence = await asyncio.gather(write(writer), purge(purger))
    rows = await writer.fetch(
        "SELECT sequence, entity_id FROM changes WHERE user_id = 'user_123' AND kind = 'task'"
    )
    left = {row["id"] for row in await writer.fetch("SELECT id FROM tasks")}
    assert {row["entity_id"] for row in rows} == left
    assert all(row["sequence"] > sequence for row in rows)
    assert len(left) == 21 - sequence


async def test_client_that_follows_the_feed_starts_anew_after_a_purge(
    client: AsyncClient, execute: Execute, key: dict[str, str]
) -> None:
    async def follow(cursor: str | None = None) -> Response:
        return await execute("list-changes", **({"cursor": cursor} if cursor else {}))

    before = (await follow()).json()["data"]["cursor"]
    await execute("create-task", title="Feed cat")
    latest = (await follow()).json()["data"]["cursor"]
    await send(client, key, "purge-user", "user_123")
    for cursor in (before, latest):
        answer = await follow(cursor)
        assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
    since = (await follow()).json()["data"]["cursor"]
    await execute("create-task", title="Back again")
    assert (await follow(latest)).status_code == 410
    [change] = (await follow(since)).json()["data"]["changes"]
    assert change["task"]["title"] == "Back again"
    undone = await execute("undo", sequence=change["sequence"] - 1)
    assert undone.status_code in {404, 410}


def test_they_are_actions_like_others() -> None:
    assert {"export-user", "purge-user"} <= ACTION_HANDLERS.keys()
