"""What the log of changes keeps, and for how long.

Both statements take the next 1,000 rows in the order of writing and stop at the first that is to
stay, so that none of them looks through the log.
"""

from app.services import Connection

_FORGETTER = "undo"
"""Reads the log as a consumer does, and forgets what was overwritten."""

_REGISTER = "INSERT INTO consumers (name) VALUES ($1) ON CONFLICT DO NOTHING"
_FORGET = """
WITH consumer AS MATERIALIZED (
    SELECT position FROM consumers WHERE name = $1 FOR UPDATE SKIP LOCKED
), next AS (
    SELECT changes.position, changed_at FROM consumer CROSS JOIN LATERAL (
        SELECT position, changed_at FROM changes
        WHERE changes.position > consumer.position ORDER BY position LIMIT 1000
    ) AS changes
), due AS MATERIALIZED (
    SELECT position FROM next WHERE changed_at < now() - make_interval(days => $2)
), forgotten AS (
    UPDATE changes SET before = NULL FROM due
    WHERE changes.position = due.position AND before IS NOT NULL
)
UPDATE consumers SET position = (SELECT max(position) FROM due)
WHERE name = $1 AND EXISTS (SELECT FROM due)
"""


async def forget_content(db: Connection, days: int) -> bool:
    """Forgets what was overwritten more than so many days ago, in up to 1,000 changes.

    Whether there may be more.
    """
    await db.execute(_REGISTER, _FORGETTER)
    status: str = await db.execute(_FORGET, _FORGETTER, days)
    return not status.endswith(" 0")


# What a consumer has not read yet stays, or it would wait for good for what it cannot find; and so
# does what an endpoint has yet to be told.
_PRUNE = """
WITH next AS (
    SELECT position, changed_at FROM changes ORDER BY position LIMIT 1000
), due AS (
    SELECT position FROM next
    WHERE changed_at < now() - make_interval(days => $1)
        AND position <= (SELECT min(position) FROM consumers)
        AND position < coalesce(
            (SELECT min(position) FROM webhook_deliveries WHERE due_at IS NOT NULL), position + 1)
)
DELETE FROM changes USING due WHERE changes.position = due.position
"""


async def prune_changes(db: Connection, days: int) -> int:
    """Removes up to 1,000 changes older than so many days that every consumer has read."""
    status: str = await db.execute(_PRUNE, days)
    return int(status.rpartition(" ")[2])
