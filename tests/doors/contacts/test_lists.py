"""Lists: their order, their filters, and that nobody notices when they are long."""

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import psutil
import pytest
from pydantic import SecretStr

from app.config import Settings
from app.main import create_app
from app.services import Connection
from tests.conftest import Figure
from tests.doors.contacts.conftest import Ask
from tests.support.contacts import CALL, HEADERS, KEY, USER, fill
from tests.support.databases import create_clone
from tests.support.service import BY_ITSELF, running

COUNT = 10_000
LONGEST_TURN = 0.02
MOST_MEMORY = 20_000_000


async def test_lists_are_newest_first_and_filtered(ask: Ask, user_id: str) -> None:
    other = (await ask("POST", "/users", USER)).json()["id"]
    assert [user["id"] for user in (await ask("GET", "/users")).json()] == [other, user_id]
    for path, body, status in (("/calls", CALL, "completed"), ("/tasks", {"title": "x"}, "done")):
        first, second, third = [
            (await ask("POST", path, {**body, "user_id": owner})).json()["id"]
            for owner in (user_id, other, user_id)
        ]
        await ask("PATCH", f"{path}/{first}/status", params={"new_status": status})
        for parameters, expected in [
            ({}, [third, second, first]),
            ({"user_id": user_id}, [third, first]),
            ({"user_id": user_id.upper()}, [third, first]),
            ({"status_filter": status}, [first]),
            ({"user_id": other, "status_filter": status}, []),
            ({"user_id": str(uuid4())}, []),
            ({"user_id": "nobody"}, []),
        ]:
            listed = (await ask("GET", path, params=parameters)).json()
            assert [entry["id"] for entry in listed] == expected, parameters


@pytest.mark.parametrize("path", ["/calls", "/tasks"])
@pytest.mark.parametrize("status", ["purring", "", "pending"])
async def test_unknown_status_filter_is_422(ask: Ask, path: str, status: str) -> None:
    answer = await ask("GET", path, params={"status_filter": status})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "status_filter"]


@pytest.mark.parametrize("path", ["/users", "/calls", "/tasks"])
async def test_a_list_of_several_pages_is_complete_and_in_order(
    ask: Ask, db: Connection, path: str
) -> None:
    await fill(db, 1203)
    listed = (await ask("GET", path)).json()
    assert len({entry["id"] for entry in listed}) == len(listed) == 1203
    keys = [(entry["created_at"], entry["id"]) for entry in listed]
    assert keys == sorted(keys, reverse=True)


@pytest.fixture(scope="module")
def filled_url(server_url: str, template: str) -> Iterator[str]:
    async def fill_it(url: str) -> None:
        db = await asyncpg.connect(url)
        await fill(db, COUNT)
        await db.execute("UPDATE contacts SET notes = repeat('Ünïcødé ', 60)")
        await db.execute("VACUUM ANALYZE")
        await db.close()

    with create_clone(server_url, template) as url:
        asyncio.run(fill_it(url))
        yield url


async def longest_turn(stop: asyncio.Event) -> float:
    """The most CPU time, in seconds, that anybody kept the event loop for at a stretch."""
    longest = 0.0
    while not stop.is_set():
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    return longest


@pytest.fixture
def young_heap() -> Iterator[None]:
    """Spares the service a collection of all that the tests before it left in memory."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.alone
@pytest.mark.usefixtures("young_heap")
@pytest.mark.parametrize("path", ["/users", "/calls", "/tasks"])
async def test_a_long_list_keeps_the_loop_for_no_more_than_20_ms(
    filled_url: str, figure: Figure, path: str
) -> None:
    settings = Settings(database_url=filled_url, log_level="ERROR", task_api_key=SecretStr(KEY))
    app = create_app(settings)
    body = bytearray()

    async def send(message: dict[str, Any]) -> None:
        body.extend(message.get("body", b""))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"x-api-key", KEY.encode())],
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }
    async with app.router.lifespan_context(app):
        stop = asyncio.Event()
        watch = asyncio.create_task(longest_turn(stop))
        started = time.monotonic()
        await app(scope, receive, send)  # type: ignore[arg-type]
        seconds = time.monotonic() - started
        stop.set()
    assert len(json.loads(body)) == COUNT
    longest = await watch
    assert longest < LONGEST_TURN
    figure(f"{path}: {COUNT} in {seconds:.2f} s, the loop kept for {longest * 1000:.1f} ms at most")


@pytest.mark.alone
def test_a_long_list_takes_little_memory(filled_url: str, figure: Figure) -> None:
    settings = {"DATABASE_URL": filled_url, "TASK_API_KEY": KEY, "LOG_LEVEL": "ERROR"}
    with running("serve", command=BY_ITSELF, SHUTDOWN_DELAY="0", **settings) as (url, master):
        [worker] = psutil.Process(master.pid).children()
        assert httpx.get(f"{url}/users/x", headers=HEADERS).status_code == 404
        before = peak = worker.memory_info().rss
        size = 0
        for _ in range(3):
            with httpx.stream("GET", f"{url}/users", headers=HEADERS) as answer:
                for chunk in answer.iter_raw():
                    size += len(chunk)
                    peak = max(peak, worker.memory_info().rss)
    assert peak - before < MOST_MEMORY
    figure(f"{size / 3e6:.1f} MB a list, {(peak - before) / 1e6:.1f} MB of memory at the peak")
