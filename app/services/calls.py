"""Calls in PostgreSQL. Their owner is the contact: `app.models.owner` says which one."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from app.errors import NotFound
from app.models.call import Call, CallFields, CallStatus
from app.models.origin import PLATFORM, Origin
from app.models.owner import is_bound
from app.models.page import Page, Part
from app.services import Connection
from app.services.changes import recorded_aside
from app.services.owners import reach
from app.services.pages import bounds, newest_first

_COLUMNS = """id, user_id, title, scheduled_for, duration_minutes, notes, status, created_at,
    updated_at"""
_OWNED = "id = $1 AND user_id = $2"

INSERT = f"""
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
    """Stores a new call; NotFound when there is no such contact, or the owner is another one."""
    user_id = str(contact_id)
    if owner not in (None, user_id):
        raise NotFound(f"User {contact_id} not found")
    row = await db.fetchrow(
        INSERT,
        contact_id,
        user_id,
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
_FETCH_OF_ANYBODY = f"SELECT {_COLUMNS} FROM calls WHERE id = $1"


async def fetch_call(db: Connection, call_id: UUID, owner: str | None) -> Call:
    """One call; NotFound when there is none or it belongs to another owner."""
    row = None if owner is None else await db.fetchrow(_FETCH, call_id, owner)
    if row is None and not is_bound(owner):
        row = await db.fetchrow(_FETCH_OF_ANYBODY, call_id)
    if row is None:
        raise NotFound(f"Call {call_id} not found")
    return Call.model_construct(**row)


_SELECTED = f"($1::text IS NULL OR status = $1) AND {newest_first(2)}"
_LIST = f"SELECT {_COLUMNS} FROM calls WHERE {_SELECTED}"
_LIST_OF = f"SELECT {_COLUMNS} FROM calls WHERE user_id = $5 AND {_SELECTED}"


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
    arguments = (status, *bounds(page, _AT_ONCE))
    users = {owner, user_id} - {None}
    if len(users) > 1:
        return page.part([], more=False)
    rows = await db.fetch(_LIST_OF if users else _LIST, *arguments, *users)
    entries = [Call.model_construct(**row) for row in rows]
    return page.part(entries, more=len(entries) == _AT_ONCE)


_FIND = f"SELECT {_COLUMNS} FROM calls WHERE id = ANY ($1)"


async def find_calls(db: Connection, call_ids: Sequence[UUID]) -> list[Call]:
    """Those of the calls that exist."""
    return [Call.model_construct(**row) for row in await db.fetch(_FIND, call_ids)]


SET_STATUS = f"""
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

    async def write(user_id: str) -> Record | None:
        return await db.fetchrow(SET_STATUS, call_id, user_id, status, *origin[:5])

    row = await reach(db, "calls", call_id, owner, write)
    if row is None:
        raise NotFound(f"Call {call_id} not found")
    return Call.model_construct(**row)
