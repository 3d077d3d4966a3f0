"""Connections for a request, within its deadline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from starlette.requests import Request

from app.database import Database
from app.database.deadline import OnTheClock, time_left
from app.database.replica import Answer, Question
from app.services import Connection


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


@asynccontextmanager
async def get_db(request: Request, *, transaction: bool = False) -> AsyncIterator[Connection]:
    """Lends a connection for what is left of the request's deadline.

    A HEAD is answered as a GET is; what it writes is taken back.
    """
    database: Database = request.app.state.database
    lend = database.transaction if transaction else database.connection
    if request.scope["log"]["method"] == "HEAD":
        lend = database.rehearsal
    with OnTheClock(request.scope):
        async with lend(time_left(request.scope)) as db:
            yield db


async def read(request: Request, question: Question[Answer], reader: str | None) -> Answer:
    """As `Database.read`, within what is left of the request's deadline."""
    database: Database = request.app.state.database
    with OnTheClock(request.scope):
        return await database.read(question, time_left(request.scope), reader=reader)
