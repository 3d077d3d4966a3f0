"""How service keys are used: counted in the worker, written every few seconds."""

import asyncio
from collections import defaultdict
from datetime import date, timedelta
from random import uniform
from time import time
from uuid import UUID

from app.config import Settings
from app.database import Database
from app.errors import Unavailable
from app.logs import logger
from app.metrics import record_key
from app.models.caller import Caller
from app.services.usage import Use, add_use
from app.state import Resources

_INTERVAL = 3.0
_DAY = 24 * 60 * 60
_EPOCH = date(1970, 1, 1)
_OUTCOMES = ("ok", "refused", "failed")


class Usage:
    """Counts answers by key, day, action and outcome, and adds them to the database's.

    A worker that is killed loses what it has not written; one that ends writes it.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._counts: dict[tuple[UUID, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._most_names = resources[Settings].metrics_keys
        self._turn = asyncio.Lock()

    def note(self, caller: Caller, action: str, status: int, number: int = 1) -> None:
        """Counts an answer to a service key, or so many alike."""
        if caller.key_id is None or status < 100:  # nobody was answered
            return
        outcome = 0 if status < 400 else 1 if status < 500 else 2
        self._counts[caller.key_id, int(time()) // _DAY, action][outcome] += number
        if self._most_names:
            record_key(caller.name, action, _OUTCOMES[outcome], number, self._most_names)

    async def flush(self) -> None:
        """Writes what was counted, if anything was, in one statement."""
        async with self._turn:
            if self._counts:
                await self._write()

    async def _write(self) -> None:
        counts, self._counts = self._counts, defaultdict(lambda: [0, 0, 0])
        uses = [
            Use(key_id, _EPOCH + timedelta(day), action, *outcomes)
            for (key_id, day, action), outcomes in counts.items()
        ]
        try:
            async with self._resources[Database].connection() as db:
                await add_use(db, uses)
        except BaseException:
            self._take_back(counts)
            raise

    def _take_back(self, counts: dict[tuple[UUID, int, str], list[int]]) -> None:
        for what, outcomes in counts.items():
            self._counts[what] = [
                sum(both) for both in zip(self._counts[what], outcomes, strict=True)
            ]

    async def flush_regularly(self) -> None:
        """Writes every few seconds, each worker at its time."""
        while True:
            await asyncio.sleep(uniform(0.5, 1.5) * _INTERVAL)  # noqa: S311 - spreads the workers
            try:
                # What is being written as the worker ends is not to be written twice.
                await asyncio.shield(self.flush())
            except Unavailable:
                continue  # and adds it to what comes
            except Exception:  # nobody waits for it, and the next round may do better
                logger.exception("unexpected_error")

    async def close(self) -> None:
        """Writes what is left; where the database is away, the log says how much was lost."""
        try:
            await self.flush()
        except Unavailable:
            lost = sum(map(sum, self._counts.values()))
            logger.warning("key_usage_lost", requests=lost)
