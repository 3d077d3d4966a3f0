"""What is removed in time, without anybody asking."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from random import uniform
from typing import Any

from app.config import ServiceSettings
from app.database import Database
from app.errors import Unavailable
from app.logs import logger
from app.services import Connection, audit, log_pruning, retention, revocations, usage
from app.services.retention import PORTION, Slice

_INTERVAL = 3600.0


async def purge_regularly(database: Database, settings: ServiceSettings) -> None:
    """Removes what is older than the settings say; about once an hour, each worker at its time."""
    while True:
        await asyncio.sleep(uniform(0.5, 1.5) * _INTERVAL)  # noqa: S311 - spreads the workers
        try:
            await purge(database, settings)
            await purge_records(database)
        except Unavailable:
            continue  # there is no hurry
        except Exception:  # nobody waits for it, and the next round may do better
            logger.exception("unexpected_error")


async def purge(database: Database, settings: ServiceSettings) -> None:
    """Removes what is due now, in slices that no request has to wait for."""
    withdrawn = timedelta(days=settings.purge_after_days)
    logged = timedelta(days=settings.changes_kept_days)
    removed = await _all(database, partial(retention.purge_tasks, kept=withdrawn))
    await _forget(database, timedelta(days=settings.undo_days))
    pruned = await _all(database, partial(log_pruning.prune_changes, kept=logged))
    answers = await _all(database, retention.purge_replays)
    logger.info("tasks_purged", tasks=removed, changes=pruned, replays=answers)


async def _all(database: Database, remove: Callable[[Connection, Any], Awaitable[Slice]]) -> int:
    removed, end = 0, None
    while True:
        async with database.connection() as db:
            portion = await remove(db, end)
        removed, end = removed + portion.removed, portion.end
        if portion.removed < PORTION:
            return removed


async def _forget(database: Database, kept: timedelta) -> None:
    forgotten = PORTION
    while forgotten == PORTION:
        async with database.transaction() as db:
            forgotten = await log_pruning.forget_content(db, kept)


async def purge_records(database: Database) -> None:
    """Removes what was kept about keys and administrators for as long as it should be."""
    for purge_old in (usage.purge_use, audit.purge_acts, revocations.purge_revocations):
        async with database.connection() as db:
            await purge_old(db)
