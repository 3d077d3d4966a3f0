"""Endpoints of webhooks: where which events are sent. Secrets are kept encrypted."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from app.errors import Conflict, Full, NotFound
from app.models.webhook import (
    MOST_ENDPOINTS,
    Endpoint,
    EndpointChanges,
    EndpointList,
    NewEndpoint,
)
from app.services import Connection

_COLUMNS = """id, url, events, user_ids, description, disabled_at IS NULL AS enabled, created_at,
    updated_at, failing_since, disabled_at, disabled_reason"""

_ASKS_FOR_MOODS = "events && ARRAY['*', 'mood.changed']"
MOOD_IS_ASKED_FOR = f"""EXISTS (
    SELECT 1 FROM webhook_endpoints
    WHERE {_ASKS_FOR_MOODS} AND (user_ids IS NULL OR {{user_id}} = ANY (user_ids))
)"""
"""The SQL condition that some endpoint wants to be told of the moods of a user."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints', 0))"
_COUNT = "SELECT count(*) FROM webhook_endpoints"
_INSERT = f"""
INSERT INTO webhook_endpoints (url, events, user_ids, description, secret)
VALUES ($1, $2, $3, $4, $5)
RETURNING {_COLUMNS}
"""

# Of an endpoint for all users, each user's first write brings it about.
_EXPECT_MOODS = f"""
INSERT INTO user_moods (user_id, due_at)
SELECT user_id, now() FROM (
    SELECT DISTINCT user_id FROM webhook_endpoints, unnest(user_ids) AS user_id
    WHERE id = $1 AND {_ASKS_FOR_MOODS}
) AS wanted
ORDER BY user_id
ON CONFLICT DO NOTHING
"""


async def insert_endpoint(db: Connection, new: NewEndpoint, secret: bytes) -> Endpoint:
    """Begins to send events, inside the caller's transaction; Full when there are 20 already."""
    await db.execute(_LOCK)
    if await db.fetchval(_COUNT) >= MOST_ENDPOINTS:
        raise Full(f"There are {MOST_ENDPOINTS} webhooks; delete one first")
    row = await db.fetchrow(
        _INSERT, str(new.url), new.events, new.user_ids, new.description, secret
    )
    endpoint = _found(row)
    await db.execute(_EXPECT_MOODS, endpoint.id)
    return endpoint


_FETCH = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE id = $1"
_LIST = f"SELECT {_COLUMNS} FROM webhook_endpoints ORDER BY created_at DESC, id DESC"


async def fetch_endpoint(db: Connection, endpoint_id: UUID) -> Endpoint:
    """One endpoint; NotFound when there is none."""
    return _found(await db.fetchrow(_FETCH, endpoint_id))


async def list_endpoints(db: Connection) -> EndpointList:
    """All endpoints, newest first."""
    listed = [Endpoint.model_construct(**row) for row in await db.fetch(_LIST)]
    return EndpointList.model_construct(webhooks=listed)


_CHANGE = f"""
UPDATE webhook_endpoints SET
    url = CASE WHEN 'url' = ANY ($2) THEN $3 ELSE url END,
    events = CASE WHEN 'events' = ANY ($2) THEN $4 ELSE events END,
    user_ids = CASE WHEN 'user_ids' = ANY ($2) THEN $5 ELSE user_ids END,
    description = CASE WHEN 'description' = ANY ($2) THEN $6 ELSE description END,
    failing_since = CASE WHEN $7 THEN NULL ELSE failing_since END,
    disabled_at = CASE
        WHEN $7 THEN NULL WHEN NOT $7 THEN coalesce(disabled_at, now()) ELSE disabled_at
    END,
    disabled_reason = CASE
        WHEN $7 THEN NULL WHEN NOT $7 THEN coalesce(disabled_reason, 'by an administrator')
        ELSE disabled_reason
    END,
    updated_at = now()
WHERE id = $1
RETURNING {_COLUMNS}
"""


async def change_endpoint(
    db: Connection, endpoint_id: UUID, changes: EndpointChanges
) -> tuple[Endpoint, Endpoint]:
    """Overwrites what is set in `changes`, inside the caller's transaction; before and after.

    NotFound when there is no such endpoint.
    """
    before = _found(await db.fetchrow(f"{_FETCH} FOR NO KEY UPDATE", endpoint_id))
    row = await db.fetchrow(
        _CHANGE,
        endpoint_id,
        sorted(changes.model_fields_set),
        str(changes.url),
        changes.events,
        changes.user_ids,
        changes.description,
        changes.enabled if "enabled" in changes.model_fields_set else None,
    )
    await db.execute(_EXPECT_MOODS, endpoint_id)
    return before, _found(row)


