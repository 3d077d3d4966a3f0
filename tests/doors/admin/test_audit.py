"""Every act of an administrator leaves its trail, whoever it was."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.config import Settings
from app.database import Database
from app.database.purge import purge_records
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, OPEN_DOORS
from tests.doors.admin.test_key_cards import change
from tests.doors.admin.test_keys import create, revoke, rotate
from tests.doors.admin.test_revocations import lift
from tests.doors.admin.test_revocations import revoke as revoke_user
from tests.support.application import talking_to
from tests.support.databases import SharedConnection


async def trail(client: AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/admin/audit{query}", headers=ADMIN_HEADERS)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def acts(client: AsyncClient) -> list[dict[str, Any]]:
    """The oldest first."""
    listed: list[dict[str, Any]] = (await trail(client))["acts"]
    return listed[::-1]


async def test_each_act_is_kept_with_what_was_before_and_after(client: AsyncClient) -> None:
    client.headers["X-Request-ID"] = "request-1"
    minted = (await create(client, scopes=["tasks:read"])).json()
    await change(client, minted["id"], note="Another")
    rotated = (await rotate(client)).json()
    await revoke(client, minted["id"])
    made = (await revoke_user(client, user_id="u")).json()
    await lift(client, made["id"])
    created, changed, replaced, revoked, begun, lifted = await acts(client)
    assert [one["act"] for one in await acts(client)] == [
        *("key.created", "key.changed", "key.rotated", "key.revoked"),
        *("revocation.created", "revocation.lifted"),
    ]
    key = f"service-key/{minted['id']}"
    for act in (created, changed, revoked):
        assert (act["administrator"], act["object"]) == ("admin", key)
        assert (act["address"], act["request_id"]) == ("127.0.0.1", "request-1")
    assert (created["before"], created["after"]["scopes"]) == (None, ["tasks:read"])
    assert (changed["before"]["note"], changed["after"]["note"]) == (None, "Another")
    assert (replaced["before"]["id"], replaced["after"]["note"]) == (minted["id"], "Another")
    assert (revoked["before"]["active"], revoked["after"]["active"]) == (True, False)
    assert begun["after"] == lifted["before"] == made
    for secret in (minted["service_key"], rotated["new_key"]):
        assert secret not in str(await acts(client))


async def test_what_was_refused_leaves_no_trail(client: AsyncClient) -> None:
    await create(client)
    for answer in (
        await create(client),
        await rotate(client, "unknown"),
        await create(client, key_name="x"),
    ):
        assert answer.status_code >= 400
    assert [one["act"] for one in await acts(client)] == ["key.created"]


async def test_trail_comes_in_pages_newest_first(client: AsyncClient) -> None:
    for number in range(5):
        await create(client, key_name=f"key-{number}")
    names, cursor = [], ""
    while True:
        page = await trail(client, f"?limit=2{cursor}")
        names += [one["after"]["key_name"] for one in page["acts"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == [f"key-{number}" for number in (4, 3, 2, 1, 0)]


async def test_trail_names_who_of_several_it_was_and_each_is_withdrawn_alone(
    database_url: str,
) -> None:
    keys = "anna@cat.house:anna-s-own-key, ben:ben-s:own-key"
    async with talking_to(database_url, **OPEN_DOORS, admin_api_keys=keys) as client:
        body = {"key_name": "cat-house", "environment": "dev"}
        for secret in ("anna-s-own-key", "ben-s:own-key", "carla-s-own-key", ""):
            await client.post("/admin/rotate-key", json=body, headers={"X-Admin-Key": secret})
            await client.post("/admin/service-keys", json=body, headers={"X-Admin-Key": secret})
            body["key_name"] += "-x"
        assert [one["administrator"] for one in await acts(client)] == ["anna@cat.house", "ben"]
    async with talking_to(database_url, **OPEN_DOORS, admin_api_keys="ben:ben-s:own-key") as client:
        for secret, status in (("anna-s-own-key", 401), ("ben-s:own-key", 200)):
            answer = await client.get("/admin/audit", headers={"X-Admin-Key": secret})
            assert answer.status_code == status
        assert len((await trail(client))["acts"]) == 2


@pytest.mark.parametrize(
    "value", ["anna", "anna:", ":secret", "an na:secret", "admin:secret", "anna:one,anna:two"]
)
def test_unclear_administrators_stop_the_start(value: str) -> None:
    with pytest.raises(ValueError, match=r"ADMIN_API_KEY|anna:secret"):
        Settings(database_url="postgresql://h/d", admin_api_keys=value)


def test_guessable_keys_of_administrators_stop_the_start_outside_development() -> None:
    good: dict[str, Any] = {
        "admin_api_key": "5f0c4c1d9be84a7f",
        "api_key_secret": "d41d8cd98f00b204e9800998ecf842",
    }
    with pytest.raises(ValueError, match="ADMIN_API_KEYS of anna is too easy"):
        Settings(
            database_url="postgresql://h/d",
            environment="production",
            admin_api_keys="anna:catcatcatcatcatcat",
            **good,
        )
    with pytest.raises(ValueError, match="must not have the same value"):
        Settings(
            database_url="postgresql://h/d",
            environment="production",
            admin_api_keys=f"anna:{good['admin_api_key']}",
            **good,
        )


async def test_old_records_are_removed_in_time(db: Connection, client: AsyncClient) -> None:
    await create(client)
    await db.execute(
        "INSERT INTO audit (act, object, administrator, occurred_at) "
        "VALUES ('key.created', 'x', 'admin', now() - interval '401 days')"
    )
    await db.execute(
        "INSERT INTO key_usage VALUES (gen_random_uuid(), current_date - 91, 'x', 1, 1, 1)"
    )
    await db.execute(
        "INSERT INTO revocations (user_id, reason, created_by, until) VALUES "
        "('old', 'x', 'admin', now() - interval '401 days'), ('u', 'x', 'admin', NULL)"
    )
    database: Database = SharedConnection(db)
    await purge_records(database)
    assert len(await acts(client)) == 1
    assert await db.fetchval("SELECT count(*) FROM key_usage") == 0
    assert await db.fetchval("SELECT string_agg(user_id, ',') FROM revocations") == "u"
