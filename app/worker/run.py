"""The worker's tasks: to follow the changes, and to write the whole bucket anew."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from app.config import WorkerSettings
from app.database import Database
from app.logs import logger
from app.services import deliveries
from app.worker import moods, webhooks
from app.worker.consumer import CONNECTIONS, Consumer
from app.worker.mirror import Mirror, open_bucket
from app.worker.rebuild import request_rebuild
from app.worker.sender import open_sender


async def follow(settings: WorkerSettings) -> None:
    """Tells the bucket and the webhooks that there are, until SIGTERM or SIGINT.

    A round that has begun is ended.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with _opened(settings) as database, asyncio.TaskGroup() as consumers:
        logger.info("worker_started", bucket=settings.aws_s3_bucket)
        if settings.aws_s3_bucket is not None:
            mirror = Mirror(open_bucket(settings))
            consumers.create_task(Consumer(mirror, database).run(stopping))
        if settings.opens_webhooks:
            consumers.create_task(_tell_webhooks(settings, database, stopping))
            consumers.create_task(moods.Moods(database).run(stopping))
        else:
            logger.info("webhooks_are_off", remedy="ENCRYPTION_KEY")
    logger.info("worker_stopped")


async def _tell_webhooks(
    settings: WorkerSettings, database: Database, stopping: asyncio.Event
) -> None:
    sender = open_sender(settings)
    try:
        await webhooks.Webhooks(database, sender).run(stopping)
    finally:
        await sender.close()


async def rebuild(settings: WorkerSettings) -> None:
    """Brings every object up to date, and shows how far it is."""
    sink = Mirror(open_bucket(settings))
    async with _opened(settings) as database:
        left = await request_rebuild(sink, database)
        consumer = Consumer(sink, database)
        with click.progressbar(length=left, label="Mirroring") as bar:
            while left:
                await asyncio.sleep(await consumer.work())
                async with database.connection() as db:
                    still_left = await deliveries.count_repeated(db, sink.name)
                bar.update(left - still_left)
                left = still_left


@asynccontextmanager
async def _opened(settings: WorkerSettings) -> AsyncIterator[Database]:
    size = CONNECTIONS
    if settings.opens_webhooks:
        size += webhooks.CONNECTIONS + moods.CONNECTIONS
    database = Database(settings.model_copy(update={"database_pool_size": size}))
    await database.open()
    try:
        yield database
    finally:
        await database.close()
