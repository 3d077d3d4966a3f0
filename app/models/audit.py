"""What administrators did, and who they are."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field


class Author(NamedTuple):
    """Who does something that is kept in the trail, from where, in which request."""

    name: str
    address: str | None = None
    request_id: str | None = None


class TrailEntry(BaseModel):
    """One act of an administrator: never with a secret."""

    id: UUID
    occurred_at: datetime
    administrator: Annotated[
        str, Field(description="A name of ADMIN_API_KEYS; `key:` or `cli:` before other names.")
    ]
    act: Annotated[str, Field(examples=["key.created"])]
    object: Annotated[str, Field(examples=["service-key/550e8400-e29b-41d4-a716-446655440000"])]
    address: str | None
    request_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Trail(BaseModel):
    """A page of what administrators did, newest first."""

    acts: list[TrailEntry]
    next_cursor: Annotated[UUID | None, Field(description="Null: there is nothing older.")]
