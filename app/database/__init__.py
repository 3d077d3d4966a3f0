"""The connections to PostgreSQL, lent one at a time and never for longer than the deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from time import monotonic

import asyncpg
from pydantic import SecretStr

from app.config.process import ProcessSettings
from app.database.connector import Connector
from app.database.deadline import DEADLINE
from app.database.outage import Outage
from app.database.pool import Pool
from app.database.rehearsal import rehearsal
from app.database.replica import Answer, Question, Replica
from app.database.schema import find_age, find_fault
from app.errors import SchemaUnusable, Unavailable
from app.logs import logger
from app.services import Connection
from app.services.changes import fetch_progress

_CONNECT_TIMEOUT = 2.0
_REPLICA_CONNECT_TIMEOUT = 0.5

_PROBE_INTERVAL = 1.0
_PROBE_TIMEOUT = 0.5


class Database:
    """A small pool of connections. Opening it needs no reachable server."""

    _replica: Replica | None = None
    schema_fault: str | None = None
    """Why the schema does not suit this version, as last seen; None while the database is away."""

    def __init__(self, settings: ProcessSettings) -> None:
        self._settings = settings
        self._pool: Pool | None = None
        self._probe: Pool | None = None
        self._probing = asyncio.Lock()
        self._probed_at = 0.0
        self._ready = False
        self._outage = Outage()
        self._in_doubt = False
        self._age_told = False

    async def open(self) -> None:
        """Prepares the pools, and tells at once of a schema that does not suit.

        Where the database is away, they connect when first used.
        """
        connect = self._outage.watching(
            self._connector(self._settings.database_url, _CONNECT_TIMEOUT)
        )
        self._pool = Pool(connect, self._settings.database_pool_size, on_lacking=self._doubt)
        # The probe has a connection of its own: a busy pool is no outage.
        self._probe = Pool(connect, 1)
        if self._settings.database_replica_url is not None:
            replica = self._connector(self._settings.database_replica_url, _REPLICA_CONNECT_TIMEOUT)
            self._replica = Replica(replica, self._settings.database_pool_size)
        await self._look(self._pool)

    def _connector(self, url: SecretStr, seconds: float) -> Connector:
        return Connector(
            url.get_secret_value(),
            statement_cache_size=self._settings.database_statement_cache_size,
            seconds=seconds,
        )

    async def close(self) -> None:
        """Ends all connections, waiting for those still lent."""
        for pool in (self._pool, self._probe, self._replica):
            if pool is not None:
                await pool.close()

    def connection(self, seconds: float = DEADLINE) -> AbstractAsyncContextManager[Connection]:
        """Lends a connection; Unavailable when the time is over or the server is away.

        SchemaUnusable, with the reason, when the schema does not suit this version.
        """
        assert self._pool is not None, "the lifespan opens the pool"  # noqa: S101
        return self._lend_if_usable(seconds) if self._in_doubt else self._pool.lend(seconds)

    @asynccontextmanager
    async def _lend_if_usable(self, seconds: float) -> AsyncIterator[Connection]:
        await self.is_ready()
        if self.schema_fault is not None:
            raise SchemaUnusable(self.schema_fault)
        async with self._pool.lend(seconds - _PROBE_TIMEOUT) as connection:  # type: ignore[union-attr]
            yield connection

    def _doubt(self) -> None:
        self._in_doubt = True

    async def ask(self, question: Question[Answer], seconds: float = DEADLINE) -> Answer:
        """The answer to a question that is asked of a connection."""
        async with self.connection(seconds) as db:
            return await question(db)

    @asynccontextmanager
    async def transaction(self, seconds: float = DEADLINE) -> AsyncIterator[Connection]:
        """Lends a connection in a transaction that is committed on leaving."""
        async with self.connection(seconds) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def rehearsal(self, seconds: float = DEADLINE) -> AsyncIterator[Connection]:
        """Lends a connection in a transaction that is rolled back on leaving."""
        async with self.connection(seconds) as connection, rehearsal(connection):
            yield connection

    async def read(
        self, question: Question[Answer], seconds: float = DEADLINE, *, reader: str | None
    ) -> Answer:
        """The answer of the replica where there is one, and otherwise of the primary.

        It contains all that was acknowledged before to anybody who wrote the reader's tasks.
        Without a reader it may lag.
        """
        replica = self._replica
        if replica is None or not replica.is_due():
            return await self.ask(question, seconds)
        ends = monotonic() + seconds
        progress = None
        if reader is not None:
            progress = await self.ask(lambda db: fetch_progress(db, reader), seconds)
        with suppress(Unavailable, asyncpg.PostgresError):
            return await replica.ask(question, (ends - monotonic()) / 2, progress)
        return await self.ask(question, ends - monotonic())

    async def is_ready(self) -> bool:
        """Whether the database answers and its schema suits this version.

        Asked at most once a second and for half a second.
        """
        async with self._probing:
            if monotonic() - self._probed_at >= _PROBE_INTERVAL:
                assert self._probe is not None, "the lifespan opens the pool"  # noqa: S101
                self._ready = await self._look(self._probe)
                self._probed_at = monotonic()
            return self._ready

    async def _look(self, pool: Pool) -> bool:
        """Whether the database answers and its schema suits this version."""
        try:
            async with pool.lend(_PROBE_TIMEOUT) as connection:
                self._note_schema(await find_fault(connection))
                self._tell_age(connection)
        except Unavailable as error:
            self._outage.note_away(error.__cause__ or error)
            self.schema_fault = None  # nobody knows
            return False
        self._outage.note_back()
        return self.schema_fault is None

    def _note_schema(self, fault: str | None) -> None:
        if fault != self.schema_fault:
            if fault is None:
                logger.info("schema_usable")
            else:
                logger.error("schema_unusable", reason=fault)
        self.schema_fault = fault
        self._in_doubt = fault is not None

    def _tell_age(self, connection: Connection) -> None:
        if not self._age_told and (age := find_age(connection)) is not None:
            logger.error("postgresql_too_old", reason=age)
        self._age_told = True
