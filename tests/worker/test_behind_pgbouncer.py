"""Claims hold behind PgBouncer in transaction mode, which no session outlives."""

import asyncio
from asyncio import Event

import pytest

from app.config import Settings
from app.database import Database
from app.services import Connection
from app.services.deliveries import oldest_age
from app.worker.consumer import Consumer
from app.worker.webhooks import Webhooks
from tests.support.listener import Listener, write_task
from tests.support.pgbouncer import pooler, pytestmark, tracking_pooler, way
from tests.support.receiver import TASKS, add_endpoint, open_sender, receiving

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
    settings = Settings(database_url=way, log_level="ERROR")
    opened, sender, stopping = [Database(settings), Database(settings)], open_sender(), Event()
    async with receiving() as receiver:
        await add_endpoint(db, receiver.url, TASKS)
        for database in opened:
            await database.open()
        workers = [asyncio.create_task(Webhooks(each, sender).run(stopping)) for each in opened]
        for number in range(100):
            await write_task(db, user_id=f"user-{number % 7}")
        async with asyncio.timeout(30):
            while len(receiver.received) < 100:
                await asyncio.sleep(0.05)
        stopping.set()
        await asyncio.gather(*workers)
    await sender.close()
    for database in opened:
        await database.close()
    assert len({one.id for one in receiver.received}) == len(receiver.received) == 100
