"""The primary is lost and its replica promoted: the service goes on, without any loss.

A real service of two workers, told of both servers; clients that send again until it is done.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import psutil
import pytest

from app.config import Settings
from app.database import Database, embedded
from tests.conftest import Figure
from tests.support import cluster, service
from tests.support.load import Client
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.system.test_faults import LISTING, send
from tests.system.test_faults import service as in_process

SYNCHRONOUS = "SELECT sync_state = 'sync' FROM pg_stat_replication"


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """A primary that acknowledges only what its replica has, and the replica."""
    with cluster.place() as folder:
        primary = Server.migrated(folder / "primary")
        replica = primary.replica(folder / "replica")
        primary.execute(
            "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"
        )
        yield primary, replica
        with suppress(psutil.NoSuchProcess):  # frozen it would not end otherwise
            primary.signal(signal.SIGKILL)
        primary.stop()
        replica.stop()


@asynccontextmanager
async def addressed(primary: Server, replica: Server) -> AsyncIterator[str]:
    """The URL of both by host and port."""
    async with Proxy(primary.socket) as first, Proxy(replica.socket) as second:
        both = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        yield f"postgresql://postgres@{both}/{embedded.DATABASE}"


@asynccontextmanager
async def serving(primary: Server, replica: Server) -> AsyncIterator[str]:
    """The URL of a service that knows both."""
    async with addressed(primary, replica) as database_url:
        settings = {
            "DATABASE_URL": database_url,
            "DATABASE_REPLICA_URL": replica.url,
            "WEB_CONCURRENCY": "2",
            "LOG_LEVEL": "ERROR",
            "SHUTDOWN_DELAY": "0",
        }
        starting = service.running("serve", **settings)
        url, _ = await asyncio.to_thread(starting.__enter__)
        try:
            yield url
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)


@dataclass
class Users:
    """People who write and look at what they wrote, for as long as they are let."""

    url: str
    acknowledged: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    retries: int = 0
    done: bool = False

    async def insist(self, client: Client, action: str, user: str, **payload: Any) -> Any:
        """Sends a command until it is answered, as Cat House does, only more often."""
        while True:
            try:
                status, answer = await client.execute(action, user, **payload)
            except (EOFError, OSError):
                status, answer = 503, None
            if status == 200:
                return answer["data"]
            assert status in {409, 503}, (status, answer)
            self.retries += 1
            await asyncio.sleep(0.02)

    async def work(self, number: int) -> None:
        client, user = Client(self.url), f"user-{number}"
        written = 0
        while not self.done:
            title = f"{number}-{written}"
            await self.insist(client, "create-task", user, title=title, key=title)
            written += 1
            self.acknowledged.append(title)
            self.times.append(time.monotonic())
            figures = await self.insist(client, "get-stats", user)
            assert figures["total_tasks"] == written
        client.close()


async def await_synchronous(primary: Server) -> None:
    connection = await asyncpg.connect(primary.url)
    async with asyncio.timeout(10):
        while not await connection.fetchval(SYNCHRONOUS):
            await asyncio.sleep(0.02)
    await connection.close()


async def titles_on(server: Server) -> Counter[str]:
    connection = await asyncpg.connect(server.url)
    titles = Counter(row["title"] for row in await connection.fetch("SELECT title FROM tasks"))
    await connection.close()
    return titles


@pytest.mark.alone
@pytest.mark.parametrize(
    ("harm", "limit"),
    [pytest.param(signal.SIGKILL, 2, id="killed"), pytest.param(signal.SIGSTOP, 8, id="frozen")],
)
async def test_promoted_replica_is_found_and_has_all_that_was_acknowledged(
    servers: tuple[Server, Server], harm: signal.Signals, limit: float, figure: Figure
) -> None:
    primary, replica = servers
    await await_synchronous(primary)
    async with serving(primary, replica) as url:
        users = Users(url)
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(users.work(number))
            await asyncio.sleep(1.5)
            before = len(users.acknowledged)
            primary.signal(harm)
            await asyncio.to_thread(replica.promote)
            promoted = time.monotonic()
            async with asyncio.timeout(20):
                while users.times[-1] < promoted:
                    await asyncio.sleep(0.01)
            seconds = next(at for at in users.times if at > promoted) - promoted
            await asyncio.sleep(1.5)
            users.done = True
    kept = await titles_on(replica)
    lost = [title for title in users.acknowledged if title not in kept]
    doubled = [title for title, times in kept.items() if times > 1]
    figure(
        f"{before} + {len(users.acknowledged) - before} writes acknowledged, the first "
        f"{seconds:.2f} s after the promotion, {users.retries} retries, "
        f"{len(lost)} lost, {len(doubled)} doubled"
    )
    assert before > 100
    assert not lost
    assert not doubled
    assert seconds < limit


async def test_worker_without_requests_becomes_ready_again(
    servers: tuple[Server, Server], figure: Figure
) -> None:
    """Or an orchestrator that asks would never send it any."""
    primary, replica = servers
    async with addressed(primary, replica) as database_url:
        database = Database(Settings(database_url=database_url))
        await database.open()
        assert await database.is_ready()
        primary.signal(signal.SIGSTOP)
        await asyncio.to_thread(replica.promote)
        promoted = time.monotonic()
        async with asyncio.timeout(10):
            while time.monotonic() < promoted + 2 or not await database.is_ready():
                await asyncio.sleep(0.1)
        figure(f"ready {time.monotonic() - promoted:.1f} s after the promotion")
        await database.close()


async def test_nothing_is_acknowledged_that_the_replica_does_not_have(
    servers: tuple[Server, Server], figure: Figure
) -> None:
    """A write that timed out is on the primary by then; to send it again must not confirm it."""
    primary, replica = servers
    await await_synchronous(primary)
    create = {"action": "create-task", "user_id": "user_123", "payload": {"title": "Feed cat"}}
    async with in_process(primary.url) as client:
        assert (await send(client, LISTING)).status_code == 200
        await asyncio.to_thread(primary.execute, "UPDATE service_api_keys SET last_used_at = NULL")
        replica.signal(signal.SIGKILL)
        await asyncio.sleep(1.1)  # by now the key is looked up again, and its use noted
        assert (await send(client, LISTING)).status_code == 200
        answers = [await send(client, create, key="once") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert (await titles_on(primary))["Feed cat"] == 1
        await asyncio.to_thread(replica.start)
        started = time.monotonic()
        while (answer := await send(client, create, key="once")).status_code != 200:
            await asyncio.sleep(0.1)
        figure(f"acknowledged {time.monotonic() - started:.1f} s after the replica's return")
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert (await titles_on(replica))["Feed cat"] == 1
