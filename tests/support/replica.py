"""A primary and a replica that follows it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from httpx import AsyncClient

from app.services import Connection
from tests.support import cluster
from tests.support.application import talking_to
from tests.support.postgres import Server

CAUGHT_UP = "SELECT pg_last_wal_replay_lsn() >= $1"


class Pair:
    """A primary and the replica that follows it."""

    def __init__(self, folder: Path) -> None:
        self.primary = Server.migrated(folder / "primary")
        self.replica = self.primary.replica(folder / "replica")

    @asynccontextmanager
    async def service(self, **settings: Any) -> AsyncIterator[AsyncClient]:
        settings = {"database_replica_url": self.replica.url, **settings}
        async with talking_to(self.primary.url, **settings) as client:
            yield client

    async def catch_up(self) -> None:
        """Returns when the replica has all that the primary has."""
        primary, replica = await connect(self.primary), await connect(self.replica)
        position = await primary.fetchval("SELECT pg_current_wal_lsn()")
        async with asyncio.timeout(10):
            while not await replica.fetchval(CAUGHT_UP, position):
                await asyncio.sleep(0.01)
        await primary.close()
        await replica.close()

    @asynccontextmanager
    async def lagging(self) -> AsyncIterator[None]:
        """The replica is up to date, and receives all, but shows nothing new for as long."""
        await self.catch_up()
        replica = await connect(self.replica)
        await replica.execute("SELECT pg_wal_replay_pause()")
        while await replica.fetchval("SELECT pg_get_wal_replay_pause_state()") != "paused":
            await asyncio.sleep(0.01)
        yield
        await replica.execute("SELECT pg_wal_replay_resume()")
        await replica.close()

    def stop(self) -> None:
        self.replica.stop()
        self.primary.stop()


@contextmanager
def running_pair() -> Iterator[Pair]:
    with cluster.place() as folder:
        pair = Pair(folder)
        yield pair
        pair.stop()


async def connect(server: Server) -> Connection:
    connection: Connection = await asyncpg.connect(server.url)
    return connection
