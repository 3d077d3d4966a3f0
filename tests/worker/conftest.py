"""Connections to write and to work; buckets."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.config import Settings
from app.database import Database
from app.services import Connection
from app.worker.webhooks import Webhooks
from tests.support.bucket import bucket, s3_url
from tests.support.receiver import Receiver, open_sender, receiving

__all__ = ["bucket", "s3_url"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(Settings(database_url=database_url))
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Connection]:
    """A connection of the writer's own."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def worker(database: Database) -> AsyncIterator[Webhooks]:
    sender = open_sender()
    yield Webhooks(database, sender)
    await sender.close()