_DELETE = f"DELETE FROM webhook_endpoints WHERE id = $1 RETURNING {_COLUMNS}"


async def delete_endpoint(db: Connection, endpoint_id: UUID) -> Endpoint:
    """Ends an endpoint, which is told nothing more; NotFound when there is none."""
    return _found(await db.fetchrow(_DELETE, endpoint_id))


_MOST_SECRETS = 5
"""That an endpoint had before; each makes every message longer by a signature."""

_LIVE = "unnest(previous_secrets, previous_until) AS old (value, until) WHERE until > now()"

_ROTATE = f"""
UPDATE webhook_endpoints SET secret = $2, updated_at = now(),
    previous_secrets = previous_secrets || secret,
    previous_until = previous_until || now() + interval '24 hours'
WHERE id = $1 AND (SELECT count(*) FROM {_LIVE}) < {_MOST_SECRETS}
RETURNING now() + interval '24 hours'
"""


async def rotate_secret(db: Connection, endpoint_id: UUID, secret: bytes) -> datetime:
    """Signs with a new secret from now on, and until the returned instant with the old one too.

    So does each that was replaced before, until its own instant; Conflict where those are too many.
    NotFound when there is no such endpoint.
    """
    until: datetime | None = await db.fetchval(_ROTATE, endpoint_id, secret)
    if until is None:
        await fetch_target(db, endpoint_id)
        raise Conflict(f"{_MOST_SECRETS} secrets before this one still sign: wait until one ends")
    return until


_FORGET_SECRETS = f"""
UPDATE webhook_endpoints SET (previous_secrets, previous_until) = (
    SELECT coalesce(array_agg(value), '{{}}'), coalesce(array_agg(until), '{{}}') FROM {_LIVE}
)
WHERE previous_until[1] <= now()
"""


async def forget_secrets(db: Connection) -> None:
    """Keeps no secret that signs nothing any more."""
    await db.execute(_FORGET_SECRETS)


class Target(NamedTuple):
    """Where to send, and the encrypted secrets to sign with, the newest first."""

    endpoint_id: UUID
    url: str
    secrets: tuple[bytes, ...]


TARGET = f"""
    id, url, secret, ARRAY(SELECT value FROM {_LIVE} ORDER BY until DESC) AS previous"""
_TARGET = f"SELECT {TARGET} FROM webhook_endpoints WHERE id = $1"


def target_of(row: Record) -> Target:
    """What the columns of TARGET say."""
    return Target(row["id"], row["url"], (row["secret"], *row["previous"]))


async def fetch_target(db: Connection, endpoint_id: UUID) -> Target:
    """Where to send; NotFound when there is no such endpoint."""
    row = await db.fetchrow(_TARGET, endpoint_id)
    if row is None:
        raise NotFound("Webhook not found")
    return target_of(row)


def _found(row: Record | None) -> Endpoint:
    if row is None:
        raise NotFound("Webhook not found")
    return Endpoint.model_construct(**row)


_NOTE_SUCCESS = """
UPDATE webhook_endpoints SET failing_since = NULL
WHERE id = ANY ($1) AND failing_since IS NOT NULL
"""
_NOTE_FAILURE = """
UPDATE webhook_endpoints SET failing_since = now()
WHERE id = ANY ($1) AND failing_since IS NULL
"""
_DISABLE = """
UPDATE webhook_endpoints SET disabled_at = now(), disabled_reason = CASE
    WHEN id = ANY ($2) THEN 'it answered 410 Gone' ELSE 'it failed for five days'
END
WHERE id = ANY ($1) AND disabled_at IS NULL
    AND (id = ANY ($2) OR failing_since < now() - interval '5 days')
RETURNING id, disabled_reason
"""


async def note_outcomes(
    db: Connection, succeeded: Sequence[UUID], failed: Sequence[UUID], gone: Sequence[UUID]
) -> list[tuple[UUID, str]]:
    """Notes which endpoints work; returns those that are disabled thereby, and why."""
    await db.execute(_NOTE_SUCCESS, succeeded)
    if not failed:
        return []
    await db.execute(_NOTE_FAILURE, [one for one in failed if one not in succeeded])
    return [tuple(row) for row in await db.fetch(_DISABLE, failed, gone)]


_DISABLED = "SELECT count(*) FROM webhook_endpoints WHERE disabled_at IS NOT NULL"


async def count_disabled(db: Connection) -> int:
    """How many endpoints are told nothing."""
    count: int = await db.fetchval(_DISABLED)
    return count
