"""Connections to PostgreSQL: with our time limits, and to whichever of several hosts serves."""

from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.services import Connection

_COMMAND_TIMEOUT = 3.5
_CLOSE_TIMEOUT = 2.0


class _Connection(Connection):
    """A connection that does not wait for ever for a half-open peer's farewell."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with suppress(TimeoutError):
            await super().close(timeout=timeout or _CLOSE_TIMEOUT)


class Connector:
    """Connects to the host of a URL; of several, to the first that serves as the URL demands.

    asyncpg would try them too, but spend all the time on one that does not answer at all.
    """

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
            connection: Connection = await asyncpg.connect(
                url,
                connection_class=_Connection,
                timeout=self._seconds,
                command_timeout=_COMMAND_TIMEOUT,
                statement_cache_size=self._statement_cache_size,
                server_settings={"application_name": "task-manager-api"},
            )
        except BaseException:  # the caller's time may be over before this host's is
            self._urls = [*others, url]
            raise
        self._urls = [url, *others]
        return connection


def _one_each(url: str) -> list[str]:
    """The same URL for each of its hosts alone."""
    parts = urlsplit(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    return [urlunsplit(parts._replace(netloc=credentials + at + host)) for host in hosts.split(",")]
