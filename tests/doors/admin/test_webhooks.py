"""What an administrator keeps, tries and sends again."""

import json
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient
from standardwebhooks import Webhook

from app.config import Settings
from app.services import Connection, webhook_deliveries, webhook_replays
from app.services.log import follow
from tests.conftest import ADMIN_HEADERS, MISSING_ID
from tests.support.application import talking_to
from tests.support.listener import write_task
from tests.support.receiver import KEY, answered, receiving

URL = "https://93.184.215.14/hook"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_allow_networks": "127.0.0.0/8"})


async def create(client: AsyncClient, **members: Any) -> dict[str, Any]:
    body = {"url": URL, "events": ["*"], **members}
    response = await client.post("/admin/webhooks", json=body, headers=ADMIN_HEADERS)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def call(client: AsyncClient, method: str, path: str, body: Any = None) -> Any:
    path = f"/admin/webhooks/{path}"
    response = await client.request(method, path, json=body, headers=ADMIN_HEADERS)
    assert response.is_success, response.text
    return response.json() if response.content else None


async def test_a_secret_is_shown_once_and_stored_encrypted(
    client: AsyncClient, db: Connection
) -> None:
    made = await create(client, events=["task.completed"], user_ids=["ann"], description="Cat")
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert (made["enabled"], made["user_ids"], made["url"]) == (True, ["ann"], URL)
    assert await call(client, "GET", made["id"]) == made
    listed = await client.get("/admin/webhooks", headers=ADMIN_HEADERS)
    assert listed.json() == {"webhooks": [made]}
    stored = await db.fetchval("SELECT secret FROM webhook_endpoints")
    assert secret.encode() not in stored


async def test_members_are_changed_cleared_and_left(client: AsyncClient) -> None:
    made = await create(client, user_ids=["ann"], description="Cat")
    changed = await call(client, "PATCH", made["id"], {"events": ["key.revoked"], "user_ids": None})
    assert (changed["events"], changed["user_ids"]) == (["key.revoked"], None)
    assert changed["description"] == "Cat"
    disabled = await call(client, "PATCH", made["id"], {"enabled": False})
    assert disabled["disabled_reason"] == "by an administrator"
    enabled = await call(client, "PATCH", made["id"], {"enabled": True})
    assert (enabled["enabled"], enabled["disabled_at"], enabled["disabled_reason"]) == (
        *(True, None),
        None,
    )


