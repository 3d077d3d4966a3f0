"""A streaming replica of the database, for reads."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from app.database.pool import Pool
from app.errors import Unavailable
from app.logs import logger
from app.metrics import REPLICA_READS
from app.services import Connection
from app.services.changes import Progress, has_replayed

_PAUSE = 1.0
_CHECK_TIMEOUT = 0.5

Answer = TypeVar("Answer")
Question = Callable[[Connection], Awaitable[Answer]]


class Behind(Unavailable):
    """The replica has not yet replayed what was written, or is no replica any more."""


class Replica:
    """Answers what is read; whoever gets an error asks the primary.

    After anything but an answer it is left alone for a second, and then tried by one question a
    second until it answers again.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        self._pool = Pool(connect, size)
        self._loop = asyncio.get_running_loop()
        self._retry_at: float | None = None

    def is_due(self) -> bool:
        """Whether to ask it now."""
        if self._retry_at is None:
            return True
        if self._loop.time() < self._retry_at:
            return False
        self._retry_at = self._loop.time() + _PAUSE
        return True

    async def ask(
        self, question: Question[Answer], seconds: float, progress: Progress | None
    ) -> Answer:
        """The answer of a moment when it had made this progress, if one is given.

        Behind when it has not; Unavailable or a PostgresError when it cannot answer.
        """
        try:
            async with self._pool.lend(seconds) as db:
                await _check(db, progress)
                answer = await question(db)
        except Behind:
            self._note_back()
            REPLICA_READS.labels("behind").inc()
            raise
        except (Unavailable, asyncpg.PostgresError) as error:
            self._note_away(error)
            raise
        self._note_back()
        REPLICA_READS.labels("answered").inc()
        return answer

    def _note_away(self, error: Exception) -> None:
        REPLICA_READS.labels("away").inc()
        if self._retry_at is None:
            logger.warning("replica_away", reason=type(error.__cause__ or error).__name__)
        self._retry_at = self._loop.time() + _PAUSE

    def _note_back(self) -> None:
        if self._retry_at is not None:
            logger.info("replica_back")
        self._retry_at = None

    async def close(self) -> None:
        """Ends all connections, waiting for those still lent."""
        await self._pool.close()


async def _check(db: Connection, progress: Progress | None) -> None:
    if progress is not None and not await has_replayed(db, progress, _CHECK_TIMEOUT):
        raise Behind
