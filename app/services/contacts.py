"""Contacts in PostgreSQL. A contact is its own user; an owner of None may be any contact."""

from collections.abc import Sequence
from secrets import randbits
from time import time_ns
from uuid import UUID

from app.errors import NotFound
from app.models.contact import Contact, ContactFields
from app.models.origin import PLATFORM, Origin
from app.models.page import Page, Part
from app.services import Connection
from app.services.changes import recorded_aside
from app.services.pages import bounds, newest_first

_COLUMNS = "id, name, email, company, user_type, notes, created_at, updated_at"

INSERT = f"""
WITH written AS (
    INSERT INTO contacts (id, user_id, name, email, company, user_type, notes)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING {_COLUMNS}, user_id
), {recorded_aside("contact", "created", 8)}
SELECT {_COLUMNS} FROM written
"""


async def insert_contact(
    db: Connection, contact: ContactFields, origin: Origin = PLATFORM
) -> Contact:
    """Stores a new contact with a time-ordered id."""
    contact_id = _new_id()
    row = await db.fetchrow(
        INSERT,
        contact_id,
        str(contact_id),
        contact.name,
        contact.email,
        contact.company,
        contact.user_type,
        contact.notes,
        *origin[:5],
    )
    assert row is not None  # noqa: S101 - an insert without a condition returns its row
    return Contact.model_construct(**row)


def _new_id() -> UUID:
    """UUID version 7, as PostgreSQL makes them; here, for the user's name is made of it."""
    random = randbits(74)
    high = time_ns() // 1_000_000 << 16 | 7 << 12 | random >> 62
    return UUID(int=high << 64 | 0b10 << 62 | random & (1 << 62) - 1)


_FETCH = f"SELECT {_COLUMNS} FROM contacts WHERE id = $1 AND user_id = $2"


async def fetch_contact(db: Connection, contact_id: UUID, owner: str | None) -> Contact:
    """One contact; NotFound when there is none or the owner is another one."""
    user_id = str(contact_id)
    row = None if owner not in (None, user_id) else await db.fetchrow(_FETCH, contact_id, user_id)
    if row is None:
        raise NotFound(f"User {contact_id} not found")
    return Contact.model_construct(**row)


_LIST = f"SELECT {_COLUMNS} FROM contacts WHERE {newest_first(1)}"
_LIST_OF = f"SELECT {_COLUMNS} FROM contacts WHERE user_id = $4 AND {newest_first(1)}"


_AT_ONCE = 128
"""Contacts of at most 4 kB each."""


async def list_contacts(db: Connection, owner: str | None, page: Page) -> Part[Contact]:
    """The first part of a page of contacts, newest first."""
    part = bounds(page, _AT_ONCE)
    rows = await (db.fetch(_LIST, *part) if owner is None else db.fetch(_LIST_OF, *part, owner))
    entries = [Contact.model_construct(**row) for row in rows]
    return page.part(entries, more=len(entries) == _AT_ONCE)


_FIND = f"SELECT {_COLUMNS} FROM contacts WHERE id = ANY ($1)"


async def find_contacts(db: Connection, contact_ids: Sequence[UUID]) -> list[Contact]:
    """Those of the contacts that exist."""
    return [Contact.model_construct(**row) for row in await db.fetch(_FIND, contact_ids)]
