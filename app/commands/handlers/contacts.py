"""What can be done with contacts."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.commands.action import Context, Example, action
from app.commands.models import Json, json_list
from app.errors import NotFound
from app.models.caller import CallerKind
from app.models.contact import Contact, ContactFields, ContactList
from app.models.page import Page, Part
from app.services import Connection, contacts, revocations

_ALLOW: frozenset[CallerKind] = frozenset({"partner", "service"})
_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"


class CreateContact(ContactFields):
    """The fields of a new contact."""


@action(
    scope="contacts:write",
    writes=True,
    additive=True,
    idempotent=False,
    allow=_ALLOW,
    examples=(
        {
            "name": "María García",
            "email": "maria@test-azollon.com",
            "company": "Test Azollon",
            "user_type": "client",
            "notes": "New client from PyCon demo",
        },
    ),
)
async def create_contact(context: Context, payload: CreateContact) -> Contact:
    """Stores a new contact and returns it with its generated id.

    That id is the user_id of the contact's calls and tasks. The command's own does not matter.
    """
    return await contacts.insert_contact(context.db, payload, context.origin)


class ListContacts(Page):
    """Which page of the contacts to return."""


@action(
    scope="contacts:read",
    allow=_ALLOW,
    examples=(Example("all, newest first"), Example("the newest 20", limit=20)),
)
async def list_contacts(context: Context, payload: ListContacts) -> Json[ContactList]:
    """Returns one page of contacts, newest first, and next_cursor for the one that follows."""
    owner = context.owner

    async def fetch(db: Connection, page: ListContacts) -> Part[Contact]:
        return await contacts.list_contacts(db, owner, page)

    return await json_list(context.db, payload, fetch, b'{"contacts":[')


class GetContact(BaseModel):
    """Names one contact."""

    contact_id: Annotated[UUID, Field(description="The contact's id.")]


@action(
    scope="contacts:read",
    allow=_ALLOW,
    raises=(NotFound,),
    examples=({"contact_id": _EXAMPLE_ID},),
)
async def get_contact(context: Context, payload: GetContact) -> Contact:
    """Returns one contact as it is stored."""
    contact = await contacts.fetch_contact(context.db, payload.contact_id, context.owner)
    await revocations.require_unrevoked(context.db, str(contact.id))
    return contact
