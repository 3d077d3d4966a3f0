import asyncio
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS

WRONG_ADMIN_HEADERS = [
    pytest.param([], id="missing"),
    pytest.param([(b"X-Admin-Key", b"")], id="empty"),
    pytest.param([(b"X-Admin-Key", b"wrong")], id="wrong"),
    pytest.param([(b"X-Admin-Key", "schlüssel".encode())], id="non-ascii"),
]


async def create(client: AsyncClient, **fields: Any) -> Response:
    body = {"key_name": "cat-house", "environment": "prod", **fields}
    return await client.post("/admin/service-keys", json=body, headers=ADMIN_HEADERS)


async def rotate(client: AsyncClient, key_name: str = "cat-house", **fields: Any) -> Response:
    body = {"key_name": key_name, **fields}
    return await client.post("/admin/rotate-key", json=body, headers=ADMIN_HEADERS)


async def listed(client: AsyncClient, key_name: str = "cat-house") -> list[dict[str, Any]]:
    answer = await client.get("/admin/service-keys", headers=ADMIN_HEADERS)
    assert answer.status_code == 200
    return [key for key in answer.json()["keys"] if key["key_name"] == key_name]


async def revoke(client: AsyncClient, key_id: object) -> Response:
    return await client.delete(f"/admin/service-keys/{key_id}", headers=ADMIN_HEADERS)


async def status_with(client: AsyncClient, key: str) -> int:
    params = {"user_id": "user_123"}
    answer = await client.get("/stats", params=params, headers={"X-Service-Key": key})
    return answer.status_code


def seconds_from(expected: datetime, given: str) -> float:
    return abs((datetime.fromisoformat(given) - expected).total_seconds())


@pytest.mark.parametrize("environment", ["prod", "dev"])
async def test_created_key_is_shown_once_and_works(client: AsyncClient, environment: str) -> None:
    answer = await create(client, environment=environment)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {
        *("id", "key_name", "service_key", "created_at"),
        *("scopes", "enforce_ownership", "expires_at"),
    }
    assert body["key_name"] == "cat-house"
    assert (body["scopes"], body["enforce_ownership"], body["expires_at"]) == (None, False, None)
    assert body["created_at"].endswith("Z")
    assert re.fullmatch(f"sk_{environment}_[0-9a-f]{{64}}", body["service_key"])
    assert await status_with(client, body["service_key"]) == 200


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"key_name": "ab"}, "key_name"),
        ({"key_name": "a" * 101}, "key_name"),
        ({"key_name": "Cat-House"}, "key_name"),
        ({"key_name": "cat_house"}, "key_name"),
        ({"key_name": "cat-house\n"}, "key_name"),
        ({"key_name": None}, "key_name"),
        ({"environment": "staging"}, "environment"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["tasks:fly"]}, "scopes"),
        ({"scopes": ["drop-table"]}, "scopes"),
        ({"scopes": ["*"] * 100}, "scopes"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"enforce_ownership": "perhaps"}, "enforce_ownership"),
        ({"enforce_ownership": "true"}, "enforce_ownership"),
        ({"enforce_ownership": 1}, "enforce_ownership"),
    ],
)
async def test_wrong_field_is_422_and_named(
    client: AsyncClient, fields: dict[str, Any], named: str
) -> None:
    answer = await create(client, **fields)
    assert answer.status_code == 422
    assert named in answer.json()["detail"][0]["loc"]


@pytest.mark.parametrize("key_name", ["abc", "a" * 100, "0-9"])
async def test_name_of_3_to_100_lower_case_digits_and_dashes_is_taken(
    client: AsyncClient, key_name: str
) -> None:
    assert (await create(client, key_name=key_name)).status_code == 201


async def test_taken_name_is_400(client: AsyncClient) -> None:
    assert (await create(client)).status_code == 201
    answer = await create(client)
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "Key name already exists", "code": "already_exists"},
    )


async def test_key_with_scopes_does_only_what_they_allow(client: AsyncClient) -> None:
    key = (await create(client, scopes=["tasks:read"])).json()["service_key"]
    other = (await create(client, key_name="stats-only", scopes=["get-stats"])).json()
    assert await status_with(client, key) == 403
    assert await status_with(client, other["service_key"]) == 200


async def test_key_works_until_it_expires(client: AsyncClient, db: Connection) -> None:
    past = (await create(client, expires_at="2120-01-01T00:00:00")).json()
    await db.execute("UPDATE service_api_keys SET expires_at = '2020-01-01'")
    future = (await create(client, key_name="later", expires_at="2120-01-01T00:00:00")).json()
    assert await status_with(client, past["service_key"]) == 401
    assert await status_with(client, future["service_key"]) == 200
    [info] = await listed(client, "later")
    assert info["expires_at"] == "2120-01-01T00:00:00Z"


async def test_of_fifty_racing_creations_one_succeeds(live_client: AsyncClient) -> None:
    answers = await asyncio.gather(*(create(live_client) for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 49}
    assert len(await listed(live_client)) == 1


async def test_rotation_makes_a_key_that_works_beside_the_old_one(client: AsyncClient) -> None:
    old = (await create(client)).json()["service_key"]
    answer = await rotate(client)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"new_key", "old_key_expires_at"}
    assert re.fullmatch("sk_prod_[0-9a-f]{64}", body["new_key"])
    assert body["new_key"] != old
    assert seconds_from(datetime.now(UTC) + timedelta(days=7), body["old_key_expires_at"]) < 60
    assert await status_with(client, body["new_key"]) == 200
    assert await status_with(client, old) == 200


