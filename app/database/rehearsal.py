"""What is done for real and then taken back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from app.services import Connection

Answer = TypeVar("Answer")


class _TakenBack(Exception):  # noqa: N818 - nothing went wrong
    """Rolls a transaction back."""


@asynccontextmanager
async def rehearsal(db: Connection) -> AsyncIterator[Connection]:
    """A transaction that is rolled back on leaving."""
    with suppress(_TakenBack):
        async with db.transaction():
            yield db
            raise _TakenBack


def rehearsed(
    question: Callable[[Connection], Awaitable[Answer]],
) -> Callable[[Connection], Awaitable[Answer]]:
    """The same question, of whose asking nothing remains but the answer."""

    async def ask(db: Connection) -> Answer:
        async with rehearsal(db):
            return await question(db)

    return ask
