"""What is removed in time, without anybody asking."""

import asyncio
from random import uniform

from app.database import Database
from app.errors import Unavailable
from app.logs import logger
from app.services import tasks

_INTERVAL = 3600.0


async def purge_regularly(database: Database, days: int) -> None:
    """Removes withdrawn tasks after so many days; about once an hour, each worker at its time."""
    while True:
        await asyncio.sleep(uniform(0.5, 1.5) * _INTERVAL)  # noqa: S311 - spreads the workers
        try:
            await purge(database, days)
        except Unavailable:
            continue  # there is no hurry
        except Exception:  # nobody waits for it, and the next round may do better
            logger.exception("unexpected_error")


async def purge(database: Database, days: int) -> None:
    """Removes what is due now, in portions that no request has to wait for."""
    removed = 0
    while True:
        async with database.connection() as db:
            portion = await tasks.purge_tasks(db, days)
        removed += portion
        if not portion:
            break
    logger.info("tasks_purged", tasks=removed)
