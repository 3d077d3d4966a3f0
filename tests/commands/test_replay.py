"""A command sent again has one effect and one answer."""

import asyncio
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient, Response

from app.commands.registry import ACTION_HANDLERS
from app.services import Connection, retention
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS, TaskFactory

KEY = "1732190000000-k3j9x"
CREATE = {"action": "create-task", "user_id": "user_123", "payload": {"title": "Feed cat"}}


async def send(client: AsyncClient, command: dict[str, Any], key: str | None = KEY) -> Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/execute", json=command, headers=SERVICE_HEADERS | headers)


async def test_a_repetition_gets_the_first_answer_and_has_no_effect(
    client: AsyncClient, db: Connection
) -> None:
    first = await send(client, CREATE)
    again = await send(client, CREATE)
    assert (again.status_code, again.content) == (200, first.content)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await db.fetchval("SELECT count(*) FROM tasks") == 1
    assert await db.fetchval("SELECT count(*) FROM changes") == 1


async def test_the_option_means_the_same_as_the_header(client: AsyncClient) -> None:
    first = await send(client, CREATE | {"options": {"idempotency_key": KEY}}, key=None)
    again = await send(client, CREATE)
    assert again.content == first.content
    differing = await send(client, CREATE | {"options": {"idempotency_key": "other"}})
    assert differing.status_code == 400


async def test_the_order_of_members_does_not_make_another_command(client: AsyncClient) -> None:
    fields = {"title": "Feed cat", "priority": "low"}
    first = await send(client, CREATE | {"payload": fields})
    again = await send(client, CREATE | {"payload": dict(reversed(fields.items()))})
    assert again.content == first.content


@pytest.mark.parametrize(
    "other",
    [
        CREATE | {"payload": {"title": "Feed dog"}},
        {"action": "delete-task", "user_id": "user_123", "payload": {"task_id": str(MISSING_ID)}},
    ],
)
async def test_another_content_under_the_same_key_is_refused(
    client: AsyncClient, db: Connection, other: dict[str, Any]
) -> None:
    await send(client, CREATE)
    refused = await send(client, other)
    assert refused.status_code == 422
    sentence = "The idempotency key was used for another command"
    assert refused.json() == {"detail": sentence, "code": "idempotency_key_reused"}
    assert await db.fetchval("SELECT count(*) FROM tasks") == 1


async def test_users_and_keys_do_not_share_their_idempotency_keys(
    client: AsyncClient, db: Connection
) -> None:
    await send(client, CREATE)
    assert (await send(client, CREATE | {"user_id": "another"})).status_code == 200
    minted = await client.post(
        "/admin/service-keys",
        json={"key_name": "second-client", "environment": "dev"},
        headers=ADMIN_HEADERS,
    )
    headers = {"X-Service-Key": minted.json()["service_key"], "Idempotency-Key": KEY}
    assert (await client.post("/execute", json=CREATE, headers=headers)).status_code == 200
    assert await db.fetchval("SELECT count(*) FROM tasks") == 3


async def test_rotating_a_key_forgets_nothing(client: AsyncClient) -> None:
    first = await send(client, CREATE)
    rotated = await client.post(
        "/admin/rotate-key", json={"key_name": "cat-house-dev"}, headers=ADMIN_HEADERS
    )
    headers = {"X-Service-Key": rotated.json()["new_key"], "Idempotency-Key": KEY}
    again = await client.post("/execute", json=CREATE, headers=headers)
    assert again.content == first.content


async def test_a_refusal_of_the_action_is_an_answer_too(
    client: AsyncClient, make_task: TaskFactory
) -> None:
    task = await make_task()
    delete = {"action": "delete-task", "user_id": "u", "payload": {"task_id": str(task.id)}}
    assert (await send(client, delete, "first")).status_code == 200
    missing = await send(client, delete, "second")
    again = await send(client, delete, "second")
    assert missing.status_code == again.status_code == 404
    assert again.content == missing.content
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_what_failed_before_execution_is_not_stored(
    client: AsyncClient, db: Connection
) -> None:
    wrong = await send(client, CREATE | {"payload": {"title": ""}})
    assert wrong.status_code == 400
    assert (await send(client, CREATE)).status_code == 200
    assert await db.fetchval("SELECT count(*) FROM replays") == 1


