"""Contacts: the people whom partners call and do tasks for. They are not accounts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.models.email import Email
from app.models.page import NextCursor
from app.models.text import STORABLE, VISIBLE

Name = Annotated[str, StringConstraints(max_length=100), VISIBLE]
Notes = Annotated[str, StringConstraints(max_length=500), STORABLE]
UserType = Literal["client", "prospect", "partner"]


class ContactFields(BaseModel):
    """The fields of a new contact."""

    name: Annotated[Name, Field(examples=["María García"])]
    email: Email
    company: Annotated[Name, Field(examples=["Test Azollon"])]
    user_type: UserType = "client"
    notes: Notes | None = None


class Contact(BaseModel):
    """A stored contact. Instants are UTC."""

    id: UUID
    name: str
    email: str
    company: str
    user_type: UserType
    notes: str | None
    created_at: datetime
    updated_at: datetime


class ContactList(BaseModel):
    """A page of contacts, newest first."""

    contacts: list[Contact]
    next_cursor: NextCursor
