"""Service keys as administrators see them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.models.instant import Instant

KeyName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9-]{3,100}$"),
    Field(description="The client's name.", examples=["cat-house-prod"]),
]
KeyEnvironment = Literal["prod", "dev"]


class NewKey(BaseModel):
    """A service key to mint."""

    key_name: KeyName
    environment: KeyEnvironment
    enforce_ownership: Annotated[
        bool, Field(description="Hide tasks of users other than the command's user_id.")
    ] = False
    scopes: list[str] | None = None
    expires_at: Annotated[Instant | None, Field(description="Absent: never.")] = None


class KeyReference(BaseModel):
    """Names the key to rotate."""

    key_name: KeyName


class MintedKey(BaseModel):
    """A new key. `service_key` is shown here and never again."""

    id: UUID
    key_name: str
    service_key: str
    created_at: datetime


class RotatedKey(BaseModel):
    """The successor of a key, shown here and never again, and when the old one stops working."""

    new_key: str
    old_key_expires_at: datetime


class KeyInfo(BaseModel):
    """What may be known of a key later on: never its value."""

    id: UUID
    key_name: str
    environment: str | None
    last_four: str | None
    enforce_ownership: bool
    scopes: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    active: Annotated[bool, Field(description="Neither revoked nor expired.")]


class KeyList(BaseModel):
    """All keys ever minted, newest first."""

    keys: list[KeyInfo]
