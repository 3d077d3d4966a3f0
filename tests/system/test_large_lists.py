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

from app.auth import tokens
from app.doors import development_values
from tests.conftest import SERVICE_HEADERS, Figure
from tests.doors.test_user_tasks import bearer
from tests.support.accounts import EMAIL
from tests.support.accounts import SECRET as ACCOUNT_SECRET
from tests.support.accounts import bearer as bearer_of
from tests.support.contacts import HEADERS as PARTNER
from tests.support.databases import create_clone
from tests.support.people import acting_for
from tests.support.service import BY_ITSELF, running

USER, LONGEST = "0199d1a8-7c1e-7b1f-9a53-2f6f0d6b7a22", "longest"
TASKS, EMOJI, AT_ONCE = 250, 100_000, 20
FEW, BRIEF = 20, 1000
"""Tasks that fill what is between the worker and a client many times over."""
MOST_MEMORY = 40_000_000
STALL = 1.0
_FILL = f"""
WITH contact AS (
    INSERT INTO contacts (id, name, email, company, user_type)
    VALUES ('{USER}', 'María', 'maria@example.com', 'Azollon', 'client')
)
INSERT INTO tasks (user_id, title, description, created_at)
SELECT owner, 'Task ' || n, repeat(chr(%s), {EMOJI}), now() - n * interval '1 minute'
FROM (VALUES ('{USER}', {FEW}), ('{LONGEST}', {TASKS})) AS owners (owner, count),
    generate_series(1, count) AS n
UNION ALL
SELECT 'brief', 'Task ' || n, repeat(chr(1), 650), now() - n * interval '1 minute'
FROM generate_series(1, {BRIEF}) AS n
"""


class Asked(NamedTuple):
    """A request for a list, and how many entries its answer has."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any] | None = None
    entries: int = FEW

    def encode(self) -> bytes:
        body = b"" if self.body is None else json.dumps(self.body).encode()
        headers = {"Host": "x", "Connection": "close", **self.headers}
        if body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = (f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()))
        return "\r\n".join((*lines, "", "")).encode() + body


def command(user_id: str = USER, entries: int = FEW, **payload: Any) -> Asked:
    body = {"action": "list-tasks", "user_id": user_id, "payload": payload}
    return Asked("POST", "/execute", SERVICE_HEADERS, body, entries)


ACCOUNT = {"Authorization": f"Bearer {tokens.issue(ACCOUNT_SECRET, USER, EMAIL)}"}
LISTS = {
    "list-tasks": command(LONGEST, TASKS),
    "a page by limit": command(entries=FEW, limit=100),
    "a page by number": command(entries=FEW - 5, limit=FEW - 5, page=1),
    "a search": command(search="task"),
    "sessions": Asked("GET", "/api/tasks", acting_for(USER)),
    "user tasks": Asked("GET", f"/api/{USER}/tasks", bearer(USER)),
    "accounts": Asked("GET", "/api/v1/tasks?limit=100", ACCOUNT),
    "contacts' tasks": Asked("GET", "/tasks", PARTNER),
}
MANY_BRIEF = Asked("GET", "/api/tasks", acting_for("brief"), entries=BRIEF)


async def fill(url: str, character: str) -> None:
    db = await asyncpg.connect(url)
    await bearer_of(db, USER)
    await db.execute(_FILL % ord(character))
    await db.execute("VACUUM ANALYZE tasks")
    await db.close()


@pytest.fixture(scope="module")
def filled_url(request: pytest.FixtureRequest, server_url: str, template: str) -> Iterator[str]:
    """A database whose every long task is a hundred thousand of these characters."""
    with create_clone(server_url, template) as database_url:
        asyncio.run(fill(database_url, request.param))
        yield database_url


@pytest.fixture
def served(filled_url: str) -> Iterator[tuple[str, psutil.Process]]:
    """A service, and its only worker."""
    settings = {**development_values(), "DATABASE_URL": filled_url, "SHUTDOWN_DELAY": "0"}
    with running("serve", command=BY_ITSELF, **settings) as (url, process):
        yield url, psutil.Process(process.pid).children()[0]


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


class Memory:
    """The most memory that the worker took, beyond what it had."""

    def __init__(self, worker: psutil.Process) -> None:
        self._worker, self._before, self.most = worker, worker.memory_info().rss, 0

    async def watch(self, seconds: float = 60) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.most = max(self.most, self._worker.memory_info().rss - self._before)
            await asyncio.sleep(0.005)


async def warm_up(client: httpx.AsyncClient, asked: Asked) -> None:
    """What is loaded once is not the lists' doing: asks without a credential, and for nobody's."""
    await client.request(asked.method, asked.path)
    nobodys = {"action": "list-tasks", "user_id": "nobody"}
    (await client.post("/execute", headers=SERVICE_HEADERS, json=nobodys)).raise_for_status()


# Control characters are six times as long in JSON.
@pytest.mark.parametrize(
    ("asked", "filled_url"),
    [
        *(pytest.param(asked, "🐈", id=name) for name, asked in LISTS.items()),
        pytest.param(command(), "\x01", id="list-tasks, control characters"),
        pytest.param(LISTS["sessions"], "\x01", id="sessions, control characters"),
        pytest.param(LISTS["contacts' tasks"], "\x01", id="contacts' tasks, control characters"),
        pytest.param(MANY_BRIEF, "\x01", id="sessions, brief control characters"),
    ],
    indirect=["filled_url"],
)
async def test_twenty_lists_at_once_take_forty_megabytes_at_most(
    served: tuple[str, psutil.Process], asked: Asked, figure: Figure
) -> None:
    url, worker = served
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await warm_up(client, asked)
        memory = Memory(worker)
        readers = [Reader(int(url.rpartition(":")[2]), asked) for _ in range(AT_ONCE)]
        await asyncio.gather(*(reader.ask() for reader in readers))
        await memory.watch(STALL)
        stats = {"user_id": USER}
        answer = await client.get("/stats", params=stats, headers=SERVICE_HEADERS)
        assert answer.status_code == 200  # nobody holds a connection while nobody reads
        watching = asyncio.create_task(memory.watch())
        whole = Counter(await asyncio.gather(*(reader.read() for reader in readers)))
        watching.cancel()
    megabytes = sum(reader.size for reader in readers) / 1e6
    figure(f"{memory.most / 1e6:.1f} MB for {megabytes:.0f} MB of answers")
    assert whole == {True: AT_ONCE}
    assert memory.most < MOST_MEMORY
