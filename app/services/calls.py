"""Calls in PostgreSQL. Their owner is the contact; an owner of None crosses owners."""

from collections.abc import Sequence
from uuid import UUID

from app.errors import NotFound
from app.models.call import Call, CallFields, CallStatus
from app.models.origin import PLATFORM, Origin
from app.models.page import Page, Part
from app.services import Connection
from app.services.changes import recorded_aside
from app.services.pages import bounds, newest_first

_COLUMNS = """id, user_id, title, scheduled_for, duration_minutes, notes, status, created_at,
    updated_at"""
_OWNED = "id = $1 AND ($2::text IS NULL OR user_id = $2)"

_INSERT = f"""
WITH written AS (
    INSERT INTO calls (user_id, title, scheduled_for, duration_minutes, notes)
    SELECT user_id, $3, $4, $5, $6 FROM contacts WHERE {_OWNED} FOR KEY SHARE
    RETURNING {_COLUMNS}
), {recorded_aside("call", "created", 7)}
SELECT {_COLUMNS} FROM written
"""


async def insert_call(
    db: Connection,
    contact_id: UUID,
    owner: str | None,
    call: CallFields,
    origin: Origin = PLATFORM,
) -> Call:
    """Stores a new call; NotFound when there is no such contact."""
    row = await db.fetchrow(
        _INSERT,
        contact_id,
        owner,
        call.title,
        call.scheduled_for,
        call.duration_minutes,
        call.notes,
        *origin[:5],
    )
    if row is None:
        raise NotFound(f"User {contact_id} not found")
    return Call.model_construct(**row)


_FETCH = f"SELECT {_COLUMNS} FROM calls WHERE {_OWNED}"


async def fetch_call(db: Connection, call_id: UUID, owner: str | None) -> Call:
    """One call; NotFound when there is none or it belongs to another owner."""
    row = await db.fetchrow(_FETCH, call_id, owner)
    if row is None:
        raise NotFound(f"Call {call_id} not found")
    return Call.model_construct(**row)


_FILTERS = "($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR status = $2)"

_LIST = f"""
SELECT {_COLUMNS} FROM calls WHERE {_FILTERS} AND {newest_first(3)}
"""

_LIST_OF = f"""
SELECT {_COLUMNS} FROM calls WHERE user_id = $6 AND {_FILTERS} AND {newest_first(3)}
"""


_AT_ONCE = 128
"""Calls of at most 4 kB each."""


async def list_calls(
    db: Connection,
    owner: str | None,
    user_id: str | None,
    status: CallStatus | None,
    page: Page,
) -> Part[Call]:
    """The first part of a page of the calls with one contact, or with any, newest first."""
    arguments = (owner, status, *bounds(page, _AT_ONCE))
    rows = await (
        db.fetch(_LIST, *arguments) if user_id is None else db.fetch(_LIST_OF, *arguments, user_id)
    )
    entries = [Call.model_construct(**row) for row in rows]
    return page.part(entries, more=len(entries) == _AT_ONCE)


_FIND = f"SELECT {_COLUMNS} FROM calls WHERE id = ANY ($1)"


async def find_calls(db: Connection, call_ids: Sequence[UUID]) -> list[Call]:
    """Those of the calls that exist."""
    return [Call.model_construct(**row) for row in await db.fetch(_FIND, call_ids)]


_SET_STATUS = f"""
WITH written AS (
    UPDATE calls SET status = $3, updated_at = now() WHERE {_OWNED} RETURNING {_COLUMNS}
), {recorded_aside("call", "updated", 4, "ARRAY['status']")}
SELECT {_COLUMNS} FROM written
"""


async def set_status(
    db: Connection,
    call_id: UUID,
    owner: str | None,
    status: CallStatus,
    origin: Origin = PLATFORM,
) -> Call:
    """Overwrites the status of a call and returns the whole call."""
    row = await db.fetchrow(_SET_STATUS, call_id, owner, status, *origin[:5])
    if row is None:
        raise NotFound(f"Call {call_id} not found")
    return Call.model_construct(**row)
