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
from app.services.log import Taking, untaken_age


class Delivery(NamedTuple):
    """The changes of one entity from the first position to the last; none where first > last."""

    entity_id: UUID
    kind: str
    first_position: int
    last_position: int
    attempts: int
    changed_at: datetime | None


_WAITING = """
INSERT INTO deliveries AS old
    (consumer, entity_id, kind, first_position, last_position, changed_at)
SELECT '{consumer}', entity_id, min(kind), min(position), max(position), min(changed_at)
FROM taken
GROUP BY entity_id
ON CONFLICT (consumer, entity_id) DO UPDATE SET
    first_position = CASE WHEN old.changed_at IS NULL
        THEN excluded.first_position ELSE old.first_position END,
    last_position = excluded.last_position,
    changed_at = coalesce(old.changed_at, excluded.changed_at),
    due_at = CASE WHEN old.changed_at IS NULL THEN now() ELSE old.due_at END
"""


def taking(consumer: str, interest: str) -> Taking:
    """How a consumer takes over those `changes` that fulfil the SQL condition, as deliveries."""
    return Taking(consumer, interest, (_WAITING.format(consumer=consumer),))


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


_WAITING_AGE = """
SELECT extract(epoch FROM clock_timestamp() - min(changed_at))::float8 FROM deliveries
WHERE consumer = $1
"""


async def oldest_age(db: Connection, consumer: str) -> float:
    """For how many seconds the oldest change has been waiting; 0 when none is."""
    waiting = await db.fetchval(_WAITING_AGE, consumer) or 0.0
    return max(waiting, await untaken_age(db, consumer))


_NAMES = "SELECT name FROM consumers ORDER BY name"


async def list_lags(db: Connection) -> list[ConsumerLag]:
    """How far each consumer is behind."""
    return [
        ConsumerLag.model_construct(name=name, lag_seconds=await oldest_age(db, name))
        for (name,) in await db.fetch(_NAMES)
    ]


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
