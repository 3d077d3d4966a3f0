"""What the log of changes keeps, and for how long.

Both statements take the next 1,000 rows in the order of writing and stop at the first that is to
stay, so that none of them looks through the log, and nothing is passed over where an instant is out
of that order.
"""

from datetime import timedelta

from app.services import Connection
from app.services.retention import PORTION, Slice, slice_of

_FORGETTER = "undo"
"""Reads the log as a consumer does, and forgets what was overwritten."""

_REGISTER = "INSERT INTO consumers (name) VALUES ($1) ON CONFLICT DO NOTHING"
_HOLD = "SELECT position FROM consumers WHERE name = $1 FOR UPDATE SKIP LOCKED"
_FIRST_YOUNG = """
    SELECT min(position) FROM next WHERE changed_at >= now() - {kept}::interval
"""
# Of what was deleted for good it stays known that it was.
_FORGET = f"""
WITH next AS MATERIALIZED (
    SELECT position, user_id, changed_at FROM changes WHERE position > $1
    ORDER BY position LIMIT {PORTION}
), due AS MATERIALIZED (
    SELECT position, user_id FROM next
    WHERE position < coalesce(({_FIRST_YOUNG.format(kept="$2")}), position + 1)
), forgotten AS (
    UPDATE changes SET before = CASE WHEN operation = 'deleted' THEN 'null'::jsonb END FROM due
    WHERE changes.position = due.position AND changes.user_id = due.user_id AND before IS NOT NULL
)
SELECT count(*), max(position) FROM due
"""
_MOVE = "UPDATE consumers SET position = $2 WHERE name = $1"


async def forget_content(db: Connection, kept: timedelta) -> int:
    """Forgets what the next 1,000 changes overwrote longer ago than that.

    How many changes it has looked at. In a transaction.
    """
    await db.execute(_REGISTER, _FORGETTER)
    if (position := await db.fetchval(_HOLD, _FORGETTER)) is None:
        return 0
    forgotten = slice_of(await db.fetchrow(_FORGET, position, kept))
    if forgotten.removed:
        await db.execute(_MOVE, _FORGETTER, forgotten.end)
    return forgotten.removed


# What a consumer has not read yet stays, or it would wait for good for what it cannot find; and so
# does what an endpoint has yet to be told, for the first time or again.
_PRUNE = f"""
WITH next AS MATERIALIZED (
    SELECT position, user_id, changed_at, untaken FROM changes
    WHERE position > coalesce($2::bigint, 0)
    ORDER BY position LIMIT {PORTION}
), due AS MATERIALIZED (
    SELECT position, user_id FROM next
    WHERE position <= (SELECT min(position) FROM consumers)
        AND (untaken IS NULL OR NOT untaken && ARRAY (SELECT name::text FROM consumers))
        AND position < coalesce(least(
            ({_FIRST_YOUNG.format(kept="$1")}),
            (SELECT min(position) FROM webhook_deliveries WHERE due_at IS NOT NULL),
            (SELECT min(position) + 1 FROM webhook_replays JOIN webhook_endpoints
                ON id = endpoint_id AND disabled_at IS NULL)
        ), position + 1)
), pruned AS (
    DELETE FROM changes USING due
    WHERE changes.position = due.position AND changes.user_id = due.user_id
)
SELECT count(*), max(position) FROM due
"""


async def prune_changes(db: Connection, after: int | None, kept: timedelta) -> Slice:
    """Removes up to 1,000 changes older than that, which every consumer has read."""
    return slice_of(await db.fetchrow(_PRUNE, kept, after))
