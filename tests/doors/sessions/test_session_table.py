"""The auth server's table of sessions, as the service meets it: whose it is, and when it is not."""

import hmac
from base64 import b64encode
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient

from app.auth import sessions
from tests.support.application import talking_to
from tests.support.log_lines import Lines, lines_of
from tests.support.people import SESSION_SECRET, start_session

TOKEN = "GGmw3gvHh5t6g7t1xwN2vgvdhFtliein"
SECRET = "a shared secret of 32 characters or more"
BETTER_AUTHS = """
CREATE TABLE {0} (
    id text PRIMARY KEY, "expiresAt" timestamp NOT NULL, token text NOT NULL UNIQUE,
    "createdAt" timestamp NOT NULL, "updatedAt" timestamp NOT NULL, "ipAddress" text,
    "userAgent" text, "userId" text NOT NULL
);
INSERT INTO {0} VALUES ('1', timezone('UTC', now()) + interval '1 hour', '{1}', now(), now(),
    NULL, NULL, 'ann')
"""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    return lines_of(sessions, monkeypatch)


async def run(url: str, statement: str) -> None:
    db = await asyncpg.connect(url)
    await db.execute(statement)
    await db.close()


async def ask(client: AsyncClient, bearer: str = TOKEN) -> int:
    headers = {b"Authorization": f"Bearer {bearer}".encode("latin-1")}
    answer = await client.get("/api/tasks", headers=headers)
    if answer.status_code == 503:
        assert answer.json()["code"] == "session_table_unusable"
        assert answer.headers["Retry-After"]
    return answer.status_code


def signed(token: str = TOKEN) -> str:
    return f"{token}.{b64encode(hmac.digest(SECRET.encode(), token.encode(), 'sha256')).decode()}"


@pytest.mark.parametrize("table", ["session", "auth.session"])
async def test_better_auths_own_table_is_found_by_its_name(
    database_url: str, lines: Lines, table: str
) -> None:
    await run(database_url, "CREATE SCHEMA auth;" + BETTER_AUTHS.format(table, TOKEN))
    async with talking_to(database_url, session_table=table) as client:
        assert [line["event"] for line in lines] == ["session_table"]
        told: Any = {"table": table, "shape": "better_auth", "columns": "token, userId, expiresAt"}
        assert told.items() <= lines[0].items()
        assert [await ask(client), await ask(client, f"{TOKEN}.x"), await ask(client, "x")] == [
            *(200, 200, 401)
        ]


async def test_with_better_auths_secret_the_signature_has_to_be_right(database_url: str) -> None:
    await run(database_url, BETTER_AUTHS.format("session", TOKEN))
    given = {"session_table": "session", "better_auth_secret": SECRET}
    async with talking_to(database_url, **given) as client:
        percent_encoded = signed().replace("=", "%3D").replace("+", "%2B").replace("/", "%2F")
        for bearer in (signed(), percent_encoded):
            assert await ask(client, bearer) == 200
        for bearer in (TOKEN, f"{TOKEN}.", signed()[:-2], f"x{signed()}", f"{TOKEN}.ü", "é.x"):
            assert await ask(client, bearer) == 401


async def test_signatures_of_our_shape_are_the_auth_servers_concern(database_url: str) -> None:
    given = {"session_hash_secret": SESSION_SECRET, "better_auth_secret": SECRET}
    db = await asyncpg.connect(database_url)
    hashed = await start_session(db, "ann")
    await db.close()
    async with talking_to(database_url, **given) as client:
        assert (await client.get("/api/tasks", headers=hashed)).status_code == 200


async def test_another_shape_is_noticed_without_a_restart(database_url: str, lines: Lines) -> None:
    async with talking_to(database_url, session_hash_secret=SESSION_SECRET) as client:
        assert await ask(client) == 401
        await run(database_url, "DROP TABLE user_sessions")
        assert await ask(client) == 503
        await run(database_url, BETTER_AUTHS.format("user_sessions", TOKEN))
        assert await ask(client) == 200
    assert [(line["event"], line.get("shape")) for line in lines] == [
        ("session_table", "both"),
        ("session_table_unusable", None),
        ("session_table", "better_auth"),
    ]


@pytest.mark.parametrize(
    "columns", ["", "token text", "token bigint, user_id text, expires_at timestamptz"]
)
async def test_an_unusable_table_is_one_line_and_503(
    database_url: str, lines: Lines, columns: str
) -> None:
    await run(database_url, f"CREATE TABLE session ({columns})")
    async with talking_to(database_url, session_table="session") as client:
        for _ in range(3):
            assert await ask(client) == 503
        assert (await client.get("/health/ready")).status_code == 200
    [line] = lines
    assert (line["event"], line["log_level"]) == ("session_table_unusable", "error")


async def test_a_database_that_is_away_at_the_start_is_asked_later(lines: Lines) -> None:
    away = "postgresql://localhost:1/none"
    async with talking_to(away, session_table="session") as client:
        answer = await client.get("/api/tasks", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert lines == []
