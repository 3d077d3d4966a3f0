"""Connections for a request, within its deadline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from app.database import Database
from app.database.deadline import on_the_clock, time_left
from app.services import Connection
from app.state import Exchange, resources_of


@asynccontextmanager
async def get_db(request: Request, *, transaction: bool = False) -> AsyncIterator[Connection]:
    """Lends a connection for what is left of the request's deadline.

    A HEAD is answered as a GET is; what it writes is taken back.
    """
    database, exchange = resources_of(request.scope)[Database], Exchange.of(request.scope)
    lend = database.transaction if transaction else database.connection
    if exchange.log["method"] == "HEAD":
        lend = database.rehearsal
    with on_the_clock(exchange):
        async with lend(time_left(exchange)) as db:
            yield db
