"""How a command reaches the database, and what a person is told when it cannot."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from app.cli.errors import clear_errors
from app.config import Settings, load_settings
from app.services import Connection

Result = TypeVar("Result")


def on_database(
    ask: Callable[[Connection], Awaitable[Result]], settings: Settings | None = None
) -> Result:
    """Runs `ask` in one transaction on the configured database."""
    url = (settings or load_settings()).database_url.get_secret_value()

    async def connect_and_ask() -> Result:
        connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
        try:
            async with connection.transaction():
                return await ask(connection)
        finally:
            await connection.close()

    with clear_errors():
        return asyncio.run(connect_and_ask())
