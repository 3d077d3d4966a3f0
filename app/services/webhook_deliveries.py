"""What each endpoint of webhooks has yet to be told: one delivery per event and endpoint.

Workers claim deliveries for a time: an endpoint may take ten seconds, for which no transaction
stays open. Whatever becomes of a worker, its deliveries are claimed again afterwards.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from app.models.webhook import KEPT_DAYS, Delivery, DeliveryList, DeliveryState, message_id
from app.services import Connection
from app.services.log import Taking, untaken_age
from app.services.webhooks import MOOD_IS_ASKED_FOR, TARGET, Target, target_of

CONSUMER = "webhooks"
LEASE_SECONDS = 30
_MOST_IN_A_ROW = 5
_FURTHEST = 100_000
_KEPT = timedelta(days=KEPT_DAYS)

TYPE = "changes.kind || '.' || coalesce(changes.transition, changes.operation)"
"""The SQL of an event's type."""
_INTEREST = "changes.kind IN ('task', 'mood', 'key', 'user')"
WANTED = f"""
    {_INTEREST}
    AND events && ARRAY['*', {TYPE}]
    AND (user_ids IS NULL OR changes.kind = 'key' OR changes.user_id = ANY (user_ids))
    AND changes.changed_at >= created_at
"""
"""The SQL condition that an endpoint asks for a change."""

# An endpoint is told of what happens after it was made. What the clock of another has ahead of us
# is due now, which is after what others took over since this transaction began.
_TOLD = f"""
INSERT INTO webhook_deliveries (endpoint_id, position, user_id, type, occurred_at, due_at)
SELECT id, position, changes.user_id, {TYPE}, changed_at,
    least(changed_at, (SELECT clock_timestamp()))
FROM taken AS changes JOIN webhook_endpoints ON disabled_at IS NULL AND {WANTED}
ON CONFLICT DO NOTHING
"""
_WRITERS = f"""
INSERT INTO user_moods (user_id, due_at)
SELECT DISTINCT user_id, now() FROM taken
WHERE kind = 'task' AND {MOOD_IS_ASKED_FOR.format(user_id="taken.user_id")}
ORDER BY user_id
ON CONFLICT (user_id) DO UPDATE SET due_at = excluded.due_at
"""
TAKING = Taking(CONSUMER, _INTEREST, (_TOLD, _WRITERS))


class Claimed(NamedTuple):
    """One event for one endpoint, which is the caller's for a time."""

    endpoint_id: UUID
    position: int
    user_id: str
    type: str
    occurred_at: datetime
    attempts: int
    failures: int


# Whoever looks at an endpoint's deliveries looks alone, and at what is committed.
_ENDPOINTS = f"""
SELECT {TARGET}, CASE WHEN id <> ALL ($1) AND EXISTS (
    SELECT 1 FROM webhook_deliveries WHERE endpoint_id = id AND due_at <= now()
        AND (claimed_until IS NULL OR claimed_until <= now())
) THEN pg_try_advisory_xact_lock(hashtextextended('webhook' || id, 0)) ELSE false END AS is_ours
FROM webhook_endpoints WHERE disabled_at IS NULL
"""

# A user's events are told one after the other until one has failed, so nobody claims more of them
# while the first attempt at one is under way. A few of each user first: nobody waits for a crowd.
# Who is busy is looked up once, and nobody looks further than so far: however much waits for one
# endpoint, the others have their turn.
_CLAIM = f"""
WITH busy AS MATERIALIZED (
    SELECT endpoint_id, user_id FROM webhook_deliveries
    WHERE endpoint_id = ANY ($1) AND claimed_until > now() AND outcome IS NULL
), ready AS MATERIALIZED (
    SELECT found.*, room, row_number() OVER (
        PARTITION BY found.endpoint_id, user_id ORDER BY due_at, position
    ) AS number
    FROM unnest($1::uuid[], $2::int[]) AS endpoints (id, room) CROSS JOIN LATERAL (
        SELECT endpoint_id, position, user_id, due_at FROM (
            SELECT endpoint_id, position, user_id, due_at, outcome, claimed_until
            FROM webhook_deliveries
            WHERE endpoint_id = endpoints.id AND due_at <= now()
            ORDER BY due_at, position
            LIMIT {_FURTHEST}
        ) AS due
        WHERE (claimed_until IS NULL OR claimed_until <= now()) AND (outcome IS NOT NULL
            OR (endpoint_id, user_id) NOT IN (SELECT endpoint_id, user_id FROM busy))
        ORDER BY due_at, position
        LIMIT 200
    ) AS found
), fair AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY endpoint_id ORDER BY number, due_at, position) AS turn
    FROM ready WHERE number <= {_MOST_IN_A_ROW}
)
UPDATE webhook_deliveries AS claimed SET
    attempts = attempts + 1, claimed_until = now() + interval '{LEASE_SECONDS} seconds'
FROM fair
WHERE turn <= room AND claimed.endpoint_id = fair.endpoint_id
    AND claimed.position = fair.position AND claimed.user_id = fair.user_id
RETURNING claimed.endpoint_id, claimed.position, claimed.user_id, type, occurred_at, attempts,
    failures, claimed.due_at
"""


