"""Databases made and dropped around a test, and a connection that many may borrow."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from app.database import Database
from app.database.deadline import DEADLINE
from app.services import Connection


def run_statements(url: str, *statements: str) -> None:
    """Sends these one after the other."""

    async def run(connection: Connection) -> None:
        for statement in statements:
            await connection.execute(statement)

    run_with(url, run)


def run_with(url: str, work: Callable[[Connection], Awaitable[None]]) -> None:
    """Does this on a connection of its own."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        await work(connection)
        await connection.close()

    asyncio.run(run())


def named(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def clone_statement(name: str, template: str) -> str:
    """What makes a database of a template, by copying files: logging all pages takes longer."""
    return f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"


@contextmanager
def create_clone(server_url: str, template: str) -> Iterator[str]:
    """A migrated database of one's own, dropped afterwards; for fixtures wider than a test."""
    name = f"clone_{uuid4().hex}"
    run_statements(server_url, clone_statement(name, template))
    yield named(server_url, name)
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


class SharedConnection(Database):
    """Lends the test's connection, each time in a savepoint, so that all is rolled back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    @asynccontextmanager
    async def connection(self, seconds: float = DEADLINE) -> AsyncIterator[Connection]:
        async with self._turn, self._connection.transaction():
            yield self._connection

    async def is_ready(self) -> bool:
        return True