@pytest.mark.parametrize(
    "members",
    [
        {"url": "https://user:pass@93.184.215.14/"},
        {"url": "https://93.184.215.14/#part"},
        {"url": "ftp://93.184.215.14/"},
        {"url": "file:///etc/passwd"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://169.254.169.254/latest/meta-data"},
        {"url": "https://[::ffff:10.0.0.1]/"},
        {"url": "https://[64:ff9b::a00:1]/"},
        {"url": "https://0x0a000001/"},
        {"url": "https://012.0.0.1:8443/"},
        {"url": "https://167772161/"},
        {"url": "https://10.0.0.1:22/"},
        {"url": "https://１０.0.0.1/"},  # noqa: RUF001
        {"url": "https://10。0。0。1/"},
        {"url": "https://localhost./"},
        {"url": "https://0/"},
        {"url": "https://93.184.215.14:65536/"},
        {"url": "https://93.184.215.14:smtp/"},
        {"url": "https://does-not-exist.invalid/"},
        {"url": f"https://93.184.215.14/{'x' * 2000}"},
        {"events": []},
        {"events": ["task.eaten"]},
        {"user_ids": []},
        {"urls": [URL]},
    ],
)
async def test_what_is_no_webhook_is_refused(client: AsyncClient, members: Any) -> None:
    body = {"url": URL, "events": ["*"], **members}
    response = await client.post("/admin/webhooks", json=body, headers=ADMIN_HEADERS)
    assert response.status_code == 422, response.text
    made = await create(client)
    patched = await client.patch(
        f"/admin/webhooks/{made['id']}", json=members, headers=ADMIN_HEADERS
    )
    assert patched.status_code == 422, patched.text


async def test_there_are_twenty_at_most(client: AsyncClient) -> None:
    for _ in range(20):
        made = await create(client)
    body = {"url": URL, "events": ["*"]}
    response = await client.post("/admin/webhooks", json=body, headers=ADMIN_HEADERS)
    assert (response.status_code, response.json()["code"]) == (409, "full")
    await call(client, "DELETE", made["id"])
    await create(client)


async def test_a_test_answers_what_came_back(client: AsyncClient) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda _: answered(418, body="teapot")
        made = await create(client, url=receiver.url)
        attempt = await call(client, "POST", f"{made['id']}/test")
        assert attempt.pop("duration_ms") >= 0
        assert attempt == {
            "delivered": False,
            "status": 418,
            "error": "answered 418",
            "body": "teapot",
        }
        [told] = receiver.received
        event = Webhook(made["secret"]).verify(told.body, told.headers)
        assert (event["type"], event["data"]) == ("webhook.test", {"webhook_id": made["id"]})


async def test_a_new_secret_signs_beside_the_old_one(client: AsyncClient) -> None:
    async with receiving() as receiver:
        made = await create(client, url=receiver.url)
        rotated = await call(client, "POST", f"{made['id']}/rotate-secret")
        await call(client, "POST", f"{made['id']}/test")
        [told] = receiver.received
    assert rotated["secret"] != made["secret"]
    for secret in (rotated["secret"], made["secret"]):
        assert Webhook(secret).verify(told.body, told.headers)


async def test_deliveries_are_shown_and_replayed(client: AsyncClient, db: Connection) -> None:
    made = await create(client)
    await write_task(db, user_id="ann")
    await db.execute("""
        INSERT INTO consumers (name, position) SELECT 'webhooks', max(position) FROM changes
    """)
    replayed = await call(client, "POST", f"{made['id']}/replay", {"since": made["created_at"]})
    await webhook_replays.go_on(db, await follow(db, webhook_deliveries.TAKING))
    [shown] = (await call(client, "GET", f"{made['id']}/deliveries"))["deliveries"]
    assert replayed == {"deliveries": 1}
    assert shown.pop("id").startswith("msg_")
    assert shown.pop("next_attempt_at") is not None
    assert shown.pop("occurred_at") is not None
    assert shown == {
        "event": "task.created",
        "user_id": "ann",
        "state": "pending",
        "attempts": 0,
        **dict.fromkeys(("attempted_at", "status", "duration_ms", "error")),
    }


_TOLD = """
INSERT INTO webhook_deliveries (endpoint_id, position, user_id, type, occurred_at, outcome, due_at)
SELECT $1, n, 'ann', 'task.created', now(), outcome, due_at
FROM generate_series($2::int + 1, $2 + 12) AS n JOIN (VALUES
    (0, NULL, now()), (1, 'delivered', NULL), (2, 'failed', now()), (3, 'failed', NULL)
) AS ends (number, outcome, due_at) ON number = n % 4
"""


async def pages(client: AsyncClient, path: str) -> list[list[dict[str, Any]]]:
    """The deliveries of each page, to the last."""
    page = await call(client, "GET", path)
    listed = [page["deliveries"]]
    while page["next_cursor"] is not None:
        page = await call(client, "GET", f"{path}&cursor={page['next_cursor']}")
        listed.append(page["deliveries"])
    return listed


async def test_deliveries_come_in_pages_newest_first_of_any_state_or_of_one(
    client: AsyncClient, db: Connection
) -> None:
    made, other = [(await create(client))["id"] for _ in range(2)]
    await db.execute(_TOLD, UUID(made), 0)
    await db.execute(_TOLD, UUID(other), 100)
    states = ["pending", "failed", "retrying", "delivered"] * 3
    first, second, third = await pages(client, f"{made}/deliveries?limit=5")
    assert [len(first), len(second), len(third)] == [5, 5, 2]
    everything = [*first, *second, *third]
    assert [one["state"] for one in everything] == states
    for state in set(states):
        found = await pages(client, f"{made}/deliveries?limit=2&state={state}")
        expected = [one for one in everything if one["state"] == state]
        assert [one for page in found for one in page] == expected
    assert await pages(client, f"{made}/deliveries") == [everything]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "cursor=0", "cursor=msg_1", f"cursor={2**63}", "state=lost"],
)
async def test_wrong_page_of_deliveries_is_422(client: AsyncClient, query: str) -> None:
    path = f"/admin/webhooks/{(await create(client))['id']}/deliveries?{query}"
    answer = await client.get(path, headers=ADMIN_HEADERS)
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text


