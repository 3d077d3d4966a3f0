"""A consumer of the change log: it tells one sink of every change, in order, at least once.

Each entity is one worker's at a time, so that nobody overwrites what is newer; how, says
`app.services.deliveries`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol
from uuid import UUID

from app.database import Database
from app.errors import Unavailable
from app.logs import logger
from app.services import Connection, deliveries
from app.services.deliveries import Delivery
from app.services.log import FEED_SIZE, Log, follow
from app.worker.figures import DELIVERIES, LAG, OLDEST

CONNECTIONS = 2
"""How many connections a consumer uses at once."""
BATCH_SIZE = 50
_PROBE_SIZE = 5
_CLAIM_SECONDS = 12.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_OBSERVED_EVERY = 1.0
_LONGEST_REASON = 200


class Sink(Protocol):
    """Somebody to be told of changes. `interest` is the SQL condition on those `changes`."""

    name: str
    interest: str

    async def deliver(
        self, db: Connection, claimed: Sequence[Delivery]
    ) -> Mapping[UUID, BaseException]:
        """Tells of the entities as they are now; returns what went wrong with which of them.

        Nobody else tells of any of them meanwhile, and what is read on `db` is as new as they are.
        """


def backoff(attempts: int) -> float:
    """Seconds to wait after so many failures: at most one, and not the same for everybody."""
    longest = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2 ** min(attempts, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - it spreads load, it hides nothing


async def in_rounds(work: Callable[[], Awaitable[float]], stopping: asyncio.Event) -> None:
    """Works round by round until it is told to stop, after the pauses that each asks for."""
    while not stopping.is_set():
        try:
            async with asyncio.timeout(await work()):
                await stopping.wait()
        except TimeoutError:
            continue


class Consumer:
    """Carries changes from the log to one sink, round by round."""

    def __init__(self, sink: Sink, database: Database) -> None:
        self._sink = sink
        self._database = database
        self._taking = deliveries.taking(sink.name, sink.interest)
        self._log: Log | None = None
        self._failures = 0
        self._idle_rounds = 0
        self._observed_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until it is told to stop; a round that has begun is ended."""
        await in_rounds(self.work, stopping)

    async def work(self) -> float:
        """Does one round and returns for how many seconds the next is not worth while."""
        try:
            fed, has_gap = await self._feed()
            claimed, failed = await self._deliver()
            await self._observe()
        except Exception as error:
            self._log = None  # it may be another by now
            if not isinstance(error, Unavailable):
                logger.exception("unexpected_error", sink=self._sink.name)
            return self._fail(error)
        if failed and len(failed) == claimed:
            return self._fail(next(iter(failed.values())))
        if claimed:
            self._recover()
        if fed == FEED_SIZE or claimed == BATCH_SIZE:
            return 0.0
        busy = fed or claimed or has_gap
        self._idle_rounds = 0 if busy else self._idle_rounds + 1
        return min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2.0 ** min(self._idle_rounds, 10))

    async def _feed(self) -> tuple[int, bool]:
        async with self._database.transaction() as db:
            self._log = self._log or await follow(db, self._taking)
            return await self._log.take(db), self._log.has_gap

    async def _deliver(self) -> tuple[int, Mapping[UUID, BaseException]]:
        name, limit = self._sink.name, _PROBE_SIZE if self._failures else BATCH_SIZE
        async with self._database.transaction(_CLAIM_SECONDS) as db:
            entity_ids = await deliveries.claim(db, name, limit)
            if not entity_ids:
                return 0, {}
            async with self._database.connection() as other:
                claimed = await deliveries.begin(other, name, entity_ids)
            failed = await self._sink.deliver(db, claimed)
            delivered = [one for one in claimed if one.entity_id not in failed]
            late = {one.entity_id: backoff(one.attempts) for one in claimed if one not in delivered}
            await deliveries.finish(db, name, delivered)
            await deliveries.postpone(db, name, late)
        self._count(delivered, failed)
        return len(claimed), failed

    def _count(self, delivered: Sequence[Delivery], failed: Mapping[UUID, BaseException]) -> None:
        now = datetime.now(UTC)
        for one in delivered:
            if one.changed_at is not None:
                LAG.labels(self._sink.name).observe((now - one.changed_at).total_seconds())
        DELIVERIES.labels(self._sink.name, "delivered").inc(len(delivered))
        DELIVERIES.labels(self._sink.name, "failed").inc(len(failed))

    async def _observe(self) -> None:
        if monotonic() - self._observed_at >= _OBSERVED_EVERY:
            async with self._database.connection() as db:
                OLDEST.labels(self._sink.name).set(await deliveries.oldest_age(db, self._sink.name))
            self._observed_at = monotonic()

    def _fail(self, error: BaseException) -> float:
        self._failures += 1
        if self._failures == 1:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0][:_LONGEST_REASON]
            logger.warning("sink_is_failing", sink=self._sink.name, reason=reason)
        return backoff(self._failures)

    def _recover(self) -> None:
        if self._failures:
            logger.info("sink_works_again", sink=self._sink.name, failures=self._failures)
        self._failures = 0
