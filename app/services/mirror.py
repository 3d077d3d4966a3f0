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

NAME = "mirror"
"""The consumer of the log that keeps the mirror."""

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


# What the mirror has not yet been told of the user's is no longer in the log when it comes there,
# so it is told at once of all that it may have. What is being delivered is delivered again: the
# position of the last change is another.
_FORGET_USER = """
INSERT INTO deliveries AS old
    (consumer, entity_id, kind, first_position, last_position, changed_at)
SELECT $2::text, entity_id, kind, $3::bigint, $3::bigint, now()
FROM (
    SELECT id AS entity_id, 'contact' AS kind FROM contacts WHERE user_id = $1
    UNION SELECT id, 'call' FROM calls WHERE user_id = $1
    UNION SELECT id, 'task' FROM tasks WHERE user_id = $1
    UNION SELECT entity_id, kind FROM changes
        WHERE user_id = $1 AND kind IN ('contact', 'call', 'task')
) AS mirrored
WHERE EXISTS (SELECT 1 FROM contacts WHERE user_id = $1)
    AND EXISTS (SELECT 1 FROM consumers WHERE name = $2::text)
ORDER BY entity_id
ON CONFLICT (consumer, entity_id) DO UPDATE SET
    first_position = CASE WHEN old.changed_at IS NULL
        THEN excluded.first_position ELSE old.first_position END,
    last_position = excluded.last_position,
    changed_at = coalesce(old.changed_at, excluded.changed_at),
    due_at = now()
"""


async def forget_user(db: Connection, user_id: str, position: int) -> None:
    """Has the mirror look again at all that it may show of a user, who is removed thereafter.

    The position is that of the change which tells of the removal, in the caller's transaction.
    """
    await db.execute(_FORGET_USER, user_id, NAME, position)
