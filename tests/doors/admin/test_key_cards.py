"""A key is shown with all that limits it, and changed within these limits."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID
from tests.doors.admin.test_keys import create, listed, revoke, rotate, status_with

LIMITS: dict[str, Any] = {
    "note": "The app of the office in Málaga",
    "scopes": ["tasks:read", "stats:read"],
    "expires_at": "2120-01-01T00:00:00Z",
    "rate_limit": "600/minute",
    "user_ids": ["user_123", "user_124"],
    "enforce_ownership": True,
}


async def card(client: AsyncClient, key_id: object) -> Response:
    return await client.get(f"/admin/service-keys/{key_id}", headers=ADMIN_HEADERS)


async def change(client: AsyncClient, key_id: object, **members: Any) -> Response:
    url = f"/admin/service-keys/{key_id}"
    return await client.patch(url, json=members, headers=ADMIN_HEADERS)


def shown(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in LIMITS}


async def test_card_has_what_the_list_has_and_what_limits_the_key(client: AsyncClient) -> None:
    minted = (await create(client, **LIMITS)).json()
    assert shown(minted) == LIMITS
    answer = await card(client, minted["id"])
    assert answer.status_code == 200
    body = answer.json()
    [info] = await listed(client)
    assert body == {**info, **LIMITS, "usage": []}
    assert minted["service_key"] not in answer.text


_USE = """
INSERT INTO key_usage (key_id, day, action, ok, refused, failed)
SELECT $1, (now() AT TIME ZONE 'UTC')::date - ago, action, ago + 1, 2, 3
FROM generate_series(0, 20) AS ago, unnest(ARRAY['create-task', 'get-stats']) AS action
"""


async def test_list_has_the_use_of_14_days_where_it_is_asked_for(
    client: AsyncClient, db: Connection
) -> None:
    used = (await create(client)).json()
    await create(client, key_name="unused")
    await db.execute(_USE, UUID(used["id"]))
    answer = await client.get("/admin/service-keys?usage=true", headers=ADMIN_HEADERS)
    with_use = answer.json()["keys"]
    usage = {key["key_name"]: key.pop("usage") for key in with_use}
    plain = await client.get("/admin/service-keys", headers=ADMIN_HEADERS)
    assert plain.json()["keys"] == with_use
    assert usage["unused"] == []
    today = datetime.now(UTC).date()
    assert usage["cat-house"] == [
        {"day": f"{today - timedelta(ago)}", "ok": 2 * ago + 2, "refused": 4, "failed": 6}
        for ago in range(14)
    ]
    wrong = await client.get("/admin/service-keys?usage=perhaps", headers=ADMIN_HEADERS)
    assert wrong.status_code == 422


async def test_card_of_an_unknown_key_is_404(client: AsyncClient) -> None:
    assert (await card(client, MISSING_ID)).status_code == 404
    assert (await card(client, "not-a-uuid")).status_code == 422
    assert (await change(client, MISSING_ID, note="x")).status_code == 404


@pytest.mark.parametrize("name", LIMITS)
async def test_each_member_is_changed_alone_and_cleared_by_null(
    client: AsyncClient, name: str
) -> None:
    minted = (await create(client)).json()
    nothing = shown((await card(client, minted["id"])).json())
    changed = await change(client, minted["id"], **{name: LIMITS[name]})
    assert (changed.status_code, shown(changed.json())) == (200, {**nothing, name: LIMITS[name]})
    assert shown((await card(client, minted["id"])).json())[name] == LIMITS[name]
    cleared = await change(client, minted["id"], **{name: None})
    assert shown(cleared.json()) == nothing


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"scope": ["tasks:read"]}, "scope"),
        ({"key_name": "another"}, "key_name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["tasks:fly"]}, "scopes"),
        ({"user_ids": []}, "user_ids"),
        ({"user_ids": [""]}, "user_ids"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"rate_limit": "0/minute"}, "rate_limit"),
        ({"rate_limit": "often"}, "rate_limit"),
        ({"note": ""}, "note"),
    ],
)
async def test_wrong_change_is_422_and_named_and_changes_nothing(
    client: AsyncClient, members: dict[str, Any], named: str
) -> None:
    minted = (await create(client, **LIMITS)).json()
    answer = (
        await change(client, minted["id"], note="Another", **members)
        if ("note" not in members)
        else await change(client, minted["id"], **members)
    )
    assert answer.status_code == 422
    assert named in answer.json()["detail"][0]["loc"]
    assert shown((await card(client, minted["id"])).json()) == LIMITS


async def test_change_of_nothing_is_422(client: AsyncClient) -> None:
    minted = (await create(client)).json()
    assert (await change(client, minted["id"])).status_code == 422


async def test_changed_scopes_hold_and_an_expired_key_comes_back_with_another_expiry(
    client: AsyncClient, db: Connection
) -> None:
    minted = (await create(client, scopes=["tasks:read"])).json()
    await change(client, minted["id"], scopes=["stats:read"])
    assert await status_with(client, minted["service_key"]) == 200
    await db.execute("UPDATE service_api_keys SET expires_at = '2020-01-01'")
    assert (await change(client, minted["id"], expires_at=None)).json()["state"] == "active"


async def test_key_that_ended_for_good_is_409(client: AsyncClient, db: Connection) -> None:
    revoked = (await create(client)).json()
    await revoke(client, revoked["id"])
    replaced = (await create(client, key_name="replaced")).json()
    await rotate(client, "replaced", grace_seconds=0)
    for minted in (revoked, replaced):
        answer = await change(client, minted["id"], expires_at="2120-01-01T00:00:00Z")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert await status_with(client, minted["service_key"]) == 401


async def test_a_rotated_key_may_end_later_but_must_end(client: AsyncClient) -> None:
    minted = (await create(client, key_name="rotated")).json()
    await rotate(client, "rotated")
    refused = await change(client, minted["id"], expires_at=None)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "must end" in refused.json()["detail"]
    assert (await card(client, minted["id"])).json()["expires_at"] is not None
    later = await change(client, minted["id"], expires_at="2120-01-01T00:00:00Z")
    assert (later.json()["state"], later.status_code) == ("superseded", 200)


async def current(client: AsyncClient) -> dict[str, Any]:
    [info] = [one for one in await listed(client) if one["state"] == "active"]
    return shown((await card(client, info["id"])).json())


async def test_successor_inherits_every_limit_or_takes_another(client: AsyncClient) -> None:
    await create(client, **LIMITS)
    await rotate(client)
    assert await current(client) == LIMITS
    others: dict[str, Any] = {
        "note": "Another",
        "scopes": ["*"],
        "expires_at": "2130-01-01T00:00:00Z",
        "rate_limit": "1/second",
        "user_ids": ["user_125"],
        "enforce_ownership": False,
    }
    await rotate(client, **others)
    assert await current(client) == others
    nothing: dict[str, Any] = dict.fromkeys(others)
    await rotate(client, **nothing)
    assert await current(client) == others


async def test_key_acts_for_its_users_only_and_sees_what_is_theirs(
    client: AsyncClient, execute: Any
) -> None:
    foreign = (await execute("create-task", user_id="another", title="Feed cat")).json()["data"]
    key = (await create(client, user_ids=["user_123"])).json()["service_key"]

    async def send(action: str, user_id: str, **payload: Any) -> Response:
        command = {"action": action, "user_id": user_id, "payload": payload}
        return await client.post("/execute", json=command, headers={"X-Service-Key": key})

    assert (await send("create-task", "user_123", title="Feed cat")).status_code == 200
    refused = await send("create-task", "another")
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "The key does not act for this user", "code": "forbidden"},
    )
    stats = await client.get("/stats?user_id=another", headers={"X-Service-Key": key})
    assert stats.status_code == 403
    assert (await send("get-task", "user_123", task_id=foreign["id"])).status_code == 404


async def test_key_may_see_its_own_card(client: AsyncClient) -> None:
    minted = (await create(client, **LIMITS)).json()
    headers = {"X-Service-Key": minted["service_key"]}
    answer = await client.get("/whoami", headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    body = answer.json()
    assert (body["id"], body["key_name"], shown(body)) == (minted["id"], "cat-house", LIMITS)
    assert body["usage"] == []
    assert (await client.get("/whoami")).status_code == 401
    assert (await client.get("/whoami", headers=ADMIN_HEADERS)).status_code == 401
