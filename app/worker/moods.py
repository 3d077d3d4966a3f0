"""Looks at the moods that may have changed, and has those that did told by the log."""

import asyncio

from app.database import Database
from app.errors import Unavailable
from app.logs import logger
from app.services.told_moods import claim_due_mood, tell_mood
from app.worker.consumer import backoff, in_rounds

CONNECTIONS = 1
"""How many connections moods use at once."""
_PAUSE = 0.5


class Moods:
    """Beside the events that are sent, which no mood holds up; one whose look fails holds up none.

    It is looked at again a minute later.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failures = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until it is told to stop."""
        await in_rounds(self.work, stopping)

    async def work(self) -> float:
        """Looks at one and returns for how many seconds the next look is not worth while."""
        try:
            async with self._database.connection() as db:
                due = await claim_due_mood(db)
            if due is None:
                return _PAUSE
            async with self._database.connection() as db:
                await tell_mood(db, due)
        except Exception as error:
            return self._fail(error)
        self._failures = 0
        return 0.0

    def _fail(self, error: Exception) -> float:
        if not isinstance(error, Unavailable):
            logger.exception("unexpected_error", sink="moods")
        self._failures += 1
        if self._failures == 1:
            logger.warning("moods_are_failing", reason=f"{type(error).__name__}: {error}"[:200])
        return backoff(self._failures)
