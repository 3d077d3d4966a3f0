"""A user whom an administrator revokes is refused at every door, in its shape, and at login."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from httpx import AsyncClient

from app.services import Connection
from tests.conftest import MISSING_ID, SERVICE_HEADERS
from tests.doors.admin.test_revocations import REVOKE, REVOKED, lift, revoke
from tests.doors.test_user_tasks import bearer as user_bearer
from tests.support import contacts
from tests.support.accounts import EMAIL, bearer, log_in, refresh, register
from tests.support.people import acting_for, start_session

USER = str(MISSING_ID)
CONTACTS_REVOKED = {"success": False, "message": "Access was revoked"}

Headers = Mapping[str, str]


async def session(db: Connection) -> Headers:
    return await start_session(db, USER)


async def account(db: Connection) -> Headers:
    return await bearer(db, USER)


async def partner(db: Connection) -> Headers:
    await db.execute(
        "INSERT INTO contacts (id, name, email, company, user_type) "
        "VALUES ($1, 'María', 'maria@example.com', 'Azollon', 'client')",
        USER,
    )
    return contacts.HEADERS


def known(headers: Headers) -> Callable[[Connection], Awaitable[Headers]]:
    async def headers_of(_: Connection) -> Headers:
        return headers

    return headers_of


DOORS = {
    "session": ("/api/tasks", session, REVOKED),
    "delegate": ("/api/tasks", known(acting_for(USER)), REVOKED),
    "user API keys": ("/api/user-api-keys/current", known(acting_for(USER)), REVOKED),
    "account": ("/api/v1/tasks", account, REVOKED),
    "categories of an account": ("/api/v1/categories", account, REVOKED),
    "token of Better Auth": (
        f"/api/{USER}/tasks",
        known(user_bearer(USER)),
        {"detail": "Access was revoked", "code": "FORBIDDEN"},
    ),
    "service key": (f"/stats?user_id={USER}", known(SERVICE_HEADERS), REVOKED),
    "mood": (f"/mood?user_id={USER}", known(SERVICE_HEADERS), REVOKED),
    "contact": (f"/users/{USER}", partner, CONTACTS_REVOKED),
    "calls of a contact": (f"/calls?user_id={USER}", partner, CONTACTS_REVOKED),
    "tasks of a contact": (f"/tasks?user_id={USER.upper()}", partner, CONTACTS_REVOKED),
}


@pytest.mark.parametrize("door", DOORS)
async def test_revoked_user_is_refused_at_each_door_in_its_shape(
    client: AsyncClient, db: Connection, door: str
) -> None:
    path, headers_of, body = DOORS[door]
    headers = dict(await headers_of(db))
    made = (await revoke(client, user_id=USER)).json()
    answer = await client.get(path, headers=headers)
    assert (answer.status_code, answer.json()) == (403, body)
    await lift(client, made["id"])
    assert (await client.get(path, headers=headers)).status_code == 200


async def test_nothing_is_done_with_a_revoked_contact_nor_shown_of_what_is_his(
    client: AsyncClient, db: Connection
) -> None:
    headers = dict(await partner(db))
    call = await client.post("/calls", json={**contacts.CALL, "user_id": USER}, headers=headers)
    task = await client.post("/tasks", json={"title": "Call", "user_id": USER}, headers=headers)
    ours = await client.post("/tasks", json={"title": "Rest"}, headers=headers)
    before = [await db.fetch("SELECT * FROM calls"), await db.fetch("SELECT * FROM tasks")]
    assert (await revoke(client, user_id=USER)).status_code == 201

    async def refused(method: str, path: str, body: Any = None) -> None:
        answer = await client.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()) == (403, CONTACTS_REVOKED), path

    for kind, entity, new in (
        ("calls", call.json()["id"], contacts.CALL),
        ("tasks", task.json()["id"], {"title": "Call"}),
    ):
        await refused("GET", f"/{kind}/{entity}")
        await refused("PATCH", f"/{kind}/{entity}/status?new_status=cancelled")
        await refused("POST", f"/{kind}", {**new, "user_id": USER})
    assert before == [await db.fetch("SELECT * FROM calls"), await db.fetch("SELECT * FROM tasks")]
    # What is nobody's concerns nobody, and the partner's own lists still show everything.
    assert (await client.get(f"/tasks/{ours.json()['id']}", headers=headers)).status_code == 200
    listed = (await client.get("/tasks", headers=headers)).json()
    assert {one["title"] for one in listed} == {"Call", "Rest"}


async def test_a_command_that_was_refused_may_be_sent_again_once_the_contact_is_back(
    client: AsyncClient, db: Connection
) -> None:
    await partner(db)
    made = (await revoke(client, user_id=USER)).json()
    command = {
        "action": "schedule-call",
        "user_id": "user_123",
        "payload": {**contacts.CALL, "user_id": USER},
        "options": {"idempotency_key": "k"},
    }
    refused = await client.post("/execute", json=command, headers=SERVICE_HEADERS)
    assert (refused.status_code, refused.json()) == (403, REVOKED)
    await lift(client, made["id"])
    assert (await client.post("/execute", json=command, headers=SERVICE_HEADERS)).is_success


async def test_revoked_account_can_neither_log_in_nor_refresh(client: AsyncClient) -> None:
    registered = (await register(client)).json()
    await revoke(client, user_id=registered["user"]["id"])
    assert (await log_in(client)).json() == REVOKED
    assert (await log_in(client, EMAIL, "Wrong-at-7")).status_code == 401
    assert (await refresh(client, registered["refresh_token"])).json() == REVOKED


async def test_of_a_login_that_is_refused_nothing_stays(
    live_client: AsyncClient, elsewhere: Connection
) -> None:
    account = (await register(live_client)).json()["user"]["id"]
    await log_in(live_client, password="Wrong-at-7")
    await elsewhere.execute("DELETE FROM verification_tokens")
    left = "SELECT failed_logins, (SELECT count(*) FROM refresh_tokens) FROM accounts"
    before = await elsewhere.fetchrow(left)
    await elsewhere.execute(REVOKE, account)
    assert (await log_in(live_client)).json() == REVOKED
    assert await elsewhere.fetchrow(left) == before
    assert await elsewhere.fetchval("SELECT count(*) FROM verification_tokens") == 0


async def test_a_refresh_token_that_was_refused_is_not_used_up(
    live_client: AsyncClient, elsewhere: Connection
) -> None:
    registered = (await register(live_client)).json()
    token = registered["refresh_token"]
    await elsewhere.execute(REVOKE, registered["user"]["id"])
    assert (await refresh(live_client, token)).json() == REVOKED
    await elsewhere.execute("DELETE FROM revocations")
    assert (await refresh(live_client, token)).status_code == 200
    assert (await refresh(live_client, token)).status_code == 401
