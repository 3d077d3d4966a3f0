"""What a key may be limited to is told back, and never lost by a misspelling."""

from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import AsyncClient

from app.services import Connection
from tests.doors.admin.test_keys import create, listed, revoke, rotate, seconds_from, status_with

MISSPELT = {
    "scope": ["tasks:read"],
    "enforceOwnership": True,
    "expire_at": "2120-01-01T00:00:00Z",
    "key_name\u202e": "cat-house",
}


async def test_misspelt_limit_is_422_and_named_and_makes_no_key(
    client: AsyncClient, db: Connection
) -> None:
    for answer in (await create(client, **MISSPELT), await create(client, Scopes=["*"])):
        assert answer.status_code == 422
        assert {detail["type"] for detail in answer.json()["detail"]} == {"extra_forbidden"}
    refused = (await create(client, **MISSPELT)).json()["detail"]
    assert [detail["loc"] for detail in refused] == [["body", name] for name in MISSPELT]
    assert await db.fetchval("SELECT count(*) FROM service_api_keys") == 0


async def test_a_thousand_unknown_members_are_refused_in_one_sentence(
    client: AsyncClient,
) -> None:
    answer = await create(client, **{f"member_{number}": None for number in range(1000)})
    assert answer.status_code == 422
    assert len(answer.content) < 200


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"grace": 0}, "grace"),
        ({"scopes": []}, "scopes"),
        ({"user_ids": []}, "user_ids"),
        ({"rate_limit": "fast"}, "rate_limit"),
        ({"grace_seconds": -1}, "grace_seconds"),
        ({"grace_seconds": 604801}, "grace_seconds"),
        ({"grace_seconds": "60"}, "grace_seconds"),
        ({"grace_seconds": True}, "grace_seconds"),
        ({"grace_seconds": None}, "grace_seconds"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)
async def test_wrong_rotation_is_422_and_named_and_rotates_nothing(
    client: AsyncClient, fields: dict[str, Any], named: str
) -> None:
    await create(client)
    answer = await rotate(client, **fields)
    assert answer.status_code == 422
    assert named in answer.json()["detail"][0]["loc"]
    assert [key["state"] for key in await listed(client)] == ["active"]


async def test_answer_of_minting_shows_what_limits_the_key(client: AsyncClient) -> None:
    limits = {"scopes": ["tasks:read"], "enforce_ownership": True}
    answer = await create(client, **limits, expires_at="2120-01-01T00:00:00")
    expected = {**limits, "expires_at": "2120-01-01T00:00:00Z"}
    assert {name: answer.json()[name] for name in expected} == expected


async def test_rotation_takes_a_new_expiry_and_a_grace(client: AsyncClient) -> None:
    old = (await create(client)).json()["service_key"]
    rotated = (await rotate(client, expires_at="2120-01-01T00:00:00Z", grace_seconds=0)).json()
    assert seconds_from(datetime.now(UTC), rotated["old_key_expires_at"]) < 60
    assert await status_with(client, old) == 401
    assert await status_with(client, rotated["new_key"]) == 200
    current, superseded = sorted(await listed(client), key=lambda key: key["state"])
    assert (current["state"], current["expires_at"]) == ("active", "2120-01-01T00:00:00Z")
    assert (superseded["state"], superseded["active"]) == ("expired", False)


async def test_name_whose_keys_are_all_revoked_is_free_again(client: AsyncClient) -> None:
    revoked = (await create(client)).json()
    await revoke(client, revoked["id"])
    fresh = await create(client)
    assert fresh.status_code == 201
    assert await status_with(client, fresh.json()["service_key"]) == 200
    assert await status_with(client, revoked["service_key"]) == 401
