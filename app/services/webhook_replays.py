"""Replays: what an endpoint was told since some instant is told again, a portion at a time.

An administrator's request notes from where to where in the log; workers go on from there, each
portion in one transaction, so that whatever ends a worker leaves none out and repeats none.
"""

from datetime import datetime
from uuid import UUID

from asyncpg import Record

from app.services import Connection
from app.services.log import Log
from app.services.webhook_deliveries import CONSUMER, TYPE, WANTED

PORTION = 500
"""How many changes are looked at in one go."""
_FEW = 100
_COUNTED = 100_000
_ENOUGH = _COUNTED // 8
_HALVES = 24

_SINCE = "SELECT greatest($2, created_at) FROM webhook_endpoints WHERE id = $1"
_NOTE = f"""
INSERT INTO webhook_replays AS old (endpoint_id, since, position, last_position)
SELECT $1, $2, $3, position FROM consumers WHERE name = '{CONSUMER}'
ON CONFLICT (endpoint_id) DO UPDATE SET
    since = least(old.since, excluded.since),
    position = least(old.position, excluded.position),
    last_position = excluded.last_position
RETURNING endpoint_id, since, position, last_position
"""


async def ask(db: Connection, endpoint_id: UUID, since: datetime) -> int:
    """Has an endpoint told again of all that it was or should have been told of since.

    How much it is: about, where the log is long. In a transaction.
    """
    if (since := await db.fetchval(_SINCE, endpoint_id, since)) is None:
        return 0
    beginning = await _find_beginning(db, since)
    noted = await db.fetchrow(_NOTE, endpoint_id, since, beginning)
    return await _count(db, noted) if noted else 0


BOUNDS = "SELECT coalesce(min(position), 1) - 1, coalesce(max(position), 0) FROM changes"
MIDDLE = """
SELECT position, changed_at < $2::timestamptz - interval '1 minute' AS is_before FROM changes
WHERE position > $1 ORDER BY position LIMIT 1
"""


async def _find_beginning(db: Connection, since: datetime) -> int:
    """A position up to which all is from before, and not far beyond which all is from since.

    Positions have the order of time, a minute more or less; so it is found by halving.
    """
    low, high = await db.fetchrow(BOUNDS) or (0, 0)
    for _ in range(_HALVES):
        if low >= high:
            break
        middle = (low + high) // 2
        row = await db.fetchrow(MIDDLE, middle, since)
        if row is not None and row["is_before"]:
            low = row["position"]
        else:
            high = middle
    return int(low)


COUNT = f"""
SELECT count(*), count(*) FILTER (WHERE changed_at >= $4 AND {WANTED})
FROM changes CROSS JOIN (
    SELECT events, user_ids, created_at FROM webhook_endpoints WHERE id = $1
) AS endpoint
WHERE position > $2 AND position <= $3
"""


async def _count(db: Connection, noted: Record) -> int:
    """How much is to be told; what is beyond enough of it is taken to be of its kind."""
    endpoint_id, since, first, last = noted
    seen, span = 0, _COUNTED
    while True:
        end = min(first + span, last)
        seen, wanted = await db.fetchrow(COUNT, endpoint_id, first, end, since) or (0, 0)
        if end == last or seen >= _ENOUGH:
            told: int = round(wanted * max(1, (last - first) / span))
            return told
        span *= 8


# An endpoint gets more when it has been told nearly all: what happens meanwhile waits for little of
# the past. The consumer's row is held as by whoever feeds, so that no purged user comes back.
_TURN = f"""
SELECT replays.endpoint_id, since, replays.position, last_position
FROM webhook_replays AS replays
    JOIN webhook_endpoints ON id = replays.endpoint_id AND disabled_at IS NULL
    JOIN consumers ON name = '{CONSUMER}'
WHERE NOT EXISTS (
    SELECT 1 FROM webhook_deliveries AS due
    WHERE due.endpoint_id = replays.endpoint_id AND due_at <= now() OFFSET {_FEW} LIMIT 1
) AND pg_try_advisory_xact_lock(hashtextextended('webhook' || replays.endpoint_id, 0))
ORDER BY replays.position LIMIT 1
FOR UPDATE OF replays, consumers SKIP LOCKED
"""
# Attempts are counted on, so that the outcome of one under way is not taken for that of the next.
TELL = f"""
INSERT INTO webhook_deliveries AS old (endpoint_id, position, user_id, type, occurred_at, due_at)
SELECT id, position, changes.user_id, {TYPE}, changed_at, (SELECT clock_timestamp())
FROM changes CROSS JOIN (
    SELECT id, events, user_ids, created_at FROM webhook_endpoints WHERE id = $1
) AS endpoint
WHERE position > $2 AND position <= $3 AND changed_at >= $4 AND {WANTED}
ORDER BY position
ON CONFLICT (endpoint_id, position, user_id) DO UPDATE SET
    due_at = excluded.due_at, claimed_until = NULL, outcome = NULL, failures = 0
"""
_END_REPLAY = "DELETE FROM webhook_replays WHERE endpoint_id = $1"
_MOVE = "UPDATE webhook_replays SET position = $2 WHERE endpoint_id = $1"


async def go_on(db: Connection, log: Log) -> bool:
    """Has the next portion told of the replay that is furthest back; whether that has more.

    In a transaction.
    """
    if (turn := await db.fetchrow(_TURN)) is None:
        return False
    endpoint_id, since, first, last = turn
    end = min(await log.advance(db, first, PORTION), last)
    await db.execute(TELL, endpoint_id, first, end, since)
    if end == last:
        await db.execute(_END_REPLAY, endpoint_id)
    else:
        await db.execute(_MOVE, endpoint_id, end)
    return bool(end < last)
