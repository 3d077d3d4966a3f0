"""The log's consumer that tells endpoints of events, one by one and at least once."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

from app.database import Database
from app.errors import Unavailable
from app.logs import logger
from app.models.webhook import message_id
from app.services import (
    Connection,
    webhook_deliveries,
    webhook_events,
    webhook_replays,
    webhooks,
)
from app.services.log import FEED_SIZE, Log, follow
from app.services.webhook_deliveries import CONSUMER, LEASE_SECONDS, Claimed, Outcome
from app.services.webhooks import Target
from app.worker.consumer import backoff
from app.worker.figures import ATTEMPTS, DISABLED, FIRST_ATTEMPTS, OVERDUE
from app.worker.sender import MOST_IN_FLIGHT, SECONDS, Answer, Message, Sender

CONNECTIONS = 1
"""How many connections webhooks use at once."""
_MOST_CLAIMED = 100
"""Deliveries for one endpoint: with a fifth of them under way, the others wait their turn."""
_PAUSES = 0.05, 0.1, 0.2, 0.4, 0.8, 1.0
_CARE_EVERY = 15.0
_DAY = 24 * 60 * 60
_WAITS = (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, _DAY)
_JITTER = 0.1


def wait_after(failures: int, retry_after: float | None) -> float | None:
    """For how many seconds to wait after so many failures; None: there is no other attempt."""
    if failures > len(_WAITS):
        return None
    longest = _WAITS[failures - 1] * (1 + _JITTER)
    wait = random.uniform(_WAITS[failures - 1], longest)  # noqa: S311 - it spreads load
    return max(wait, min(retry_after or 0.0, _DAY))


class Webhooks:
    """Takes events over from the log, sends what is due, and notes what became of it."""

    def __init__(self, database: Database, sender: Sender) -> None:
        self._database = database
        self._sender = sender
        self._log: Log | None = None
        self._claimed: Counter[UUID] = Counter()
        self._enabled: Collection[UUID] = ()
        self._turns: dict[UUID, asyncio.Semaphore] = defaultdict(_turns)
        self._runs: set[asyncio.Task[None]] = set()
        self._outcomes: list[tuple[Outcome, Answer]] = []
        self._unsent: list[Claimed] = []
        self._attempts: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._stopping = False
        self._idle_rounds = 0
        self._failures = 0
        self._cared_at = -_CARE_EVERY

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until it is told to stop; attempts that have begun are ended and noted."""
        told = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            pause = await self.work()
            news = asyncio.create_task(self._news.wait())
            await asyncio.wait((told, news), timeout=pause, return_when="FIRST_COMPLETED")
            news.cancel()
            if self._news.is_set() and not stopping.is_set():
                await asyncio.sleep(min(pause, _PAUSES[0]))  # what else ends is noted along
        self._stopping = True
        await self.settle()

    async def work(self) -> float:
        """Does one round and returns for how many seconds the next is not worth while."""
        try:
            await self._note()
            fed, has_gap, has_more = await self._feed()
            claimed = await self._send_due()
            await self._care()
        except Exception as error:
            return self._fail(error)
        if self._failures:
            logger.info("webhooks_work_again", failures=self._failures)
            self._failures = 0
        if fed == FEED_SIZE or has_more:
            return 0.0
        busy = fed or claimed or self._runs or has_gap
        self._idle_rounds = 0 if busy else self._idle_rounds + 1
        return _PAUSES[min(self._idle_rounds, len(_PAUSES) - 1)]

    async def settle(self) -> None:
        """Waits for the attempts that have begun, and notes them."""
        if self._runs:
            await asyncio.wait(self._runs)
        try:
            await self._note()
        except Exception as error:  # they are sent again, under the same ids
            self._fail(error)

    async def _feed(self) -> tuple[int, bool, bool]:
        async with self._database.transaction() as db:
            log = self._log = self._log or await follow(db, webhook_deliveries.TAKING)
            fed = await log.take(db)
        async with self._database.transaction() as db:
            return fed, log.has_gap, await webhook_replays.go_on(db, log)

    async def _send_due(self) -> int:
        async with self._database.transaction() as db:
            targets, claimed = await webhook_deliveries.claim(db, self._claimed, _MOST_CLAIMED)
        known = {target.endpoint_id: target for target in targets}
        self._enabled = known.keys()
        if not claimed:
            return 0
        ends = monotonic() + LEASE_SECONDS - 2 * SECONDS
        try:
            bodies = await self._fetch_bodies(claimed)
        except BaseException:
            self._unsent += claimed
            raise
        for run in _runs([one for one in claimed if one.position in bodies]):
            self._start(known[run[0].endpoint_id], run, bodies, ends)
        return len(claimed)

    async def _fetch_bodies(self, claimed: Sequence[Claimed]) -> Mapping[int, bytes]:
        async with self._database.connection() as db:
            bodies = await webhook_events.fetch_bodies(
                db, [one.position for one in claimed], [one.user_id for one in claimed]
            )
            if gone := [one for one in claimed if one.position not in bodies]:
                await webhook_deliveries.drop(db, gone)
        return bodies

    def _start(
        self, target: Target, run: Sequence[Claimed], bodies: Mapping[int, bytes], ends: float
    ) -> None:
        self._claimed[target.endpoint_id] += len(run)
        task = asyncio.create_task(self._send(target, run, bodies, ends))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)

    async def _send(
        self, target: Target, run: Sequence[Claimed], bodies: Mapping[int, bytes], ends: float
    ) -> None:
        """Sends what one user did, in its order, for as long as it is surely ours and wanted."""
        for number, one in enumerate(run):
            async with self._turns[target.endpoint_id]:
                if monotonic() > ends or not self._may_send(target):
                    self._unsent += run[number:]
                    self._claimed[target.endpoint_id] -= len(run) - number
                    break
                await self._attempt(target, one, bodies[one.position])
        self._news.set()

    def _may_send(self, target: Target) -> bool:
        return not self._stopping and target.endpoint_id in self._enabled

    async def _attempt(self, target: Target, one: Claimed, body: bytes) -> None:
        self._observe_begin(one)
        try:
            message = Message(message_id(one.position, one.occurred_at), body)
            answer = await self._sender.send(target, message)
        except Exception as error:  # a fault of ours must not leave the event behind
            logger.exception("unexpected_error", endpoint_id=str(target.endpoint_id))
            answer = Answer(None, 0, type(error).__name__)
        self._claimed[target.endpoint_id] -= 1
        self._outcomes.append((_outcome(one, answer), answer))

    def _observe_begin(self, one: Claimed) -> None:
        if one.attempts == 1:
            lag = datetime.now(UTC) - one.occurred_at
            FIRST_ATTEMPTS.observe(max(0.0, lag.total_seconds()))

    async def _note(self) -> None:
        """Notes what became of attempts; what cannot be noted now is kept for the next round."""
        self._news.clear()
        ended, unsent = self._outcomes, self._unsent
        if not ended and not unsent:
            return
        self._outcomes, self._unsent = [], []
        try:
            async with self._database.transaction() as db:
                if unsent:
                    await webhook_deliveries.give_back(db, unsent)
                disabled = await _finish(db, ended) if ended else []
        except BaseException:
            self._outcomes, self._unsent = ended + self._outcomes, unsent + self._unsent
            raise
        for outcome, _ in ended:
            name = "delivered" if outcome.delivered else "failed"
            ATTEMPTS.labels(name).inc()
            self._attempts[name] += 1
        for endpoint_id, reason in disabled:
            logger.warning("webhook_disabled", endpoint_id=str(endpoint_id), reason=reason)

    async def _care(self) -> None:
        """What has time: keys that are about to end, what is old, and figures."""
        if monotonic() - self._cared_at < _CARE_EVERY:
            return
        async with self._database.connection() as db:
            await webhook_events.note_expiring_keys(db)
            await webhooks.forget_secrets(db)
            await webhook_deliveries.purge_old(db)
            overdue = await webhook_deliveries.overdue(db)
            disabled = await webhooks.count_disabled(db)
            listed = await webhooks.list_endpoints(db)
        OVERDUE.set(overdue)
        DISABLED.set(disabled)
        await self._sender.keep([one.url for one in listed.webhooks])
        attempts, self._attempts = self._attempts, Counter()
        logger.info(
            "webhooks_observed",
            overdue_seconds=round(overdue, 1),
            disabled=disabled,
            delivered=attempts["delivered"],
            failed=attempts["failed"],
        )
        self._cared_at = monotonic()

    def _fail(self, error: Exception) -> float:
        if not isinstance(error, Unavailable):
            logger.exception("unexpected_error", sink=CONSUMER)
        self._log = None  # it may be another by now
        self._failures += 1
        if self._failures == 1:
            logger.warning("webhooks_are_failing", reason=f"{type(error).__name__}: {error}"[:200])
        return backoff(self._failures)


