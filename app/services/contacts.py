"""Contacts in PostgreSQL. A contact owns itself; an owner of None crosses owners."""

from collections.abc import Sequence
from uuid import UUID

from app.errors import NotFound
from app.models.contact import Contact, ContactFields
from app.models.origin import PLATFORM, Origin
from app.models.page import Page, Part
from app.services import Connection
from app.services.changes import recorded_aside
from app.services.pages import bounds, newest_first

_COLUMNS = "id, name, email, company, user_type, notes, created_at, updated_at"

_INSERT = f"""
WITH written AS (
    INSERT INTO contacts (name, email, company, user_type, notes)
    VALUES ($1, $2, $3, $4, $5)
    RETURNING {_COLUMNS}, user_id
), {recorded_aside("contact", "created", 6)}
SELECT {_COLUMNS} FROM written
"""


async def insert_contact(
    db: Connection, contact: ContactFields, origin: Origin = PLATFORM
) -> Contact:
    """Stores a new contact with a time-ordered id."""
    row = await db.fetchrow(
        _INSERT,
        contact.name,
        contact.email,
        contact.company,
        contact.user_type,
        contact.notes,
        *origin[:5],
    )
    assert row is not None  # noqa: S101 - an insert without a condition returns its row
    return Contact.model_construct(**row)


_FETCH = f"""
SELECT {_COLUMNS} FROM contacts WHERE id = $1 AND ($2::text IS NULL OR user_id = $2)
"""


async def fetch_contact(db: Connection, contact_id: UUID, owner: str | None) -> Contact:
    """One contact; NotFound when there is none or the owner is another one."""
    row = await db.fetchrow(_FETCH, contact_id, owner)
    if row is None:
        raise NotFound(f"User {contact_id} not found")
    return Contact.model_construct(**row)


_LIST = f"""
SELECT {_COLUMNS} FROM contacts WHERE ($1::text IS NULL OR user_id = $1) AND {newest_first(2)}
"""


_AT_ONCE = 128
"""Contacts of at most 4 kB each."""


async def list_contacts(db: Connection, owner: str | None, page: Page) -> Part[Contact]:
    """The first part of a page of contacts, newest first."""
    rows = await db.fetch(_LIST, owner, *bounds(page, _AT_ONCE))
    entries = [Contact.model_construct(**row) for row in rows]
    return page.part(entries, more=len(entries) == _AT_ONCE)


_FIND = f"SELECT {_COLUMNS} FROM contacts WHERE id = ANY ($1)"


async def find_contacts(db: Connection, contact_ids: Sequence[UUID]) -> list[Contact]:
    """Those of the contacts that exist."""
    return [Contact.model_construct(**row) for row in await db.fetch(_FIND, contact_ids)]
