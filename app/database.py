"""The connections to PostgreSQL, lent one at a time and never for longer than the deadline."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from time import monotonic
from typing import Any

import asyncpg
from starlette.requests import Request

from app.config import Settings
from app.errors import Unavailable
from app.pool import Pool
from app.services import Connection

DEADLINE = 4.2
"""Seconds one request may spend waiting for a connection and on its statements."""
_CONNECT_TIMEOUT = 2.0
_COMMAND_TIMEOUT = 3.5
_CLOSE_TIMEOUT = 2.0

_PROBE_INTERVAL = 1.0
_PROBE_TIMEOUT = 0.5


class _Connection(Connection):
    """A connection that does not wait for ever for a half-open peer's farewell."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with suppress(TimeoutError):
            await super().close(timeout=timeout or _CLOSE_TIMEOUT)


class Database:
    """A small pool of connections. Opening it needs no reachable server."""

    def __init__(self, settings: Settings) -> None:
        self._dsn = settings.database_url.get_secret_value()
        self._pool_size = settings.database_pool_size
        self._statement_cache_size = settings.database_statement_cache_size
        self._pool: Pool | None = None
        self._probe: Pool | None = None
        self._probing = asyncio.Lock()
        self._probed_at = 0.0
        self._ready = False

    async def open(self) -> None:
        """Prepares the pools; they connect when first used."""
        self._pool = Pool(self._connect, self._pool_size)
        # The probe has a connection of its own: a busy pool is no outage.
        self._probe = Pool(self._connect, 1)

    async def _connect(self) -> Connection:
        return await asyncpg.connect(
            self._dsn,
            connection_class=_Connection,
            timeout=_CONNECT_TIMEOUT,
            command_timeout=_COMMAND_TIMEOUT,
            statement_cache_size=self._statement_cache_size,
            server_settings={"application_name": "task-manager-api"},
        )

    async def close(self) -> None:
        """Ends all connections, waiting for those still lent."""
        for pool in filter(None, (self._pool, self._probe)):
            await pool.close()

    def connection(self, seconds: float = DEADLINE) -> AbstractAsyncContextManager[Connection]:
        """Lends a connection; Unavailable when the time is over or the server is away."""
        assert self._pool is not None, "the lifespan opens the pool"  # noqa: S101
        return self._pool.lend(seconds)

    @asynccontextmanager
    async def transaction(self, seconds: float = DEADLINE) -> AsyncIterator[Connection]:
        """Lends a connection in a transaction that is committed on leaving."""
        async with self.connection(seconds) as connection, connection.transaction():
            yield connection

    async def is_ready(self) -> bool:
        """Whether the database answers, asked at most once a second and for half a second."""
        async with self._probing:
            if monotonic() - self._probed_at >= _PROBE_INTERVAL:
                self._ready = await self._answers()
                self._probed_at = monotonic()
            return self._ready

    async def _answers(self) -> bool:
        assert self._probe is not None, "the lifespan opens the pool"  # noqa: S101
        try:
            async with self._probe.lend(_PROBE_TIMEOUT) as connection:
                return bool(await connection.fetchval("SELECT true"))
        except Unavailable:
            return False


class Statements:
    """Lends a connection to each statement by itself.

    For actions that wait for somebody else between their statements.
    """

    def __init__(self, request: Request) -> None:
        self._request = request

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """The first row, as of a connection."""
        async with get_db(self._request) as connection:
            return await connection.fetchrow(query, *arguments)


def get_db(
    request: Request, *, transaction: bool = False
) -> AbstractAsyncContextManager[Connection]:
    """Lends a connection for what is left of the request's deadline."""
    database: Database = request.app.state.database
    left = time_left(request.scope)
    return database.transaction(left) if transaction else database.connection(left)


def time_left(scope: MutableMapping[str, Any]) -> float:
    """Seconds until the request's deadline: what its credential took is gone."""
    return DEADLINE - float(scope.get("waited", 0.0))
