"""Lists of long tasks: twenty at once at any door, and the worker hardly notices."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import asyncpg
import httpx
import psutil
import pytest

from app import tokens
from app.config import DEVELOPMENT_VALUES
from tests.accounts import EMAIL
from tests.accounts import SECRET as ACCOUNT_SECRET
from tests.conftest import SERVICE_HEADERS, Figure, create_clone
from tests.contacts import HEADERS as PARTNER
from tests.people import acting_for
from tests.routers.test_user_tasks import bearer
from tests.service import running

USER = "0199d1a8-7c1e-7b1f-9a53-2f6f0d6b7a22"
TASKS, EMOJI, AT_ONCE = 250, 100_000, 20
MOST_MEMORY = 40_000_000
_FILL = f"""
WITH contact AS (
    INSERT INTO contacts (id, name, email, company, user_type)
    VALUES ('{USER}', 'María', 'maria@example.com', 'Azollon', 'client')
)
INSERT INTO tasks (user_id, title, description, created_at)
SELECT '{USER}', 'Task ' || n, description, now() - n * interval '1 minute'
FROM generate_series(1, {TASKS}) AS n, repeat(%s, {EMOJI}) AS description
"""


class Asked(NamedTuple):
    """A request for a list, and how many entries its answer has."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any] | None = None
    entries: int = TASKS

    def encode(self) -> bytes:
        body = b"" if self.body is None else json.dumps(self.body).encode()
        headers = {"Host": "x", "Connection": "close", **self.headers}
        if body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = (f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()))
        return "\r\n".join((*lines, "", "")).encode() + body


def command(entries: int = TASKS, **payload: Any) -> Asked:
    body = {"action": "list-tasks", "user_id": USER, "payload": payload}
    return Asked("POST", "/execute", SERVICE_HEADERS, body, entries)


ACCOUNT = {"Authorization": f"Bearer {tokens.issue(ACCOUNT_SECRET, USER, EMAIL)}"}
LISTS = {
    "list-tasks": command(),
    "a page by limit": command(100, limit=100),
    "a page by number": command(100, limit=100, page=2),
    "a search": command(search="task"),
    "sessions": Asked("GET", "/api/tasks", acting_for(USER)),
    "user tasks": Asked("GET", f"/api/{USER}/tasks", bearer(USER)),
    "accounts": Asked("GET", "/api/v1/tasks?limit=100&page=2", ACCOUNT, entries=100),
    "contacts' tasks": Asked("GET", "/tasks", PARTNER),
}


@pytest.fixture(scope="module", params=["🐈", "\x01"], ids=["emoji", "control characters"])
def filled_url(request: pytest.FixtureRequest, server_url: str, template: str) -> Iterator[str]:
    async def fill(url: str) -> None:
        db = await asyncpg.connect(url)
        await db.execute(_FILL % f"chr({ord(request.param)})")
        await db.execute("VACUUM ANALYZE tasks")
        await db.close()

    with create_clone(server_url, template) as url:
        asyncio.run(fill(url))
        yield url


class Reader:
    """A client that waits before it reads."""

    def __init__(self, port: int, asked: Asked) -> None:
        self._port, self._asked = port, asked
        self.entries, self.size = 0, 0

    async def ask(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(self._asked.encode())
        await self._writer.drain()

    async def read(self) -> bool:
        """Whether it was a whole answer with all entries."""
        start = tail = b""
        while read := await self._reader.read(1 << 20):
            start = start or read[:12]
            seen = tail + read
            self.entries += seen.count(b'"id":"') - tail.count(b'"id":"')
            self.size += len(read)
            tail = seen[-5:]
        self._writer.close()
        return (start, tail, self.entries) == (b"HTTP/1.1 200", b"0\r\n\r\n", self._asked.entries)


@pytest.mark.parametrize("asked", LISTS.values(), ids=LISTS.keys())
async def test_twenty_lists_at_once_take_forty_megabytes_at_most(
    filled_url: str, asked: Asked, figure: Figure
) -> None:
    settings = {**DEVELOPMENT_VALUES, "DATABASE_URL": filled_url, "SHUTDOWN_DELAY": "0"}
    with running("serve", **settings) as (url, process):
        worker = psutil.Process(process.pid).children()[0]
        httpx.post(
            f"{url}/execute",
            headers=SERVICE_HEADERS,
            json={"action": "list-tasks", "user_id": "nobody"},
        ).raise_for_status()
        httpx.request(
            asked.method,
            f"{url}{asked.path}",
            headers=asked.headers if "v1" not in asked.path else {},
            json=None,
        )
        before = most = worker.memory_info().rss
        readers = [Reader(int(url.rpartition(":")[2]), asked) for _ in range(AT_ONCE)]
        await asyncio.gather(*(reader.ask() for reader in readers))
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            most = max(most, worker.memory_info().rss)
            await asyncio.sleep(0.005)
        stalled = most
        cpu = sum(worker.cpu_times()[:2])
        began = time.monotonic()
        whole = asyncio.gather(*(reader.read() for reader in readers))
        while not whole.done():
            most = max(most, worker.memory_info().rss)
            await asyncio.sleep(0.005)
        figure(
            f"{asked.path} {(stalled - before) / 1e6:.1f} {(most - before) / 1e6:.1f} MB more than before; {time.monotonic() - began:.1f} s, worker {sum(worker.cpu_times()[:2]) - cpu:.1f} s, {sum(r.size for r in readers) / 1e6:.0f} MB"
        )
    assert Counter(whole.result()) == {True: AT_ONCE}
    assert most - before < MOST_MEMORY
