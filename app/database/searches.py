"""Searches through the texts of tasks, which cost the database most: few at a time, and short."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from asyncpg import QueryCanceledError

from app.database.deadline import DEADLINE
from app.database.replica import Question
from app.errors import SearchesBusy, SearchTooLong
from app.services import Connection

AT_ONCE = 2
SECONDS = 1
_NEEDED = 2.5 * SECONDS
"""What must be left of the deadline when its turn comes: half of it, for a replica, is enough."""

_LIMIT_STATEMENTS = f"SET LOCAL statement_timeout = '{SECONDS}s'"

Ask = Callable[[Question[Any], float], Awaitable[Any]]


class Searches:
    """The turns of one worker's searches."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(self, ask: Ask, question: Question[Any], seconds: float = DEADLINE) -> Any:
        """The answer to a question that searches; SearchesBusy where its turn does not come."""
        ends = monotonic() + seconds
        try:
            async with asyncio.timeout(seconds - _NEEDED):
                await self._turns.acquire()
        except TimeoutError:
            raise SearchesBusy from None
        try:
            return await ask(_limited(question), ends - monotonic())
        finally:
            self._turns.release()


def _limited(question: Question[Any]) -> Question[Any]:
    """The same, each of whose statements ends after a second; SearchTooLong where one did.

    For the length of a transaction, so that behind a pooler nobody else's end too.
    """

    async def ask(db: Connection) -> Any:
        try:
            async with db.transaction():
                await db.execute(_LIMIT_STATEMENTS)
                return await question(db)
        except QueryCanceledError as error:
            raise SearchTooLong from error

    return ask