async def claim(
    db: Connection, in_flight: Mapping[UUID, int], most: int
) -> tuple[list[Target], list[Claimed]]:
    """The endpoints that are enabled, and what to send next in the order to send it in.

    In a transaction; so much to each endpoint that no more than `most` are in flight.
    """
    full = [endpoint_id for endpoint_id, number in in_flight.items() if number >= most]
    endpoints = await db.fetch(_ENDPOINTS, full)
    targets = [target_of(row) for row in endpoints]
    rooms = {row["id"]: most - in_flight.get(row["id"], 0) for row in endpoints if row["is_ours"]}
    if not rooms:
        return targets, []
    rows = await db.fetch(_CLAIM, list(rooms), list(rooms.values()))
    rows.sort(key=lambda row: (row["due_at"], row["position"]))
    return targets, [Claimed(*row[:7]) for row in rows]


class Outcome(NamedTuple):
    """What became of an attempt; `delay` is until the next one, None: there is none."""

    claimed: Claimed
    delivered: bool
    delay: float | None
    status: int | None
    duration_ms: int
    error: str | None


# What has been claimed again since, or is to be sent again, is no longer the caller's.
_FINISH = """
UPDATE webhook_deliveries AS attempted SET
    outcome = CASE WHEN ended.delivered THEN 'delivered' ELSE 'failed' END,
    due_at = clock_timestamp() + make_interval(secs => ended.delay),
    failures = failures + (NOT ended.delivered)::int,
    claimed_until = NULL,
    attempted_at = clock_timestamp(),
    status = ended.status,
    duration_ms = ended.duration_ms,
    error = ended.error
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::int[], $5::bool[], $6::float8[], $7::int[],
    $8::int[], $9::text[]) AS ended (endpoint_id, position, user_id, attempts, delivered, delay,
    status, duration_ms, error)
WHERE attempted.endpoint_id = ended.endpoint_id AND attempted.position = ended.position
    AND attempted.user_id = ended.user_id AND attempted.attempts = ended.attempts
"""


async def finish(db: Connection, outcomes: Sequence[Outcome]) -> None:
    """Notes what became of attempts."""
    outcomes = sorted(outcomes, key=lambda one: one.claimed[:3])  # locked as a replay locks them
    keys = [(*one.claimed[:3], one.claimed.attempts) for one in outcomes]
    rest = [one[1:] for one in outcomes]
    columns = [*zip(*keys, strict=True), *zip(*rest, strict=True)]
    await db.execute(_FINISH, *map(list, columns))


_GIVE_BACK = """
UPDATE webhook_deliveries AS unsent SET attempts = unsent.attempts - 1, claimed_until = NULL
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::int[])
    AS claimed (endpoint_id, position, user_id, attempts)
WHERE unsent.endpoint_id = claimed.endpoint_id AND unsent.position = claimed.position
    AND unsent.user_id = claimed.user_id AND unsent.attempts = claimed.attempts
"""


async def give_back(db: Connection, unsent: Sequence[Claimed]) -> None:
    """Lets others send what was claimed and not tried."""
    columns = zip(*((*one[:3], one.attempts) for one in unsent), strict=True)
    await db.execute(_GIVE_BACK, *map(list, columns))


_DROP = """
DELETE FROM webhook_deliveries AS gone
USING unnest($1::uuid[], $2::bigint[], $3::text[]) AS claimed (endpoint_id, position, user_id)
WHERE gone.endpoint_id = claimed.endpoint_id AND gone.position = claimed.position
    AND gone.user_id = claimed.user_id
"""


