"""What an administrator revokes is refused at once, whoever comes with it."""

import asyncio
from time import monotonic, process_time
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.database.revocations import Revocations
from app.services import Connection
from app.services.revocations import MOST_LIVE, News, Rule
from app.state import Resources
from tests.conftest import ADMIN_HEADERS, MISSING_ID, OPEN_DOORS, SERVICE_HEADERS, Figure
from tests.doors.admin.test_keys import create
from tests.support.application import talking_to
from tests.support.people import acting_for

REVOKED = {"detail": "Access was revoked", "code": "installation_revoked"}
REASON = "The phone was stolen"
REVOKE = "INSERT INTO revocations (user_id, reason, created_by) VALUES ($1, 'banned', 'hand')"


async def revoke(client: AsyncClient, **members: Any) -> Response:
    body = {"reason": REASON, **members}
    return await client.post("/admin/revocations", json=body, headers=ADMIN_HEADERS)


async def lift(client: AsyncClient, revocation_id: object) -> Response:
    return await client.delete(f"/admin/revocations/{revocation_id}", headers=ADMIN_HEADERS)


async def send(
    client: AsyncClient,
    user_id: str = "user_123",
    installation_id: str | None = None,
    headers: dict[str, str] = SERVICE_HEADERS,
) -> Response:
    options = {} if installation_id is None else {"installation_id": installation_id}
    command = {"action": "get-stats", "user_id": user_id, "options": options}
    return await client.post("/execute", json=command, headers=headers)


async def test_revocation_is_shown_listed_and_lifted(client: AsyncClient) -> None:
    answer = await revoke(client, user_id="user_123", until="2120-01-01T00:00:00Z")
    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        "id": made["id"],
        "user_id": "user_123",
        "installation_id": None,
        "key_name": None,
        "reason": REASON,
        "until": "2120-01-01T00:00:00Z",
        "created_at": made["created_at"],
        "created_by": "admin",
    }
    other = (await revoke(client, key_name="cat-house")).json()
    url = "/admin/revocations"
    listed = (await client.get(url, headers=ADMIN_HEADERS)).json()
    assert listed == {"revocations": [other, made], "next_cursor": None}
    first = (await client.get(f"{url}?limit=1", headers=ADMIN_HEADERS)).json()
    assert first == {"revocations": [other], "next_cursor": other["id"]}
    second = await client.get(f"{url}?cursor={first['next_cursor']}", headers=ADMIN_HEADERS)
    assert second.json()["revocations"] == [made]
    one = await client.get(f"{url}/{made['id']}", headers=ADMIN_HEADERS)
    assert one.json() == made
    assert (await lift(client, made["id"])).status_code == 204
    assert (await lift(client, made["id"])).status_code == 404
    assert (await client.get(f"{url}/{MISSING_ID}", headers=ADMIN_HEADERS)).status_code == 404


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"user_id": None},
        {"user_id": ""},
        {"user_id": "user_123", "reason": ""},
        {"user_id": "user_123", "reason": None},
        {"user_id": "user_123", "until": "2020-01-01T00:00:00Z"},
        {"user_id": "user_123", "untli": "2120-01-01T00:00:00Z"},
        {"installation_id": "two words"},
        {"key_name": ""},
        {"key_name": "x" * 101},
    ],
    ids=str,
)
async def test_wrong_revocation_is_422_and_revokes_nothing(
    client: AsyncClient, db: Connection, members: dict[str, Any]
) -> None:
    assert (await revoke(client, **members)).status_code == 422
    assert await db.fetchval("SELECT count(*) FROM revocations") == 0


async def test_what_matches_all_that_is_named_is_refused_and_nothing_else(
    client: AsyncClient,
) -> None:
    key = (await create(client)).json()["service_key"]
    headers = {"X-Service-Key": key}
    made = await revoke(client, user_id="u", installation_id="phone", key_name="cat-house")
    refused = await send(client, "u", "phone", headers)
    assert (refused.status_code, refused.json()) == (403, REVOKED)
    for user_id, installation_id, sent in (
        ("another", "phone", headers),
        ("u", "tablet", headers),
        ("u", None, headers),
        ("u", "phone", SERVICE_HEADERS),
    ):
        assert (await send(client, user_id, installation_id, sent)).status_code == 200
    await lift(client, made.json()["id"])
    assert (await send(client, "u", "phone", headers)).status_code == 200


async def test_revoked_installation_is_refused_before_its_payload_is_looked_at(
    client: AsyncClient,
) -> None:
    await revoke(client, installation_id="phone")
    assert (await send(client, installation_id="phone")).status_code == 403
    assert (await send(client)).status_code == 200


