"""Who is let in at the doors of people, and which of them are open."""

import pytest
from httpx import AsyncClient

from app.services import Connection
from tests.conftest import OPEN_DOORS, SERVICE_HEADERS
from tests.support.application import talking_to
from tests.support.people import SERVICE_TOKEN, Headers, acting_for, start_session, token_hash

ROUTES = [
    *(("GET", "/api/tasks"), ("POST", "/api/tasks"), ("GET", "/api/tasks/x")),
    *(("PATCH", "/api/tasks/x"), ("PATCH", "/api/tasks/x/complete"), ("DELETE", "/api/tasks/x")),
    *(("POST", "/api/user-api-keys"), ("POST", "/api/user-api-keys/test")),
    *(("GET", "/api/user-api-keys/current"), ("DELETE", "/api/user-api-keys/current")),
]


async def who_is(client: AsyncClient, headers: Headers) -> str | None:
    """The user whose task list the headers open."""
    answer = await client.post("/api/tasks", json={"title": "Feed cat"}, headers=headers)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert list(answer.json()) == ["detail"]
        return None
    assert answer.status_code == 201
    user_id: str = answer.json()["userId"]
    return user_id


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_asks_for_a_credential_before_anything_else(
    client: AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path, content=b"{")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "x-ratelimit-limit" not in answer.headers


async def test_a_session_opens_the_door_to_its_user(client: AsyncClient, db: Connection) -> None:
    assert await who_is(client, await start_session(db, "Käthe")) == "Käthe"


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}.sig", "Bearer  {}.a.b "])
async def test_the_token_is_what_stands_before_the_first_dot(
    client: AsyncClient, db: Connection, form: str
) -> None:
    await db.execute(
        "INSERT INTO user_sessions (user_id, token_hash, expires_at) "
        "VALUES ('ann', $1, now() + interval '1 hour')",
        token_hash("t0ken"),
    )
    assert await who_is(client, {"Authorization": form.format("t0ken")}) == "ann"


@pytest.mark.parametrize(("lifetime", "revoked"), [("-1 second", False), ("1 hour", True)])
async def test_an_expired_or_revoked_session_is_refused(
    client: AsyncClient, db: Connection, lifetime: str, revoked: bool
) -> None:
    headers = await start_session(db, "ann", lifetime, revoked=revoked)
    assert await who_is(client, headers) is None


async def test_a_session_revoked_just_now_is_refused(client: AsyncClient, db: Connection) -> None:
    headers = await start_session(db, "ann")
    assert await who_is(client, headers) == "ann"
    await db.execute("UPDATE user_sessions SET revoked = true")
    assert await who_is(client, headers) is None


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer .sig", "Bearer unknown", "Basic dXNlcg==", "Bearer \xff"],
)
async def test_an_unusable_token_is_refused(client: AsyncClient, value: str) -> None:
    headers = {b"Authorization": value.encode("latin-1")}
    answer = await client.get("/api/tasks", headers=headers)
    assert answer.status_code == 401


async def test_with_a_session_x_user_id_is_ignored(client: AsyncClient, db: Connection) -> None:
    session = await start_session(db, "ann")
    assert await who_is(client, {**session, "X-User-ID": "bob"}) == "ann"
    assert await who_is(client, {**session, **acting_for("bob")}) == "ann"


async def test_a_bad_session_is_not_saved_by_a_good_service(client: AsyncClient) -> None:
    assert await who_is(client, {"Authorization": "Bearer bad", **acting_for("bob")}) is None


@pytest.mark.parametrize("user_id", ["bob", "u" * 255, "ü" * 255, "a b", "猫"])
async def test_a_service_acts_for_whom_x_user_id_names(client: AsyncClient, user_id: str) -> None:
    headers = {b"X-Service-Auth": SERVICE_TOKEN.encode(), b"X-User-ID": user_id.encode()}
    answer = await client.post("/api/tasks", json={"title": "Feed cat"}, headers=headers)
    assert answer.json()["userId"] == user_id