async def drop(db: Connection, gone: Sequence[Claimed]) -> None:
    """Forgets deliveries of what is no longer in the log, its user being purged."""
    await db.execute(_DROP, *map(list, zip(*(one[:3] for one in gone), strict=True)))


_LIST = """
SELECT position, type, user_id, occurred_at, state, attempts, attempted_at, status, duration_ms,
    error, due_at
FROM webhook_deliveries
WHERE endpoint_id = $1 AND position < coalesce($2::bigint, 9223372036854775807){of_state}
ORDER BY position DESC LIMIT $3
"""
_ALL, _OF_STATE = _LIST.format(of_state=""), _LIST.format(of_state=" AND state = $4")


async def list_deliveries(
    db: Connection, endpoint_id: UUID, cursor: int | None, limit: int, state: DeliveryState | None
) -> DeliveryList:
    """A page of an endpoint's events, newest first, from those before the cursor's."""
    if state is None:
        rows = await db.fetch(_ALL, endpoint_id, cursor, limit)
    else:
        rows = await db.fetch(_OF_STATE, endpoint_id, cursor, limit, state)
    last = rows[-1]["position"] if len(rows) == limit else None
    listed = [_delivery(row) for row in rows]
    return DeliveryList.model_construct(deliveries=listed, next_cursor=last)


def _delivery(row: Record) -> Delivery:
    return Delivery.model_construct(
        id=message_id(row["position"], row["occurred_at"]),
        event=row["type"],
        user_id=row["user_id"] or None,
        next_attempt_at=row["due_at"],
        **{name: row[name] for name in _SHOWN},
    )


_SHOWN = ("occurred_at", "state", "attempts", "attempted_at", "status", "duration_ms", "error")


# The endpoints of which there are deliveries, deleted ones too, each by a look at the index; and of
# those that there are, the ones whose oldest is due.
_PURGE = """
WITH RECURSIVE endpoints AS (
    (SELECT endpoint_id AS id FROM webhook_deliveries ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT endpoint_id FROM webhook_deliveries WHERE endpoint_id > endpoints.id
        ORDER BY endpoint_id LIMIT 1
    ) FROM endpoints WHERE id IS NOT NULL
), due AS (
    SELECT id, webhook_endpoints.id IS NULL AS is_gone
    FROM endpoints LEFT JOIN webhook_endpoints USING (id)
    WHERE webhook_endpoints.id IS NULL OR (
        SELECT occurred_at FROM webhook_deliveries
        WHERE endpoint_id = webhook_endpoints.id ORDER BY position LIMIT 1
    ) < now() - $1::interval
)
DELETE FROM webhook_deliveries AS old USING (
    SELECT oldest.*, is_gone FROM due CROSS JOIN LATERAL (
        SELECT endpoint_id, position, user_id, greatest(occurred_at, due_at) AS last_at
        FROM webhook_deliveries WHERE endpoint_id = id ORDER BY position LIMIT 5000
    ) AS oldest
) AS oldest
WHERE old.endpoint_id = oldest.endpoint_id AND old.position = oldest.position
    AND old.user_id = oldest.user_id AND (is_gone OR oldest.last_at < now() - $1::interval)
"""


async def purge_old(db: Connection, kept: timedelta = _KEPT) -> int:
    """Forgets what is older than that or for no endpoint that there is; how much it was.

    Of each endpoint at most 5,000. What is sent again is kept until it is told.
    """
    status: str = await db.execute(_PURGE, kept)
    return int(status.rpartition(" ")[2])


_OLDEST = """
SELECT extract(epoch FROM clock_timestamp() - min(due.due_at))::float8
FROM webhook_endpoints CROSS JOIN LATERAL (
    SELECT due_at FROM webhook_deliveries
    WHERE endpoint_id = id AND due_at IS NOT NULL ORDER BY due_at LIMIT 1
) AS due WHERE disabled_at IS NULL
"""


async def overdue(db: Connection) -> float:
    """For how many seconds the longest waiting attempt has been due; 0 when none is."""
    due = await db.fetchval(_OLDEST) or 0.0
    return max(0.0, due, await untaken_age(db, CONSUMER))