def _turns() -> asyncio.Semaphore:
    return asyncio.Semaphore(MOST_IN_FLIGHT)


def _runs(claimed: Sequence[Claimed]) -> list[list[Claimed]]:
    """What goes one after the other: a user's events for an endpoint, until one has failed."""
    runs: dict[object, list[Claimed]] = defaultdict(list)
    for one in claimed:
        first = one.endpoint_id, one.user_id
        runs[(*first, one.position) if one.failures else first].append(one)
    return list(runs.values())


def _outcome(one: Claimed, answer: Answer) -> Outcome:
    delivered = answer.is_success
    delay = None if delivered else wait_after(one.failures + 1, answer.retry_after)
    return Outcome(one, delivered, delay, answer.status, answer.duration_ms, answer.error)


async def _finish(
    db: Connection, ended: Sequence[tuple[Outcome, Answer]]
) -> list[tuple[UUID, str]]:
    await webhook_deliveries.finish(db, [outcome for outcome, _ in ended])
    succeeded = {outcome.claimed.endpoint_id for outcome, _ in ended if outcome.delivered}
    failed = {outcome.claimed.endpoint_id for outcome, _ in ended if not outcome.delivered}
    gone = {outcome.claimed.endpoint_id for outcome, answer in ended if answer.is_gone}
    return await webhooks.note_outcomes(db, list(succeeded), list(failed), list(gone))
