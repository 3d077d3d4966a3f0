"""An account that was deleted or deactivated opens nothing any more, and comes back by no link."""

import asyncio
from time import monotonic
from typing import Any

import asyncpg
import jwt
import pytest
from httpx import AsyncClient

from app.services import Connection, accounts
from tests.support.accounts import (
    INVALID_LINK,
    INVALID_REFRESH,
    INVALID_TOKEN,
    SECRET,
    WRONG,
    assert_refused,
    forged,
    list_categories,
    log_in,
    refresh,
    register,
    serving,
)

END = {
    "deleted": "DELETE FROM accounts",
    "deactivated": "UPDATE accounts SET is_active = false",
    "deactivated unverified": "UPDATE accounts SET deactivated_at = now()",
}


async def verify(db: Connection, account_id: str) -> None:
    await db.execute("UPDATE accounts SET is_active = true WHERE id = $1", account_id)


async def seconds_until_refused(client: AsyncClient, token: str) -> float:
    started = monotonic()
    while (await list_categories(client, token)).status_code == 200:
        assert monotonic() - started < 5
        await asyncio.sleep(0.02)
    return monotonic() - started


@pytest.mark.alone
@pytest.mark.parametrize("end", END.values(), ids=END)
@pytest.mark.parametrize("required", [False, True], ids=["", "verified"])
async def test_tokens_end_within_a_second_with_their_account(
    database_url: str, end: str, required: bool
) -> None:
    db = await asyncpg.connect(database_url)
    async with serving(database_url, require_verified_email=required) as client:
        body = (await register(client)).json()
        await verify(db, body["user"]["id"])
        assert (await list_categories(client, body["access_token"])).status_code == 200
        await db.execute(end)
        assert await seconds_until_refused(client, body["access_token"]) < 1
        refused = await list_categories(client, body["access_token"])
        assert_refused(refused, 401, INVALID_TOKEN)
        assert_refused(await refresh(client, body["refresh_token"]), 401, INVALID_REFRESH)
        assert_refused(await log_in(client), 401, WRONG)
    await db.close()


async def test_token_of_an_account_that_never_was_is_refused(client: AsyncClient) -> None:
    token = jwt.encode(forged(), SECRET, "HS256")
    assert_refused(await list_categories(client, token), 401, INVALID_TOKEN)


async def test_requests_of_one_account_share_one_look_up(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def is_active(db: Connection, account_id: Any) -> bool | None:
        asked.append(account_id)
        return True

    monkeypatch.setattr(accounts, "is_active", is_active)
    token = (await register(client)).json()["access_token"]
    for _ in range(3):
        assert (await list_categories(client, token)).status_code == 200
    assert len(asked) == 1


async def test_reactivated_account_is_let_in_again(client: AsyncClient, db: Connection) -> None:
    user = (await register(client)).json()["user"]
    await verify(db, user["id"])
    await db.execute(END["deactivated"])
    assert (await log_in(client)).status_code == 401
    await verify(db, user["id"])
    assert (await log_in(client)).status_code == 200


@pytest.mark.parametrize("end", [END["deactivated"], END["deactivated unverified"]])
@pytest.mark.parametrize("verified", [False, True])
async def test_no_verification_link_reactivates(
    client: AsyncClient, db: Connection, end: str, verified: bool
) -> None:
    user = (await register(client)).json()["user"]
    await db.execute("DELETE FROM verification_tokens")
    token = await accounts.insert_verification(db, user["id"])
    if verified or end == END["deactivated"]:
        await verify(db, user["id"])
    await db.execute(end)
    for _ in range(2):
        answer = await client.get(f"/api/v1/auth/verify?token={token}")
        assert_refused(answer, 400, INVALID_LINK)
    assert (await log_in(client)).status_code == 401
    assert await db.fetchval("SELECT deactivated_at IS NOT NULL FROM accounts")


async def test_of_two_who_follow_a_link_at_once_one_succeeds(
    crowd: list[Connection],
) -> None:
    account = await accounts.insert_account(crowd[0], "w@example.com", "hash", "Whiskers")
    token = await accounts.insert_verification(crowd[0], account.id)
    assert token is not None
    followed = await asyncio.gather(*(accounts.verify_email(db, token) for db in crowd))
    assert len([verified for verified in followed if verified is not None]) == 1
