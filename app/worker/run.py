"""The worker's two tasks: to follow the changes, and to write the whole bucket anew."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from app.config import WorkerSettings
from app.database import Database
from app.logs import logger
from app.services import deliveries
from app.worker.consumer import CONNECTIONS, Consumer
from app.worker.mirror import Mirror, open_bucket
from app.worker.rebuild import request_rebuild


async def follow(settings: WorkerSettings) -> None:
    """Tells the mirror of every change until SIGTERM or SIGINT; a round that has begun is ended."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with _opened(settings) as database:
        logger.info("worker_started", bucket=settings.aws_s3_bucket)
        await Consumer(Mirror(open_bucket(settings)), database).run(stopping)
    logger.info("worker_stopped")


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
    database = Database(settings.model_copy(update={"database_pool_size": CONNECTIONS}))
    await database.open()
    try:
        yield database
    finally:
        await database.close()
