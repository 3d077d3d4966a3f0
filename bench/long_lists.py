"""Ten lists of 10,000 tasks at once: how long they keep the event loop from anything else."""

import asyncio
import gc
import json
import time
from statistics import median
from typing import Any

import uvloop

from app.config import Settings
from app.main import create_app
from bench import data
from bench.store import Store, start_server

_AT_ONCE = 10
_TASKS = 10_000
_TICK = 0.001
_OWNER = data.Owners("myriad", 1, _TASKS)


def measure(rounds: int) -> dict[str, float]:
    """The longest time between two turns of the event loop, and the time to the last answer."""
    store = Store(start_server(), "bench_lists", (_OWNER,))
    key = store.prepare()
    settings = Settings(database_url=store.url, environment="development", log_level="ERROR")
    figures = [uvloop.run(_round(settings, key)) for _ in range(rounds)]
    return {
        "longest_block_ms": round(max(block for block, _ in figures), 2),
        "seconds": round(median(seconds for _, seconds in figures), 2),
    }


async def _round(settings: Settings, key: str) -> tuple[float, float]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        await _list(app, key)
        gc.collect()
        ticker = asyncio.create_task(_longest_gap())
        began = time.perf_counter()
        counts = await asyncio.gather(*(_list(app, key) for _ in range(_AT_ONCE)))
        seconds = time.perf_counter() - began
        ticker.cancel()
        assert counts == [_TASKS] * _AT_ONCE  # noqa: S101 - else there is nothing to measure
        return await ticker, seconds


async def _longest_gap() -> float:
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(_TICK)
            now = time.perf_counter()
            longest, last = max(longest, now - last - _TICK), now
    except asyncio.CancelledError:
        return longest * 1000


async def _list(app: Any, key: str) -> int:
    """The number of tasks that one list-tasks sends."""
    body = json.dumps({"action": "list-tasks", "user_id": _OWNER.names()[0]}).encode()
    headers = [(b"x-service-key", key.encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/execute",
        "raw_path": b"/execute",
        "headers": headers,
        "query_string": b"",
        "root_path": "",
    }
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    found = 0

    async def receive() -> dict[str, Any]:
        return next(messages, None) or await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        nonlocal found
        found += message.get("body", b"").count(b'{"id":"')

    await app(scope, receive, send)
    return found