async def test_a_fault_is_not_stored_and_leaves_nothing(
    client: AsyncClient, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail_once(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
        await db.execute("INSERT INTO tasks (user_id, title) VALUES ($1, 'half')", user_id)
        if not failed:
            failed.append(True)
            raise RuntimeError("out of cat food")
        return {"done": True}

    failed: list[bool] = []
    monkeypatch.setitem(ACTION_HANDLERS, "feed-cat", fail_once)
    command = {"action": "feed-cat", "user_id": "u", "payload": {}}
    assert (await send(client, command)).status_code == 500
    assert await db.fetchval("SELECT count(*) FROM tasks") == 0
    assert (await send(client, command)).json()["data"] == {"done": True}
    assert await db.fetchval("SELECT count(*) FROM tasks") == 1


@pytest.mark.parametrize("key", ["", "with space", "ü", "x" * 256, "tab\t"])
async def test_a_key_that_is_not_1_to_255_visible_characters_is_refused(
    client: AsyncClient, db: Connection, key: str
) -> None:
    refused = await send(client, CREATE | {"options": {"idempotency_key": key}}, key=None)
    assert refused.status_code == 400
    assert "idempotency_key" in refused.json()["detail"]
    assert await db.fetchval("SELECT count(*) FROM tasks") == 0


@pytest.mark.parametrize("key", ["", "with space"])
async def test_a_header_that_is_no_key_never_writes(
    client: AsyncClient, db: Connection, key: str
) -> None:
    headers = {**SERVICE_HEADERS, "Idempotency-Key": key}
    assert (await client.post("/execute", json=CREATE, headers=headers)).status_code == 400
    assert await db.fetchval("SELECT count(*) FROM tasks") == 0


async def test_a_misspelt_option_never_writes(client: AsyncClient, db: Connection) -> None:
    refused = await send(client, CREATE | {"options": {"idempotency_kee": KEY}}, key=None)
    assert refused.status_code == 400
    assert "idempotency_kee" in refused.json()["detail"]
    assert await db.fetchval("SELECT count(*) FROM tasks") == 0


async def test_a_reading_action_is_not_stored(client: AsyncClient, db: Connection) -> None:
    listing = {"action": "list-tasks", "user_id": "user_123"}
    before = await send(client, listing)
    await send(client, CREATE, "other")
    after = await send(client, listing)
    assert [before.json()["data"]["count"], after.json()["data"]["count"]] == [0, 1]


async def test_after_seven_days_a_key_is_free_again(client: AsyncClient, db: Connection) -> None:
    await send(client, CREATE)
    await db.execute("UPDATE replays SET claimed_at = now() - interval '7 days 1 minute'")
    assert (await send(client, CREATE)).headers.get("Idempotency-Replayed") is None
    assert await db.fetchval("SELECT count(*) FROM tasks") == 2


async def test_expired_answers_are_purged_in_slices_and_the_others_stay(
    client: AsyncClient, db: Connection
) -> None:
    await send(client, CREATE)
    await db.execute(
        """
        INSERT INTO replays (user_id, key_name, idempotency_key, fingerprint, claimed_at)
        SELECT 'u' || n, 'k', n::text, '', now() - interval '9 days'
        FROM generate_series(1, 1025) AS n
        """
    )
    slices = [await retention.purge_replays(db, None) for _ in range(3)]
    assert [one.removed for one in slices] == [1000, 25, 0]
    assert (await send(client, CREATE)).headers["Idempotency-Replayed"] == "true"


async def test_twenty_at_once_have_one_effect_and_one_answer(
    live_client: AsyncClient, database_url: str
) -> None:
    answers = await asyncio.gather(*(send(live_client, CREATE) for _ in range(20)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM tasks") == 1
    await connection.close()


async def test_while_the_first_still_runs_the_second_is_told_to_come_back(
    live_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dawdle(user_id: str, payload: dict[str, Any], db: Connection) -> dict[str, Any]:
        await db.execute("SELECT pg_sleep(3)")
        return {}

    monkeypatch.setitem(ACTION_HANDLERS, "dawdle", dawdle)
    command = {"action": "dawdle", "user_id": "u"}
    first = asyncio.create_task(send(live_client, command))
    await asyncio.sleep(0.3)
    second = await send(live_client, command)
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert (await first).status_code == 200
