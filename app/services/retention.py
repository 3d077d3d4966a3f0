"""Rows that go in time, in slices, each in a transaction of its own, so that nobody waits for it.

A slice begins where the one before has ended. What that one removed is still in the index until it
is vacuumed, and while somebody has an old snapshot, a dump or a replica's query, every slice would
read all of it again.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from asyncpg import Record

from app.services import Connection

PORTION = 1000
"""Rows that are removed at once."""


class Slice(NamedTuple):
    """How many rows went, and the last one's place in the order of removal."""

    removed: int
    end: Any


def slice_of(row: Record | None) -> Slice:
    """What a statement tells that counts the removed rows and finds their end."""
    assert row is not None  # noqa: S101 - aggregates return a row
    return Slice(*row)


# The log has said that they are deleted when they were withdrawn. Whoever restores one meanwhile
# has it.
_PURGE_TASKS = f"""
WITH due AS MATERIALIZED (
    SELECT id, user_id, deleted_at FROM tasks
    WHERE deleted_at < now() - $1::interval AND deleted_at >= coalesce($2::timestamptz, '-infinity')
    ORDER BY deleted_at
    LIMIT {PORTION}
), purged AS (
    DELETE FROM tasks USING due
    WHERE tasks.id = due.id AND tasks.user_id = due.user_id AND tasks.deleted_at = due.deleted_at
)
SELECT count(*), max(deleted_at) FROM due
"""


async def purge_tasks(db: Connection, after: datetime | None, kept: timedelta) -> Slice:
    """Removes up to 1,000 tasks that were withdrawn longer ago than that."""
    return slice_of(await db.fetchrow(_PURGE_TASKS, kept, after))


# A claim older than a week is taken over; another day, so that nothing is removed meanwhile.
_REPLAYS_KEPT = timedelta(days=8)

_PURGE_REPLAYS = f"""
WITH due AS MATERIALIZED (
    SELECT user_id, key_name, idempotency_key, claimed_at FROM replays
    WHERE claimed_at < now() - $1::interval AND claimed_at >= coalesce($2::timestamptz, '-infinity')
    ORDER BY claimed_at
    LIMIT {PORTION}
), purged AS (
    DELETE FROM replays USING due
    WHERE replays.user_id = due.user_id
        AND replays.key_name = due.key_name
        AND replays.idempotency_key = due.idempotency_key
        AND replays.claimed_at = due.claimed_at
)
SELECT count(*), max(claimed_at) FROM due
"""


async def purge_replays(
    db: Connection, after: datetime | None, kept: timedelta = _REPLAYS_KEPT
) -> Slice:
    """Removes up to 1,000 first answers that nobody may ask for any more."""
    return slice_of(await db.fetchrow(_PURGE_REPLAYS, kept, after))
