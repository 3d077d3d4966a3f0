import asyncio
import re
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient

from app.config import Settings
from app.doors.accounts import mail
from app.services import Connection
from app.services.keys import digest
from tests.conftest import OPEN_DOORS
from tests.support.accounts import (
    ATTACKS,
    EMAIL,
    INVALID_LINK,
    PASSWORD,
    assert_refused,
    list_categories,
    log_in,
    refresh,
    register,
    serving,
)
from tests.support.inbox import Inbox, silent_server
from tests.support.inbox import serving as mailbox


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def mail_server(inbox: Inbox) -> Iterator[dict[str, Any]]:
    """The settings of a mail server that fills the inbox."""
    with mailbox(inbox) as port:
        yield {"smtp_host": "localhost", "smtp_port": port, "smtp_security": "none"}


@pytest.fixture
def settings(shared_url: str, mail_server: dict[str, Any]) -> Settings:
    return Settings(database_url=shared_url, log_level="ERROR", **OPEN_DOORS, **mail_server)


async def verification_token(inbox: Inbox) -> str:
    """The token in the link of the one mail that arrives; it leaves the inbox."""
    async with asyncio.timeout(5):
        while not inbox.envelopes:
            await asyncio.sleep(0.01)
    [message] = inbox.messages
    inbox.envelopes.clear()
    assert message["To"] == EMAIL
    link = re.search(
        r"^http://localhost:8888/api/v1/auth/verify\?token=([\w-]{43})\s*$",
        message.get_content(),
        re.MULTILINE,
    )
    assert link
    return link[1]


async def test_link_in_the_mail_verifies_the_address_once(
    client: AsyncClient, inbox: Inbox
) -> None:
    user = (await register(client)).json()["user"]
    path = f"/api/v1/auth/verify?token={await verification_token(inbox)}"
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, {**user, "is_active": True})
    assert_refused(await client.get(path), 400, INVALID_LINK)


async def test_head_of_a_mail_scanner_uses_no_link_up(
    client: AsyncClient, db: Connection, inbox: Inbox
) -> None:
    await register(client)
    path = f"/api/v1/auth/verify?token={await verification_token(inbox)}"
    for _ in range(2):
        assert (await client.head(path)).status_code == 200
        assert not await db.fetchval("SELECT is_active FROM accounts")
    assert (await client.get(path)).status_code == 200
    assert (await client.head(path)).status_code == 400


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=%00", f"?token={'x' * 300}"])
async def test_unknown_verification_token_is_400(client: AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/auth/verify{query}")
    assert answer.status_code == 400
    assert answer.json().keys() <= {"detail", "code"}


async def test_unverified_account_gets_another_mail_at_a_login_an_hour_later(
    client: AsyncClient, db: Connection, inbox: Inbox
) -> None:
    an_hour_passes = "UPDATE verification_tokens SET created_at = now() - interval '1 hour'"
    await register(client)
    await log_in(client)
    first = await verification_token(inbox)
    await db.execute(an_hour_passes)
    await log_in(client)
    second = await verification_token(inbox)
    for token in (first, second):
        assert (await client.get(f"/api/v1/auth/verify?token={token}")).status_code == 200
    await db.execute(an_hour_passes)
    await log_in(client)
    assert inbox.envelopes == []


async def test_tokens_work_before_verification_only_where_it_is_not_required(
    database_url: str, inbox: Inbox, mail_server: dict[str, Any]
) -> None:
    async with serving(database_url, require_verified_email=True, **mail_server) as client:
        token = (await register(client)).json()["access_token"]
        answer = await list_categories(client, token)
        assert_refused(answer, 403, {"detail": "Email address not verified", "code": "forbidden"})
        await client.get(f"/api/v1/auth/verify?token={await verification_token(inbox)}")
        assert (await list_categories(client, token)).status_code == 200
        for attack, forgery in ATTACKS.items():
            assert (await list_categories(client, forgery)).status_code == 401, attack


async def test_silent_mail_server_delays_no_registration(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_LAST_SECONDS", 0.1)
    async with (
        silent_server() as port,
        serving(database_url, smtp_host="localhost", smtp_port=port) as client,
    ):
        started = perf_counter()
        assert (await register(client)).status_code == 201
        assert perf_counter() - started < 1


async def test_registration_that_is_refused_sends_no_mail(
    client: AsyncClient, inbox: Inbox
) -> None:
    await register(client)
    await verification_token(inbox)
    assert (await register(client)).status_code == 409
    assert (await register(client, password="weak")).status_code == 400
    await asyncio.sleep(0.1)
    assert inbox.envelopes == []


async def test_neither_password_nor_token_rests_in_the_database(
    database_url: str, inbox: Inbox, mail_server: dict[str, Any]
) -> None:
    async with serving(database_url, **mail_server) as client:
        body = (await register(client)).json()
        await log_in(client)
        token = (await refresh(client, body["refresh_token"])).json()["refresh_token"]
    db = await asyncpg.connect(database_url)
    rows = [
        str(tuple(row))
        for table in ("accounts", "refresh_tokens", "verification_tokens")
        for row in await db.fetch(f"SELECT * FROM {table}")
    ]
    await db.close()
    verification = await verification_token(inbox)
    secrets = (PASSWORD, token[32:], body["refresh_token"][32:], verification)
    assert len(rows) == 4
    assert not [row for row in rows for secret in secrets if secret in row]
    assert any(digest(token) in row for row in rows)