async def test_rotated_key_has_the_scopes_and_environment_of_the_old_one(
    client: AsyncClient,
) -> None:
    await create(client, environment="dev", scopes=["tasks:read"], enforce_ownership=True)
    new = (await rotate(client)).json()["new_key"]
    assert new.startswith("sk_dev_")
    assert await status_with(client, new) == 403
    assert [key["enforce_ownership"] for key in await listed(client)] == [True, True]


async def test_old_key_keeps_an_expiry_earlier_than_its_grace(client: AsyncClient) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await create(client, expires_at=tomorrow.isoformat())
    for _ in range(2):
        expires_at = (await rotate(client)).json()["old_key_expires_at"]
        assert seconds_from(tomorrow, expires_at) < 1


async def test_rotating_a_name_without_a_working_key_is_404(
    client: AsyncClient, db: Connection
) -> None:
    await create(client, key_name="expired")
    await db.execute("UPDATE service_api_keys SET expires_at = '2020-01-01'")
    await revoke(client, (await create(client, key_name="revoked")).json()["id"])
    for name in ("unknown", "expired", "revoked"):
        answer = await rotate(client, name)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_adopted_key_is_rotated_whatever_its_name(
    client: AsyncClient, db: Connection
) -> None:
    await create(client, key_name="adopted")
    for name in ("Cat House", "käse_böx/1", "🐈" * 100, "x"):
        await db.execute("UPDATE service_api_keys SET key_name = $1", name)
        answer = await rotate(client, name, grace_seconds=0)
        assert answer.status_code == 200, answer.text
        assert await status_with(client, answer.json()["new_key"]) == 200
        await db.execute("DELETE FROM service_api_keys WHERE superseded_at IS NOT NULL")
        assert (await rotate(client, f"No {name}"[:100])).status_code == 404


@pytest.mark.parametrize("name", ["", "x" * 101, "cat\0house", "\ud800", None, 7])
async def test_what_can_be_no_name_is_refused_before_it_is_looked_for(
    client: AsyncClient, name: Any
) -> None:
    headers = {**ADMIN_HEADERS, "Content-Type": "application/json"}
    content = json.dumps({"key_name": name})
    answer = await client.post("/admin/rotate-key", content=content, headers=headers)
    assert answer.status_code == 422
    assert "key_name" in answer.text


async def test_ten_racing_rotations_all_succeed(live_client: AsyncClient) -> None:
    await create(live_client)
    answers = await asyncio.gather(*(rotate(live_client) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    new_keys = {answer.json()["new_key"] for answer in answers}
    assert len(new_keys) == 10
    assert [await status_with(live_client, key) for key in new_keys] == [200] * 10


async def test_list_tells_all_but_the_value(client: AsyncClient) -> None:
    key = (await create(client)).json()["service_key"]
    [unused] = await listed(client)
    assert unused.keys() >= {
        *("id", "key_name", "environment", "last_four", "created_at", "expires_at"),
        *("last_used_at", "active"),
    }
    assert (unused["last_four"], unused["environment"]) == (key[-4:], "prod")
    assert (unused["last_used_at"], unused["active"]) == (None, True)
    await status_with(client, key)
    [used] = await listed(client)
    assert seconds_from(datetime.now(UTC), used["last_used_at"]) < 60
    answer = await client.get("/admin/service-keys", headers=ADMIN_HEADERS)
    assert key not in answer.text
    assert key.removeprefix("sk_prod_") not in answer.text
    assert sha256(key.encode()).hexdigest() not in answer.text


async def test_list_is_newest_first(live_client: AsyncClient) -> None:
    for name in ("first", "second", "third"):
        await create(live_client, key_name=name)
    answer = await live_client.get("/admin/service-keys", headers=ADMIN_HEADERS)
    assert [key["key_name"] for key in answer.json()["keys"]] == ["third", "second", "first"]


async def test_revoked_key_is_refused_and_listed_as_inactive(client: AsyncClient) -> None:
    created = (await create(client)).json()
    answer = await revoke(client, created["id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert await status_with(client, created["service_key"]) == 401
    assert [key["active"] for key in await listed(client)] == [False]


async def test_revoking_an_unknown_id_is_404_and_a_malformed_one_422(client: AsyncClient) -> None:
    assert (await revoke(client, MISSING_ID)).status_code == 404
    assert (await revoke(client, "not-a-uuid")).status_code == 422


@pytest.mark.parametrize("headers", WRONG_ADMIN_HEADERS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/admin/service-keys"),
        ("POST", "/admin/rotate-key"),
        ("GET", "/admin/service-keys"),
        ("DELETE", "/admin/service-keys/not-a-uuid"),
    ],
)
async def test_wrong_admin_key_is_401_before_the_request_is_looked_at(
    client: AsyncClient, method: str, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    answer = await client.request(method, path, content=b"{broken", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid admin key"})


async def test_credentials_do_not_open_each_others_doors(client: AsyncClient) -> None:
    service_key, admin_key = SERVICE_HEADERS["X-Service-Key"], ADMIN_HEADERS["X-Admin-Key"]
    for headers in (SERVICE_HEADERS, {"X-Admin-Key": service_key}):
        answer = await client.get("/admin/service-keys", headers=headers)
        assert answer.status_code == 401
    command = {"action": "get-stats", "user_id": "user_123"}
    for headers in (ADMIN_HEADERS, {"X-Service-Key": admin_key}):
        answer = await client.post("/execute", json=command, headers=headers)
        assert answer.status_code == 401
