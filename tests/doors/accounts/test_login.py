import asyncio
from uuid import UUID

import bcrypt
import jwt
import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from app.auth import passwords
from app.auth.passwords import Passwords
from app.services import Connection
from tests.support.accounts import (
    EMAIL,
    PASSWORD,
    SECRET,
    WRONG,
    assert_refused,
    list_categories,
    log_in,
    refresh,
    register,
    serving,
)


async def test_registration_answers_as_documented(client: AsyncClient) -> None:
    answer = await register(client, email="Whiskers@Example.COM")
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert list(body) == ["access_token", "refresh_token", "token_type", "user"]
    assert body["token_type"] == "bearer"
    assert UUID(body["user"].pop("id")).version == 7
    assert body["user"] == {"email": EMAIL, "full_name": "Whiskers", "is_active": False}


async def test_login_answers_as_documented(client: AsyncClient) -> None:
    await register(client)
    answer = await log_in(client, email="WHISKERS@example.com")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert list(body) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)


async def test_refresh_answers_as_documented(client: AsyncClient) -> None:
    first = (await register(client)).json()
    answer = await refresh(client, first["refresh_token"])
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert list(body) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert body["refresh_token"] != first["refresh_token"]
    assert body["access_token"] != first["access_token"]


async def test_access_token_of_each_answer_opens_the_door(client: AsyncClient) -> None:
    registered = (await register(client)).json()
    logged_in = (await log_in(client)).json()
    refreshed = (await refresh(client, logged_in["refresh_token"])).json()
    for body in (registered, logged_in, refreshed):
        assert (await list_categories(client, body["access_token"])).status_code == 200
        claims = jwt.decode(body["access_token"], SECRET, ["HS256"])
        assert (claims["sub"], claims["email"]) == (registered["user"]["id"], EMAIL)


async def test_known_address_in_any_case_is_409(client: AsyncClient) -> None:
    await register(client)
    for email in (EMAIL, "WHISKERS@EXAMPLE.COM"):
        answer = await register(client, email=email)
        assert_refused(answer, 409, {"detail": "Email already registered", "code": "taken"})


@pytest.mark.alone
async def test_of_registrations_of_one_address_side_by_side_one_succeeds(
    database_url: str,
) -> None:
    async with serving(database_url) as client:
        answers = await asyncio.gather(*(register(client) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        pytest.param({"email": "whiskers"}, "email", id="no address"),
        pytest.param({"email": "a@example.com\r\nBcc: b@example.com"}, "email", id="header"),
        pytest.param({"email": None}, "email", id="null address"),
        pytest.param({"password": "Sh0rt-a"}, "password", id="7 characters"),
        pytest.param({"password": "salmon-at-7"}, "password", id="no upper"),
        pytest.param({"password": "SALMON-AT-7"}, "password", id="no lower"),
        pytest.param({"password": "Salmon-at-x"}, "password", id="no digit"),
        pytest.param({"password": "Salmonat77"}, "password", id="no special"),
        pytest.param({"password": "Salmon-7" * 17}, "password", id="136 characters"),
        pytest.param({"password": "Salmon-7\x00"}, "password", id="NUL"),
        pytest.param({"password": 12345678}, "password", id="a number"),
        pytest.param({"full_name": " "}, "full_name", id="blank name"),
        pytest.param({"full_name": "x" * 201}, "full_name", id="long name"),
    ],
)
async def test_invalid_registration_is_400_and_names_the_field_but_not_its_value(
    client: AsyncClient, changed: dict[str, object], named: str
) -> None:
    answer = await register(client, **changed)
    assert answer.status_code == 400
    assert list(answer.json()) == ["detail", "code"]
    assert answer.json()["detail"].startswith(f"{named}: ")
    assert "almon" not in answer.text


@pytest.mark.parametrize("path", ["register", "login", "refresh"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'"x"', b'{"email": "\xff"}'])
async def test_body_that_is_none_of_ours_is_400(
    client: AsyncClient, path: str, content: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post(f"/api/v1/auth/{path}", content=content, headers=headers)
    assert answer.status_code == 400
    assert list(answer.json()) == ["detail", "code"]


async def test_account_carried_over_with_a_bcrypt_hash_is_upgraded_at_its_first_login(
    client: AsyncClient, db: Connection
) -> None:
    stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await db.execute(
        "INSERT INTO accounts (email, password_hash, full_name) VALUES ($1, $2, 'Whiskers')",
        "Whiskers@Example.com",
        stored,
    )
    assert_refused(await log_in(client, password="Salmon-at-8"), 401, WRONG)
    assert await db.fetchval("SELECT password_hash FROM accounts") == stored
    for _ in range(2):
        assert (await log_in(client)).status_code == 200
        assert (await db.fetchval("SELECT password_hash FROM accounts")).startswith("$argon2id$")


async def test_too_many_passwords_at_once_is_503_with_retry_after(
    client: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_TIMEOUT", 0.05)
    answers = await asyncio.gather(
        *(log_in(client, email=f"cat{number}@example.com") for number in range(20))
    )
    assert {answer.status_code for answer in answers} == {401, 503}
    for answer in answers:
        if answer.status_code == 503:
            sentence = "Too many passwords to check, try again shortly"
            assert answer.json() == {"detail": sentence, "code": "busy"}
            assert answer.headers["Retry-After"] == "1"


async def test_database_that_is_away_is_503_in_the_door_s_shape() -> None:
    async with serving("postgresql://u@127.0.0.1:1/none") as client:
        for answer in (
            await register(client),
            await log_in(client),
            await refresh(client, "0" * 96),
        ):
            sentence = "Database unavailable, try again shortly"
            assert_refused(answer, 503, {"detail": sentence, "code": "unavailable"})
            assert answer.headers["Retry-After"] == "1"


async def test_body_over_8_kib_is_413_in_the_door_s_shape(client: AsyncClient) -> None:
    answer = await register(client, full_name="x" * 8192)
    detail = "The request body is larger than 8192 bytes"
    assert_refused(answer, 413, {"detail": detail})


async def test_fault_is_a_plain_500_in_the_door_s_shape(
    client: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(password: str) -> str:
        raise RuntimeError(password)

    monkeypatch.setattr(app.state.resources[Passwords], "hash", fail)
    fault = {"detail": "Internal server error", "code": "internal_error"}
    assert_refused(await register(client), 500, fault)


async def test_door_is_closed_without_its_secret(database_url: str) -> None:
    async with serving(database_url, jwt_secret=None) as client:
        assert (await register(client)).status_code == 404
        assert (await list_categories(client, "x")).status_code == 404
        assert "/api/v1/auth/login" not in (await client.get("/openapi.json")).json()["paths"]
        assert "accounts" not in (await client.get("/")).json()["doors"]


async def test_document_promises_400_and_never_422(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operations = [
        operation
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/")
        for operation in methods.values()
    ]
    assert len(operations) >= 9
    for operation in operations:
        assert "422" not in operation["responses"]
        assert ("400" in operation["responses"]) == (operation["summary"] != "List categories")