@pytest.mark.parametrize("user_id", [None, b"", b"u" * 256, b"\xff", "ü".encode("latin-1")])
async def test_a_service_without_a_usable_user_id_is_refused(
    client: AsyncClient, user_id: bytes | None
) -> None:
    headers = {b"X-Service-Auth": SERVICE_TOKEN.encode()}
    if user_id is not None:
        headers[b"X-User-ID"] = user_id
    answer = await client.get("/api/tasks", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"detail": "X-User-ID must name a user"})


@pytest.mark.parametrize("token", ["", "wrong", SERVICE_TOKEN[:-1], SERVICE_TOKEN + "x", "\xe9"])
async def test_a_wrong_service_token_is_refused(client: AsyncClient, token: str) -> None:
    headers = {b"X-Service-Auth": token.encode("latin-1"), b"X-User-ID": b"bob"}
    assert (await client.get("/api/tasks", headers=headers)).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_service_token_may_be_a_bearer_token(client: AsyncClient, scheme: str) -> None:
    service = {"Authorization": f"{scheme} {SERVICE_TOKEN}"}
    assert await who_is(client, {**service, "X-User-ID": "bob"}) == "bob"
    assert await who_is(client, {**service, "X-Service-Auth": "wrong", "X-User-ID": "bob"}) == "bob"
    answer = await client.get("/api/tasks", headers=service)
    assert (answer.status_code, answer.json()) == (401, {"detail": "X-User-ID must name a user"})
    shown = await client.get("/api/user-api-keys/current", headers={**service, "X-User-ID": "bob"})
    assert shown.json()["configured"] is False


async def test_the_credentials_of_other_doors_are_refused(client: AsyncClient) -> None:
    assert await who_is(client, SERVICE_HEADERS) is None


async def test_a_person_cannot_send_commands(client: AsyncClient, db: Connection) -> None:
    for headers in (await start_session(db, "ann"), acting_for("ann")):
        assert (await client.post("/execute", json={}, headers=headers)).status_code == 401


async def test_each_credential_works_only_where_its_secret_is_set(database_url: str) -> None:
    session_only = {"session_hash_secret": OPEN_DOORS["session_hash_secret"]}
    service_only = {"service_auth_token": SERVICE_TOKEN}
    async with talking_to(database_url, **session_only) as client:
        assert await who_is(client, acting_for("bob")) is None
        assert await who_is(client, {**acting_for("bob"), "X-Service-Auth": ""}) is None
    async with talking_to(database_url, **service_only) as client:
        assert await who_is(client, acting_for("bob")) == "bob"
        assert await who_is(client, {"Authorization": "Bearer t0ken"}) is None


@pytest.mark.parametrize(
    ("given", "doors"),
    [
        ((), ["commands", "admin", "console"]),
        (("encryption_key",), ["commands", "admin", "webhooks", "console"]),
        (("session_hash_secret",), ["commands", "admin", "console", "sessions"]),
        (("service_auth_token",), ["commands", "admin", "console", "sessions"]),
        (
            ("service_auth_token", "encryption_key"),
            ["commands", "admin", "webhooks", "console", "sessions", "user-api-keys"],
        ),
    ],
)
async def test_a_door_is_open_exactly_when_its_secret_is_set(
    database_url: str, given: tuple[str, ...], doors: list[str]
) -> None:
    settings = {name: OPEN_DOORS[name] for name in given}
    async with talking_to(database_url, **settings, mcp_enabled=False) as client:
        assert (await client.get("/")).json()["doors"] == doors
        documented = (await client.get("/openapi.json")).json()["paths"]
        for door, path in (("sessions", "/api/tasks"), ("user-api-keys", "/api/user-api-keys")):
            answer = await client.post(path)
            assert answer.status_code == (401 if door in doors else 404)
            assert any(known.startswith(path) for known in documented) is (door in doors)


async def test_the_document_names_both_credentials(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    schemes = document["components"]["securitySchemes"]
    session = schemes["Session"]
    assert (session["type"], session["scheme"]) == ("http", "bearer")
    assert schemes["ServiceAuth"]["name"] == "X-Service-Auth"
    for method, path in ROUTES:
        operation = document["paths"][path.replace("/x", "/{task_id}")][method.lower()]
        assert operation["security"] == [{"Session": []}, {"ServiceAuth": []}]
        assert {"401", "429", "500", "503"} <= set(operation["responses"])
