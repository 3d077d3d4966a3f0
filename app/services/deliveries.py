"""Deliveries: the entities whose changes a consumer of the log has yet to tell its sink of.

A consumer takes changes over from the log in order, ten of one entity as one delivery. Workers
claim deliveries by advisory locks, which end with the worker's connection however it dies, and
which, unlike row locks, hold nobody up who reads or feeds the log.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.models.status import ConsumerLag
from app.services import Connection

FEED_SIZE = 1000


class Delivery(NamedTuple):
    """The changes of one entity from the first position to the last; none where first > last."""

    entity_id: UUID
    kind: str
    first_position: int
    last_position: int
    attempts: int
    changed_at: datetime | None


class Gap(NamedTuple):
    """A position that was seen beyond missing ones, and a transaction that began after them all.

    What is missing was rolled back once every transaction older than that one has ended.
    """

    position: int = 0
    transaction_id: str = "0"


NO_GAP = Gap()


class Fed(NamedTuple):
    """How many changes were taken over, and the gap that held up the rest."""

    taken: int
    gap: Gap = NO_GAP


_REGISTER = "INSERT INTO consumers (name) VALUES ($1) ON CONFLICT DO NOTHING"


async def register(db: Connection, consumer: str) -> None:
    """Makes the consumer known; it begins with the oldest change there is."""
    await db.execute(_REGISTER, consumer)


# Positions are given out before their transactions commit, so a later one may be seen first. The
# run of positions without a gap is complete; up to a gap's position all is, once the gap is
# settled. Nothing is locked and no transaction id is taken where there is nothing to take over.
_FEED = """
WITH consumer AS MATERIALIZED (
    SELECT position, greatest(position, CASE
        WHEN pg_snapshot_xmin(pg_current_snapshot()) >= $3::text::xid8 THEN $2::bigint
    END) AS settled
    FROM consumers
    WHERE name = $1 AND EXISTS (SELECT 1 FROM changes WHERE changes.position > consumers.position)
    FOR UPDATE SKIP LOCKED
), ahead AS MATERIALIZED (
    SELECT changes.*, settled
    FROM consumer CROSS JOIN LATERAL (
        SELECT position, kind, operation, transition, entity_id, user_id, changed_at FROM changes
        WHERE changes.position > consumer.position
        ORDER BY changes.position
        LIMIT {limit}
    ) AS changes
), numbered AS (
    SELECT *, count(*) FILTER (WHERE position > settled) OVER (ORDER BY position) AS number
    FROM ahead
), taken AS MATERIALIZED (
    SELECT * FROM numbered WHERE position <= settled OR position = settled + number
), {taking_over}, moved AS (
    UPDATE consumers SET position = (SELECT max(position) FROM taken)
    WHERE name = $1 AND EXISTS (SELECT 1 FROM taken)
)
SELECT (SELECT count(*) FROM taken) AS taken,
    coalesce((SELECT max(position) FROM taken), position) AS reached,
    coalesce((SELECT max(position) FROM ahead), position) AS seen,
    pg_current_xact_id()::text AS transaction_id
FROM consumer
"""

_WAITING = """
waiting AS (
    INSERT INTO deliveries AS old
        (consumer, entity_id, kind, first_position, last_position, changed_at)
    SELECT $1, entity_id, min(kind), min(position), max(position), min(changed_at)
    FROM taken AS changes
    WHERE {interest}
    GROUP BY entity_id
    ON CONFLICT (consumer, entity_id) DO UPDATE SET
        first_position = CASE WHEN old.changed_at IS NULL
            THEN excluded.first_position ELSE old.first_position END,
        last_position = excluded.last_position,
        changed_at = coalesce(old.changed_at, excluded.changed_at),
        due_at = CASE WHEN old.changed_at IS NULL THEN now() ELSE old.due_at END
)"""


def feed_statement(interest: str) -> str:
    """The statement of `feed` for a consumer of those `changes` that fulfil the SQL condition."""
    return reading(_WAITING.format(interest=interest))


def reading(taking_over: str) -> str:
    """The statement of `feed` with common table expressions that use the rows of `taken`."""
    return _FEED.format(limit=FEED_SIZE, taking_over=taking_over)


async def feed(db: Connection, consumer: str, statement: str, gap: Gap = NO_GAP) -> Fed:
    """Takes over the next changes from the log, unless another worker is just doing so.

    Where the log has a gap, the rest waits for the call that is given that gap back and finds it
    settled.
    """
    row = await db.fetchrow(statement, consumer, *gap)
    if row is None or row["reached"] == row["seen"]:
        return Fed(row["taken"] if row else 0)
    if row["reached"] < gap.position:
        return Fed(row["taken"], gap)
    return Fed(row["taken"], Gap(row["seen"], row["transaction_id"]))


# The oldest changes first, what is told again without a change last. The lock is tried on no more
# rows than are returned.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT entity_id FROM deliveries
    WHERE consumer = $1 AND due_at <= now()
    ORDER BY changed_at
    LIMIT 1000
)
SELECT entity_id FROM due
WHERE pg_try_advisory_xact_lock(hashtextextended($1::text || entity_id, 0))
LIMIT $2
"""

