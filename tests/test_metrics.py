import httpx
import pytest
from httpx import AsyncClient

from app import metrics
from app.commands.registry import ACTION_HANDLERS
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS, Execute
from tests.doors.admin.test_keys import create
from tests.support.application import talking_to
from tests.support.batches import create as create_task
from tests.support.batches import send_batch
from tests.support.service import free_port, running


def figures(text: str) -> dict[str, float]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def read(client: AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics", headers=ADMIN_HEADERS)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return figures(answer.text)


async def test_requests_are_counted_by_action_and_status(
    client: AsyncClient, execute: Execute
) -> None:
    before = await read(client)
    await execute("create-task", title="Feed cat")
    await execute("create-task", title="")
    await execute("made-up-by-a-caller")
    await client.get("/no/such/path")
    after = await read(client)

    def risen(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert risen('task_manager_requests_total{action="create-task",status="200"}') == 1
    assert risen('task_manager_requests_total{action="create-task",status="400"}') == 1
    assert risen('task_manager_requests_total{action="unknown",status="404"}') == 1
    assert risen('task_manager_requests_total{action="unmatched",status="404"}') == 1
    assert risen('task_manager_request_seconds_count{action="create-task"}') == 2
    assert risen('task_manager_key_lookups_total{cache="hit"}') >= 2
    assert "made-up-by-a-caller" not in str(after)


async def test_replays_are_counted(client: AsyncClient) -> None:
    before = await read(client)
    command = {"action": "create-task", "user_id": "u", "payload": {"title": "Feed cat"}}
    for _ in range(3):
        await client.post(
            "/execute", json=command, headers={**SERVICE_HEADERS, "Idempotency-Key": "k"}
        )
    name = "task_manager_replays_total"
    assert (await read(client))[name] - before[name] == 2


async def test_a_connection_shows_while_it_is_lent(
    live_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "task_manager_connections_in_use"

    async def look(*_: object) -> dict[str, float]:
        return {name: figures(metrics.exposition().decode())[name]}

    monkeypatch.setitem(ACTION_HANDLERS, "look", look)
    command = {"action": "look", "user_id": "u"}
    answer = await live_client.post("/execute", json=command, headers=SERVICE_HEADERS)
    assert answer.json()["data"] == {name: 1}
    assert (await read(live_client))[name] == 0


@pytest.mark.parametrize("headers", [{}, SERVICE_HEADERS, {"X-Admin-Key": "wrong"}])
async def test_only_administrators_read_metrics(
    client: AsyncClient, headers: dict[str, str]
) -> None:
    assert (await client.get("/metrics", headers=headers)).status_code == 401


def test_two_workers_add_up_and_serve_a_port_of_their_own(database_url: str) -> None:
    port = free_port()
    settings = {"WEB_CONCURRENCY": "2", "METRICS_PORT": str(port), "LOG_LEVEL": "ERROR"}
    with running("serve", DATABASE_URL=database_url, SHUTDOWN_DELAY="0", **settings) as (url, _):
        for _ in range(20):
            httpx.get(f"{url}/stats?user_id=u", headers=SERVICE_HEADERS).raise_for_status()
        shown = httpx.get(f"http://localhost:{port}/metrics").text
        guarded = httpx.get(f"{url}/metrics", headers=ADMIN_HEADERS).text
        for text in (shown, guarded):
            assert figures(text)['task_manager_requests_total{action="/stats",status="200"}'] == 20


async def test_keys_have_a_label_of_their_own_where_asked_for_and_no_more_than_so_many(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_named", set())
    command = {"action": "get-stats", "user_id": "u"}
    for settings in ({}, {"metrics_keys": 2}):
        async with talking_to(database_url, **settings) as client:
            before = await read(client)
            for number in range(4):
                name = f"key-{number}-{len(settings)}"
                minted = await create(client, key_name=name)
                headers = {"X-Service-Key": minted.json()["service_key"]}
                await client.post("/execute", json=command, headers=headers)
            after = await read(client)
        risen = {
            name: after[name] - before.get(name, 0)
            for name in after
            if name.startswith("task_manager_key_requests_total")
        }
        assert bool(risen) == bool(settings)
    total = 'task_manager_key_requests_total{action="get-stats",key="%s",outcome="ok"}'
    assert risen == {total % "key-0-1": 1, total % "key-1-1": 1, total % "_other": 2}


async def test_commands_of_a_batch_count_for_its_key(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_named", set())
    async with talking_to(database_url, metrics_keys=1) as client:
        minted = await create(client, key_name="offline")
        key = {"X-Service-Key": minted.json()["service_key"]}
        await send_batch(client, *(create_task(f"c{n}") for n in range(4)), headers=key)
        counted = await read(client)
    total = 'task_manager_key_requests_total{action="%s",key="offline",outcome="ok"}'
    assert (counted[total % "batch"], counted[total % "create-task"]) == (1, 4)