async def test_no_page_of_deliveries_is_looked_for_among_the_others(
    client: AsyncClient, db: Connection
) -> None:
    """Whatever page of whatever state: few rows are found among very many."""
    endpoint = UUID((await create(client))["id"])
    await db.execute(_TOLD, endpoint, 0)
    await db.execute(_CROWD, endpoint)
    await db.execute("ANALYZE webhook_deliveries")
    await db.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    for state in ("pending", "delivered", "retrying", "failed", None):
        for cursor in (None, 3000):
            given = [endpoint, cursor, 3, *([state] if state else [])]
            listed = webhook_deliveries._OF_STATE if state else webhook_deliveries._ALL
            explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {listed}"
            [plan] = json.loads(await db.fetchval(explained, *given))
            assert plan["Plan"]["Actual Rows"] == 3
            assert plan["Plan"]["Shared Hit Blocks"] < 20, (state, cursor)


_CROWD = """
INSERT INTO webhook_deliveries (endpoint_id, position, user_id, type, occurred_at, outcome)
SELECT $1, n, 'ben', 'task.created', now(), 'delivered' FROM generate_series(1000, 6000) AS n
"""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/deliveries"),
        ("POST", "/test"),
        ("POST", "/rotate-secret"),
    ],
)
async def test_who_has_no_key_or_names_none_is_told_so(
    client: AsyncClient, method: str, path: str
) -> None:
    url = f"/admin/webhooks/{MISSING_ID}{path}"
    assert (await client.request(method, url)).status_code == 401
    assert (await client.request(method, url, headers=ADMIN_HEADERS)).status_code == 404


@pytest.mark.parametrize("key", [KEY, None])
async def test_without_an_encryption_key_webhooks_are_closed_and_one_line_says_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    said: list[str] = []
    monkeypatch.setattr("app.main.logger.info", lambda event, **_: said.append(event))
    async with talking_to(database_url, encryption_key=key) as client:
        response = await client.get("/admin/webhooks", headers=ADMIN_HEADERS)
    assert response.status_code == (404 if key is None else 200)
    assert said.count("webhooks_are_off") == (key is None)


async def test_every_act_leaves_its_trail_without_a_secret(client: AsyncClient) -> None:
    async with receiving() as receiver:
        made = await create(client, url=receiver.url)
        webhook_id = made["id"]
        await call(client, "PATCH", webhook_id, {"description": "Cat"})
        rotated = await call(client, "POST", f"{webhook_id}/rotate-secret")
        await call(client, "POST", f"{webhook_id}/test")
        await call(client, "POST", f"{webhook_id}/replay", {"since": made["created_at"]})
        await call(client, "DELETE", webhook_id)
    trail = await client.get("/admin/audit", headers=ADMIN_HEADERS)
    acts = trail.json()["acts"]
    assert [act["act"] for act in reversed(acts)] == [
        *("webhook.created", "webhook.changed", "webhook.secret_rotated", "webhook.tested"),
        *("webhook.replayed", "webhook.deleted"),
    ]
    assert {act["object"] for act in acts} == {f"webhook/{webhook_id}"}
    assert all(secret not in trail.text for secret in (made["secret"], rotated["secret"]))
