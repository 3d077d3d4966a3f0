"""Claims hold behind PgBouncer in transaction mode, which no session outlives."""

import asyncio

import pytest

from app.config import Settings
from app.database import Database
from app.services import Connection
from app.services.deliveries import oldest_age
from app.worker.consumer import Consumer
from tests.support.listener import Listener, write_task
from tests.support.pgbouncer import pooler, pytestmark, tracking_pooler, way
from tests.support.receiver import receiving, told_by_two_workers

__all__ = ["pooler", "pytestmark", "tracking_pooler", "way"]


@pytest.mark.parametrize("way", ["pooled", "tracked"], indirect=True)
async def test_two_workers_behind_a_pooler_tell_of_everything_once(
    db: Connection, way: str
) -> None:
    settings = Settings(database_url=way, log_level="ERROR")
    sink = Listener()
    sink.slowness = 0.05
    opened = [Database(settings), Database(settings)]
    for database in opened:
        await database.open()
    stopping = asyncio.Event()
    workers = [asyncio.create_task(Consumer(sink, each).run(stopping)) for each in opened]
    written = [await write_task(db, user_id=f"user-{n % 7}") for n in range(300)]
    while not await db.fetchval("SELECT count(*) FROM consumers"):
        await asyncio.sleep(0.05)
    while await oldest_age(db, sink.name):
        await asyncio.sleep(0.05)
    stopping.set()
    await asyncio.gather(*workers)
    for database in opened:
        await database.close()
    assert sink.counted() == dict.fromkeys(written, 1)


@pytest.mark.parametrize("way", ["pooled", "tracked"], indirect=True)
async def test_two_workers_behind_a_pooler_tell_webhooks_every_event_once(
    db: Connection, way: str
) -> None:
    async with receiving() as receiver:
        await told_by_two_workers(db, way, receiver)
