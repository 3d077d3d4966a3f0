"""What webhooks tell: events as they are sent, and those that nobody's write brings about."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asyncpg import Record
from pydantic_core import from_json, to_json

from app.models.change import cursor
from app.services import Connection
from app.services.feed import CHANGES, change_of

LARGEST_BODY = 20_000

_MORE = ", position, changes.kind, changes.user_id, changes.data"
_FETCH = f"""{CHANGES.format(more=_MORE, user_id="changes.user_id")}
WHERE changes.position = ANY ($1) AND changes.user_id = ANY ($2)
"""


async def fetch_bodies(
    db: Connection, positions: Iterable[int], user_ids: Iterable[str]
) -> dict[int, bytes]:
    """The bodies of the events at these positions of the log, as things are now.

    What is not in the log any more is left out.
    """
    rows = await db.fetch(_FETCH, list(set(positions)), list(set(user_ids)))
    return {row["position"]: _body(row) for row in rows}


def body(kind: str, occurred_at: datetime, data: dict[str, Any]) -> bytes:
    """An event as Standard Webhooks has it."""
    return to_json({"type": kind, "timestamp": occurred_at, "data": data})


def _body(row: Record) -> bytes:
    kind = f"{row['kind']}.{row['transition'] or row['operation']}"
    return _SHAPES[row["kind"]](kind, row)


def _of_task(kind: str, row: Record) -> bytes:
    user_id = row["user_id"]
    data = {
        "user_id": user_id,
        "cursor": cursor(user_id, row["sequence"] - 1),
        **change_of(user_id, row).model_dump(),
    }
    whole = body(kind, row["changed_at"], data)
    if len(whole) <= LARGEST_BODY:
        return whole
    del data["task"], data["before"]
    return body(kind, row["changed_at"], {**data, "truncated": True})


def _of_mood(kind: str, row: Record) -> bytes:
    return body(kind, row["changed_at"], {"user_id": row["user_id"], **from_json(row["data"])})


def _of_key(kind: str, row: Record) -> bytes:
    return body(kind, row["changed_at"], from_json(row["data"]))


def _of_user(kind: str, row: Record) -> bytes:
    user_id, sequence = row["user_id"], row["sequence"]
    data = {"user_id": user_id, "sequence": sequence, "cursor": cursor(user_id, sequence - 1)}
    return body(kind, row["changed_at"], data)


_SHAPES = {"task": _of_task, "mood": _of_mood, "key": _of_key, "user": _of_user}


# Seven days and one day before the end, once each: also for an end that was put off.
_EXPIRING = """
WITH noticed AS (
    INSERT INTO key_notices (key_id, expires_at, days)
    SELECT id, expires_at, CASE WHEN expires_at > now() + interval '1 day' THEN 7 ELSE 1 END
    FROM service_api_keys
    WHERE active AND superseded_at IS NULL
        AND expires_at > now() AND expires_at <= now() + interval '7 days'
    ON CONFLICT DO NOTHING
    RETURNING key_id, days
)
INSERT INTO changes (kind, operation, user_id, entity_id, fields, data)
SELECT 'key', 'expiring', '', keys.id, '{}', key_told(keys) || jsonb_build_object('days', days)
FROM noticed JOIN service_api_keys AS keys ON keys.id = key_id
"""


async def note_expiring_keys(db: Connection) -> None:
    """Appends to the log which keys are about to end."""
    await db.execute(_EXPIRING)
