"""What the mirror of the contacts' door shows: contacts, their calls, their tasks and nobody's."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.models.call import Call
from app.models.contact import Contact
from app.models.contact_task import ContactTask
from app.models.page import Page, Part
from app.services import Connection, calls, contact_tasks, contacts

Document = Contact | Call | ContactTask

_Finder = Callable[[Connection, Sequence[UUID]], Awaitable[Sequence[Document]]]

INTEREST = f"""kind IN ('contact', 'call')
    OR kind = 'task' AND {contact_tasks.owned_by_contact("changes")}"""
"""The SQL condition on the `changes` that concern the mirror."""

_FINDERS: Mapping[str, _Finder] = {
    "contact": contacts.find_contacts,
    "call": calls.find_calls,
    "task": contact_tasks.find_tasks,
}


async def find_documents(
    db: Connection, entity_ids: Mapping[str, Sequence[UUID]]
) -> dict[UUID, Document]:
    """The present state of those entities, by their kinds, that exist and may be shown."""
    found: dict[UUID, Document] = {}
    for kind, ids in entity_ids.items():
        found.update((document.id, document) for document in await _FINDERS[kind](db, ids))
    return found


async def list_documents(db: Connection, kind: str, page: Page) -> Part[Any]:
    """The first part of a page of all that the mirror shows of a kind, newest first."""
    if kind == "contact":
        return await contacts.list_contacts(db, None, page)
    if kind == "call":
        return await calls.list_calls(db, None, None, None, page)
    return await contact_tasks.list_tasks(db, None, None, page)
