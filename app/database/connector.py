"""Connections to PostgreSQL: with our time limits, and to whichever of several hosts serves."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from app.database.delegation import find_delegated
from app.database.poolers import Pooler, find_pooler
from app.logs import logger
from app.services import Connection

_COMMAND_TIMEOUT = 3.5
_CLOSE_TIMEOUT = 2.0


class _Connection(Connection):
    """A connection whose statements are unnamed, or have names that no other one can have.

    It does not wait for ever for a half-open peer's farewell.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._id = uuid4().hex
        self._numbers = count(1)

    # asyncpg counts from 1 in every process: behind a pooler that does not track statements,
    # one process executes what another one has prepared.
    def _get_unique_id(self, prefix: str) -> str:
        return f"{prefix}_{self._id}_{next(self._numbers):x}"

    def keep_statements(self, size: int) -> None:
        """Keeps so many prepared statements by name from now on."""
        self._stmt_cache.set_max_size(size)  # type: ignore[attr-defined]
        self._stmt_cache_enabled = size > 0

    def delegate(self, texts: Mapping[str, str]) -> None:
        """Sends these texts in place of others from now on; without any, nothing is looked up."""
        if texts:
            for name in ("_execute", "_executemany"):
                setattr(self, name, partial(_delegated, texts, getattr(self, name)))

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with suppress(TimeoutError):
            await super().close(timeout=timeout or _CLOSE_TIMEOUT)


def _delegated(
    texts: Mapping[str, str], execute: Callable[..., Any], query: str, *more: Any, **options: Any
) -> Any:
    return execute(texts.get(query, query), *more, **options)


class Connector:
    """Connects to the host of a URL; of several, to the first that serves as the URL demands.

    asyncpg would try them too, but spend all the time on one that does not answer at all.
    Statements are kept by name only where the name will be found again.
    """

    _pooler = Pooler.NONE
    _delegated: Mapping[str, str] | None = None

    def __init__(self, url: str, *, statement_cache_size: int, seconds: float) -> None:
        self._urls = _one_each(url)
        self._statement_cache_size = statement_cache_size
        self._seconds = seconds / len(self._urls)

    async def __call__(self) -> Connection:
        """A new connection, to the host that had the last one if it still serves.

        Otherwise what kept the last host from it, as asyncpg says it.
        """
        *others, last = self._urls
        for url in others:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InternalClientError):
                return await self._connect_to(url)
        return await self._connect_to(last)

    async def _connect_to(self, url: str) -> Connection:
        others = [other for other in self._urls if other != url]
        try:
            async with asyncio.timeout(self._seconds):
                connection = await self._open(url)
        except BaseException:  # the caller's time may be over before this host's is
            self._urls = [*others, url]
            raise
        self._urls = [url, *others]
        return connection

    async def _open(self, url: str) -> Connection:
        connection = await asyncpg.connect(
            url,
            connection_class=_Connection,
            command_timeout=_COMMAND_TIMEOUT,
            statement_cache_size=0,
            server_settings={"application_name": "task-manager-api"},
        )
        try:
            if self._statement_cache_size and await self._keeps_names(connection):
                connection.keep_statements(self._statement_cache_size)
            if self._delegated is None:
                self._delegated = await find_delegated(connection)
            connection.delegate(self._delegated)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _keeps_names(self, connection: Connection) -> bool:
        pooler = await find_pooler(connection)
        if pooler is not self._pooler:
            self._pooler = pooler
            statements = "unnamed" if pooler is Pooler.UNAWARE else "named"
            logger.info("database_pooler", pooler=pooler.value, statements=statements)
        return pooler is not Pooler.UNAWARE


def _one_each(url: str) -> list[str]:
    """The same URL for each of its hosts alone."""
    parts = urlsplit(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    return [urlunsplit(parts._replace(netloc=credentials + at + host)) for host in hosts.split(",")]
