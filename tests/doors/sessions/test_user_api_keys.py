"""API keys that users leave here: encrypted, masked, tested, and told in plain to services only."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from cryptography.fernet import Fernet
from httpx import AsyncClient

from app.config import Settings
from app.doors.sessions import providers
from app.services import Connection
from tests.conftest import OPEN_DOORS, Execute
from tests.support.application import talking_to
from tests.support.people import Headers, acting_for, start_session
from tests.support.provider import HANG, Provider

KEY = "AIzaSyD-1234567890abcdefghijklmnopqrstu"
MASKED = "AIza...stu"
PATH = "/api/user-api-keys"
UNCONFIGURED = dict.fromkeys(
    [
        *("provider", "masked_key", "validation_status", "last_validated_at"),
        *("created_at", "updated_at"),
    ]
)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as provider:
        yield provider


@pytest.fixture
def settings(shared_url: str, provider: Provider) -> Settings:
    return Settings(
        database_url=shared_url, log_level="ERROR", gemini_base_url=provider.url, **OPEN_DOORS
    )


@pytest.fixture
async def ann(db: Connection) -> Headers:
    return await start_session(db, "ann")


async def save(client: AsyncClient, headers: Headers, key: str = KEY) -> None:
    answer = await client.post(PATH, json={"api_key": key}, headers=headers)
    assert answer.status_code == 201


async def current(client: AsyncClient, headers: Headers) -> dict[str, Any]:
    answer = await client.get(f"{PATH}/current", headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    told: dict[str, Any] = answer.json()
    return told


async def try_out(client: AsyncClient, headers: Headers) -> tuple[bool, str]:
    answer = await client.post(f"{PATH}/test", headers=headers)
    assert answer.status_code == 200
    assert list(answer.json()) == ["success", "message", "validation_status"]
    return answer.json()["success"], answer.json()["validation_status"]


async def test_a_key_is_kept_masked_and_removed(client: AsyncClient, ann: Headers) -> None:
    assert await current(client, ann) == {"configured": False, **UNCONFIGURED}
    saved = await client.post(PATH, json={"api_key": KEY, "provider": "gemini"}, headers=ann)
    assert (saved.status_code, list(saved.json())) == (201, ["success", "message", "masked_key"])
    assert (saved.json()["success"], saved.json()["masked_key"]) == (True, MASKED)
    shown = await current(client, ann)
    assert shown == {
        **shown,
        "configured": True,
        "provider": "gemini",
        "masked_key": MASKED,
        "validation_status": None,
        "last_validated_at": None,
    }
    assert list(shown) == ["configured", *UNCONFIGURED]
    assert shown["created_at"].endswith("Z")
    removed = await client.delete(f"{PATH}/current", headers=ann)
    assert (removed.status_code, list(removed.json())) == (200, ["success", "message"])
    assert await current(client, ann) == {"configured": False, **UNCONFIGURED}
    again = await client.delete(f"{PATH}/current", headers=ann)
    assert (again.status_code, list(again.json())) == (404, ["detail", "code"])


async def test_only_a_service_is_told_the_key(client: AsyncClient, ann: Headers) -> None:
    service = acting_for("ann")
    assert (await current(client, service))["plaintext_key"] is None
    await save(client, ann)
    assert (await current(client, service))["plaintext_key"] == KEY
    assert "plaintext_key" not in await current(client, ann)
    assert (await current(client, acting_for("bob")))["configured"] is False


async def test_the_database_holds_no_plain_key(
    client: AsyncClient, ann: Headers, db: Connection
) -> None:
    await save(client, ann)
    row = await db.fetchrow("SELECT * FROM user_api_keys")
    assert row is not None
    assert (row["user_id"], row["provider"], row["masked_key"]) == ("ann", "gemini", MASKED)
    assert KEY.encode() not in row["encrypted_value"]
    assert KEY[4:-3] not in str(dict(row))


async def test_another_key_takes_the_place_of_the_first_and_is_untested(
    client: AsyncClient, ann: Headers, db: Connection
) -> None:
    await save(client, ann)
    assert await try_out(client, ann) == (True, "success")
    await save(client, ann, "another-key-of-this-user")
    shown = await current(client, ann)
    assert (shown["masked_key"], shown["validation_status"]) == ("anot...ser", None)
    assert await db.fetchval("SELECT count(*) FROM user_api_keys") == 1


async def test_storing_asks_nobody(client: AsyncClient, ann: Headers, provider: Provider) -> None:
    await save(client, ann)
    assert provider.requests == []


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"api_key": None}, {"api_key": "k" * 19}, {"api_key": "k" * 501}, {"api_key": 7}),
        *({"api_key": f"{KEY}\n"}, {"api_key": "k" * 19 + "\x00"}, {"api_key": "ключ" * 5}),
        {"api_key": KEY, "provider": "oracle"},
    ],
    ids=str,
)
async def test_what_cannot_be_a_key_is_422_and_not_echoed(
    client: AsyncClient, ann: Headers, body: dict[str, Any]
) -> None:
    answer = await client.post(PATH, json=body, headers=ann)
    assert (answer.status_code, list(answer.json())) == (422, ["detail", "code", "errors"])
    assert KEY not in answer.text


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("accept", (True, "success")),
        ("refuse", (False, "failure")),
        ("garbage", (False, "failure")),
        (HANG, (False, "failure")),
    ],
)
async def test_how_a_test_ended_is_told_and_noted(
    client: AsyncClient,
    ann: Headers,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    outcome: tuple[bool, str],
) -> None:
    if behaviour == HANG:
        monkeypatch.setattr(providers, "_TIMEOUT", 1.0)
    await save(client, ann)
    provider.behaviour = behaviour
    assert await try_out(client, ann) == outcome
    shown = await current(client, ann)
    assert shown["validation_status"] == outcome[1]
    assert shown["last_validated_at"].endswith("Z")
    assert KEY.encode() in provider.requests[0]


async def test_a_key_in_the_body_is_tested_and_leaves_what_is_kept_alone(
    client: AsyncClient, ann: Headers, provider: Provider
) -> None:
    other = "another-key-of-20-characters"
    unsaved = await client.post(f"{PATH}/test", json={"api_key": other}, headers=ann)
    assert (unsaved.status_code, unsaved.json()["success"]) == (200, True)
    assert (await current(client, ann))["configured"] is False
    await save(client, ann)
    kept = await current(client, ann)
    provider.behaviour = "refuse"
    refused = await client.post(f"{PATH}/test", json={"api_key": other}, headers=ann)
    assert refused.json()["validation_status"] == "failure"
    assert await current(client, ann) == kept
    assert all(other.encode() in request for request in provider.requests)
    for nothing in ({}, {"api_key": None}):
        await client.post(f"{PATH}/test", json=nothing, headers=ann)
        assert KEY.encode() in provider.requests[-1]
    invalid = await client.post(f"{PATH}/test", json={"api_key": "short"}, headers=ann)
    assert invalid.status_code == 422


async def test_a_test_without_a_key_is_404(client: AsyncClient, ann: Headers) -> None:
    answer = await client.post(f"{PATH}/test", headers=ann)
    absent = {"detail": "No API key is stored", "code": "not_found"}
    assert (answer.status_code, answer.json()) == (404, absent)


async def test_the_sixth_test_within_an_hour_is_429(
    client: AsyncClient, ann: Headers, provider: Provider
) -> None:
    await save(client, ann)
    for left in ("4", "3", "2", "1", "0"):
        answer = await client.post(f"{PATH}/test", headers=ann)
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, left)
    refused = await client.post(f"{PATH}/test", headers=acting_for("ann"))
    assert (refused.status_code, refused.headers["x-ratelimit-limit"]) == (429, "5")
    assert 3590 <= int(refused.headers["retry-after"]) <= 3600
    assert len(provider.requests) == 5


async def test_no_connection_is_held_while_the_provider_is_asked(
    database_url: str, provider: Provider
) -> None:
    options = {**OPEN_DOORS, "gemini_base_url": provider.url, "database_pool_size": 1}
    async with talking_to(database_url, **options) as client:
        ann = acting_for("ann")
        await save(client, ann)
        provider.behaviour = HANG
        test = asyncio.create_task(client.post(f"{PATH}/test", headers=ann))
        await provider.asked()
        async with asyncio.timeout(1):
            assert (await client.get("/api/tasks", headers=ann)).status_code == 200
        test.cancel()
        await asyncio.gather(test, return_exceptions=True)


async def test_a_key_stored_during_a_test_of_another_stays_untested(
    database_url: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "_TIMEOUT", 0.5)
    async with talking_to(database_url, **OPEN_DOORS, gemini_base_url=provider.url) as client:
        ann = acting_for("ann")
        await save(client, ann)
        provider.behaviour = HANG
        test = asyncio.create_task(client.post(f"{PATH}/test", headers=ann))
        await provider.asked()
        await save(client, ann, "another-key-of-this-user")
        assert (await test).json()["validation_status"] == "failure"
        shown = await current(client, ann)
    assert (shown["masked_key"], shown["validation_status"]) == ("anot...ser", None)


async def stored(database_url: str) -> bytes:
    db = await asyncpg.connect(database_url)
    value: bytes = await db.fetchval("SELECT encrypted_value FROM user_api_keys")
    await db.close()
    return value


async def test_keys_of_encryption_are_rotated_by_the_next_test(
    database_url: str, provider: Provider
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    ann = acting_for("ann")
    options = {**OPEN_DOORS, "gemini_base_url": provider.url}
    async with talking_to(database_url, **{**options, "encryption_key": old}) as client:
        await save(client, ann)
    async with talking_to(database_url, **{**options, "encryption_key": f"{new},{old}"}) as client:
        assert (await current(client, ann))["plaintext_key"] == KEY
        await try_out(client, ann)
    assert Fernet(new).decrypt(await stored(database_url)) == KEY.encode()


async def test_a_key_that_cannot_be_read_any_more_is_no_fault(
    database_url: str, provider: Provider
) -> None:
    ann = acting_for("ann")
    async with talking_to(database_url, **OPEN_DOORS) as client:
        await save(client, ann)
    lost = {**OPEN_DOORS, "encryption_key": Fernet.generate_key().decode()}
    async with talking_to(database_url, **lost, gemini_base_url=provider.url) as client:
        shown = await current(client, ann)
        assert (shown["masked_key"], shown["plaintext_key"]) == (MASKED, None)
        assert await try_out(client, ann) == (False, "failure")
        assert (await current(client, ann))["validation_status"] == "failure"
    assert provider.requests == []


@pytest.mark.parametrize(
    "action", ["set-user-secret", "get-user-secret", "test-user-secret", "delete-user-secret"]
)
async def test_a_service_key_cannot_reach_users_keys(
    client: AsyncClient, ann: Headers, execute: Execute, action: str
) -> None:
    await save(client, ann)
    answer = await execute(action, user_id="ann", value=KEY)
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "This kind of credential may not perform the action", "code": "forbidden"},
    )
    assert action not in (await client.get("/openapi.json")).text


async def test_refusals_are_kept_by_no_cache(client: AsyncClient) -> None:
    assert (await client.get(f"{PATH}/current")).headers["cache-control"] == "no-store"
