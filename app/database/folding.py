"""Folds texts that lack it, without anybody asking."""

import asyncio
from random import uniform

from app.database import Database
from app.errors import Unavailable
from app.logs import logger
from app.services import unfolded

_FIRST, _LONGEST = 20.0, 3600.0
_REST = 0.05


async def fold_regularly(database: Database) -> None:
    """Folds what is due: soon after the start, then ever more rarely, each worker at its time."""
    pause = _FIRST
    while True:
        await asyncio.sleep(uniform(0.5, 1.5) * pause)  # noqa: S311 - spreads the workers
        pause = min(2 * pause, _LONGEST)
        try:
            await fold_all(database)
        except Unavailable:
            continue  # there is no hurry
        except Exception:  # nobody waits for it, and the next round may do better
            logger.exception("unexpected_error")


async def fold_all(database: Database) -> int:
    """Folds what is due now, in portions that no request has to wait for; how many tasks."""
    folded = 0
    while True:
        async with database.transaction() as db:
            portion = await unfolded.fold_some(db)
        if portion is None:
            break
        folded += portion
        await asyncio.sleep(_REST)
    if folded:
        logger.info("texts_folded", tasks=folded)
    return folded
