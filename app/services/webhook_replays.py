"""Replays: what an endpoint was told since some instant is told again, a portion at a time.

An administrator's request notes from where to where in the log; workers go on from there, each
portion in one statement, so that whatever ends a worker leaves none out and repeats none.
"""

from datetime import datetime
from uuid import UUID

from app.services import Connection
from app.services.webhook_deliveries import CONSUMER, TYPE, WANTED

PORTION = 500
"""How many positions of the log are looked at in one go."""
_FEW = 100
_COUNTED = 100_000

# Positions are given out in the order of time, a minute more or less; so the beginning is found by
# halving. What is up to `low` is from before, what is after `high` is not.
_NOTE = f"""
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT id, greatest($2, created_at) AS since FROM webhook_endpoints WHERE id = $1
), halves (low, high) AS (
    SELECT min(position) - 1, max(position) FROM changes
    UNION ALL
    SELECT CASE WHEN is_before THEN middle.position ELSE low END,
        CASE WHEN is_before THEN high ELSE (low + high) / 2 END
    FROM halves CROSS JOIN LATERAL (
        SELECT position, changed_at < since - interval '1 minute' AS is_before
        FROM changes, asked WHERE position > (low + high) / 2 ORDER BY position LIMIT 1
    ) AS middle
    WHERE low < high
)
INSERT INTO webhook_replays AS old (endpoint_id, since, position, last_position)
SELECT id, since, coalesce((SELECT min(high) FROM halves), 0), position
FROM asked JOIN consumers ON name = '{CONSUMER}'
ON CONFLICT (endpoint_id) DO UPDATE SET
    since = least(old.since, excluded.since),
    position = least(old.position, excluded.position),
    last_position = excluded.last_position
"""

# What is beyond those counted is taken to be of their kind.
_COUNT = f"""
SELECT (count(*) * greatest(1, (last_position - replay.position) / {_COUNTED}::float8))::bigint
FROM webhook_replays AS replay JOIN webhook_endpoints ON id = endpoint_id
    JOIN changes ON changes.position > replay.position
        AND changes.position <= least(last_position, replay.position + {_COUNTED})
        AND changed_at >= since AND {WANTED}
WHERE endpoint_id = $1
GROUP BY replay.endpoint_id
"""


async def ask(db: Connection, endpoint_id: UUID, since: datetime) -> int:
    """Has an endpoint told again of all that it was or should have been told of since.

    How much it is: about, where the log is long.
    """
    await db.execute(_NOTE, endpoint_id, since)
    return await db.fetchval(_COUNT, endpoint_id) or 0


# An endpoint gets more when it has been told nearly all: what happens meanwhile waits for little of
# the past. The consumer's row is held as by whoever feeds, so that no purged user comes back.
# Attempts are counted on, so that the outcome of one under way is not taken for that of the next.
_GO_ON = f"""
WITH replay AS MATERIALIZED (
    SELECT replays.endpoint_id, since, replays.position AS first,
        least(last_position, replays.position + {PORTION}) AS last
    FROM webhook_replays AS replays
        JOIN webhook_endpoints ON id = replays.endpoint_id AND disabled_at IS NULL
        JOIN consumers ON name = '{CONSUMER}'
    WHERE NOT EXISTS (
        SELECT 1 FROM webhook_deliveries AS due
        WHERE due.endpoint_id = replays.endpoint_id AND due_at <= now() OFFSET {_FEW} LIMIT 1
    ) AND pg_try_advisory_xact_lock(hashtextextended('webhook' || replays.endpoint_id, 0))
    ORDER BY replays.position LIMIT 1
    FOR UPDATE OF replays, consumers SKIP LOCKED
), told AS (
    INSERT INTO webhook_deliveries AS old
        (endpoint_id, position, user_id, type, occurred_at, due_at)
    SELECT id, position, changes.user_id, {TYPE}, changed_at, now()
    FROM replay JOIN webhook_endpoints ON id = endpoint_id
        JOIN changes ON position > first AND position <= last AND changed_at >= since AND {WANTED}
    ORDER BY position
    ON CONFLICT (endpoint_id, position, user_id) DO UPDATE SET
        due_at = now(), claimed_until = NULL, outcome = NULL, failures = 0
), ended AS (
    DELETE FROM webhook_replays AS replays USING replay
    WHERE replays.endpoint_id = replay.endpoint_id AND last >= last_position
)
UPDATE webhook_replays AS replays SET position = last FROM replay
WHERE replays.endpoint_id = replay.endpoint_id AND last < last_position
RETURNING true
"""


async def go_on(db: Connection) -> bool:
    """Has the next portion told of the replay that is furthest back; whether that has more."""
    return await db.fetchval(_GO_ON) or False