# A worker that goes silent, its machine gone, loses its claims.
_BOUND = "SET LOCAL idle_in_transaction_session_timeout = '15s'"


async def claim(db: Connection, consumer: str, limit: int) -> list[UUID]:
    """The entities to deliver next, which are the caller's until its transaction ends."""
    entity_ids = [row["entity_id"] for row in await db.fetch(_CLAIM, consumer, limit)]
    if entity_ids:
        await db.execute(_BOUND)
    return entity_ids


_BEGIN = """
UPDATE deliveries SET attempts = attempts + 1
WHERE consumer = $1 AND entity_id = ANY ($2) AND due_at <= now()
RETURNING entity_id, kind, first_position, last_position, attempts, changed_at
"""


async def begin(db: Connection, consumer: str, entity_ids: Sequence[UUID]) -> list[Delivery]:
    """Notes that claimed entities are being delivered; leaves out those that just have been.

    To be committed before the first is told of, on another connection than the claim's.
    """
    return [Delivery(*row) for row in await db.fetch(_BEGIN, consumer, entity_ids)]


_REMOVE = """
DELETE FROM deliveries USING unnest($2::uuid[], $3::bigint[]) AS delivered (id, position)
WHERE consumer = $1 AND entity_id = delivered.id AND last_position = delivered.position
    AND attempts = 1
"""

# What stays has changed in the meantime, or an attempt before was broken off or gave no answer.
# That attempt may yet come through with what was true then, so the entity is told of once more.
_KEEP = """
UPDATE deliveries SET
    first_position = delivered.position + 1,
    changed_at = CASE WHEN last_position > delivered.position THEN now() END,
    attempts = CASE WHEN last_position > delivered.position AND attempts > 1 THEN 1 ELSE 0 END,
    due_at = CASE WHEN last_position > delivered.position
        THEN now() ELSE clock_timestamp() + interval '10 seconds' END
FROM unnest($2::uuid[], $3::bigint[]) AS delivered (id, position)
WHERE consumer = $1 AND entity_id = delivered.id
"""


async def finish(db: Connection, consumer: str, delivered: Sequence[Delivery]) -> None:
    """Takes note of what was delivered, inside the transaction of the claim."""
    arguments = ([one.entity_id for one in delivered], [one.last_position for one in delivered])
    await db.execute(_REMOVE, consumer, *arguments)
    await db.execute(_KEEP, consumer, *arguments)


_POSTPONE = """
UPDATE deliveries SET due_at = clock_timestamp() + make_interval(secs => postponed.seconds)
FROM unnest($2::uuid[], $3::float8[]) AS postponed (id, seconds)
WHERE consumer = $1 AND entity_id = postponed.id
"""


async def postpone(db: Connection, consumer: str, seconds: Mapping[UUID, float]) -> None:
    """Lets entities wait for so long, inside the transaction of the claim."""
    await db.execute(_POSTPONE, consumer, list(seconds), list(seconds.values()))


_LAG = """coalesce(extract(epoch FROM clock_timestamp() - least(
    (SELECT min(changed_at) FROM deliveries WHERE consumer = consumers.name),
    (SELECT changed_at FROM changes WHERE position > consumers.position ORDER BY position LIMIT 1)
))::float8, 0)"""
_AGE = f"SELECT {_LAG} FROM consumers WHERE name = $1"


async def oldest_age(db: Connection, consumer: str) -> float:
    """For how many seconds the oldest change has been waiting; 0 when none is."""
    return await db.fetchval(_AGE, consumer) or 0.0


_AGES = f"SELECT name, {_LAG} AS lag_seconds FROM consumers ORDER BY name"


async def list_lags(db: Connection) -> list[ConsumerLag]:
    """How far each consumer is behind."""
    return [ConsumerLag.model_construct(**row) for row in await db.fetch(_AGES)]


_REPEAT = """
INSERT INTO deliveries (consumer, entity_id, kind, first_position, last_position)
SELECT $1, entity_id, $2, 0, 0 FROM unnest($3::uuid[]) AS entity_id
ON CONFLICT DO NOTHING
"""

_COUNT_REPEATED = """
SELECT count(*) FROM deliveries
WHERE consumer = $1 AND changed_at IS NULL AND first_position = 0
"""


async def repeat(db: Connection, consumer: str, kind: str, entity_ids: Sequence[UUID]) -> None:
    """Has entities delivered again as they are, after everything that changed."""
    await db.execute(_REPEAT, consumer, kind, entity_ids)


async def count_repeated(db: Connection, consumer: str) -> int:
    """How many entities are still to be delivered again."""
    count: int = await db.fetchval(_COUNT_REPEATED, consumer)
    return count