async def test_revoked_key_name_is_refused_at_each_door_of_keys(client: AsyncClient) -> None:
    key = (await create(client)).json()["service_key"]
    headers = {"X-Service-Key": key}
    await revoke(client, key_name="cat-house")
    assert (await send(client, headers=headers)).json() == REVOKED
    for path in ("/whoami", "/actions", "/actions/get-stats", "/stats?user_id=u"):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()) == (403, REVOKED)
    assert (await send(client)).status_code == 200


async def test_adopted_key_is_refused_whatever_its_name(
    client: AsyncClient, db: Connection
) -> None:
    key = (await create(client)).json()["service_key"]
    await db.execute("UPDATE service_api_keys SET key_name = 'Cat House'")
    await revoke(client, key_name="Cat House")
    assert (await send(client, headers={"X-Service-Key": key})).json() == REVOKED


async def test_revocation_ends_by_itself(live_client: AsyncClient, elsewhere: Connection) -> None:
    made = await revoke(live_client, user_id="u", until="2120-01-01T00:00:00Z")
    assert made.status_code == 201
    assert (await send(live_client, "u")).status_code == 403
    await elsewhere.execute("UPDATE revocations SET until = now() + interval '1 second'")
    await asyncio.sleep(2)
    assert (await send(live_client, "u")).status_code == 200


@pytest.mark.alone
async def test_two_workers_refuse_within_a_second_of_the_answer(
    database_url: str, figure: Figure
) -> None:
    async with (
        talking_to(database_url, **OPEN_DOORS) as one,
        talking_to(database_url, **OPEN_DOORS) as other,
    ):
        for client in (one, other):
            assert (await send(client, installation_id="phone")).status_code == 200
            assert (await client.get("/api/tasks", headers=acting_for("u"))).status_code == 200
        await revoke(one, installation_id="phone")
        await revoke(one, user_id="u")
        revoked_at = last_accepted = monotonic()
        while monotonic() - revoked_at < 1.5:
            for client in (one, other):
                if (await send(client, installation_id="phone")).status_code == 200:
                    last_accepted = monotonic()
                if (await client.get("/api/tasks", headers=acting_for("u"))).status_code == 200:
                    last_accepted = monotonic()
            await asyncio.sleep(0.02)
    figure(f"last accepted {last_accepted - revoked_at:.2f} s after the answer")
    assert last_accepted - revoked_at < 1


@pytest.mark.alone
async def test_of_a_thousand_revocations_commands_learn_with_the_look_up_of_their_key(
    client: AsyncClient, db: Connection
) -> None:
    await db.execute(
        "INSERT INTO revocations (installation_id, reason, created_by) "
        "SELECT 'phone-' || n, 'stolen', 'admin' FROM generate_series(1, 1000) AS n"
    )
    asked: list[str] = []
    db.add_query_logger(note := lambda query: asked.append(query.query))
    started = monotonic()
    while monotonic() - started < 2:
        assert (await send(client, installation_id="phone-0")).status_code == 200
    db.remove_query_logger(note)
    about_revocations = [text for text in asked if "revocation" in text]
    assert 1 <= len(about_revocations) <= 5
    assert all("service_api_keys" in text for text in about_revocations)
    assert (await send(client, installation_id="phone-1000")).status_code == 403


async def test_to_check_a_command_against_a_thousand_revocations_takes_no_time(
    figure: Figure,
) -> None:
    revocations = Revocations(Resources())
    rules: dict[Rule, float | None] = {(None, f"phone-{n}", None): None for n in range(1000)}
    revocations.note(News(1, rules), monotonic())
    started = process_time()
    for _ in range(10_000):
        revocations.check("user_123", "phone", "cat-house")
    micros = (process_time() - started) * 100
    figure(f"{micros:.1f} µs a command")
    assert micros < 50


async def test_no_more_than_ten_thousand_are_live(client: AsyncClient, db: Connection) -> None:
    await db.execute(
        "INSERT INTO revocations (user_id, reason, created_by) "
        "SELECT n, 'banned', 'admin' FROM generate_series(1, $1) AS n",
        MOST_LIVE,
    )
    refused = await revoke(client, user_id="one more")
    assert (refused.status_code, refused.json()["code"]) == (409, "full")
    await db.execute("UPDATE revocations SET until = now() WHERE user_id = '1'")
    assert (await revoke(client, user_id="one more")).status_code == 201


async def test_revocation_made_by_hand_holds_too(
    live_client: AsyncClient, elsewhere: Connection
) -> None:
    assert (await send(live_client, "u")).status_code == 200
    await elsewhere.execute(REVOKE, "u")
    await asyncio.sleep(1)
    assert (await send(live_client, "u")).status_code == 403
    await elsewhere.execute("DELETE FROM revocations")
    await asyncio.sleep(1)
    assert (await send(live_client, "u")).status_code == 200
