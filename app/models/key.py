"""Service keys as administrators see them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.models.instant import FutureInstant
from app.models.number import WHOLE

KeyName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9-]{3,100}$"),
    Field(description="The client's name.", examples=["cat-house-prod"]),
]
KeyEnvironment = Literal["prod", "dev"]
KeyState = Literal["active", "expiring", "superseded", "expired", "revoked"]

_MOST_MEMBERS = 20
"""More than there are: each one that is refused costs a sentence."""

LONGEST_GRACE = 7 * 24 * 60 * 60


class Grant(BaseModel):
    """A change of access. Unknown fields are refused, so that a misspelt limit is noticed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"maxProperties": _MOST_MEMBERS})

    @model_validator(mode="before")
    @classmethod
    def _few(cls, members: object) -> object:
        if isinstance(members, dict) and len(members) > _MOST_MEMBERS:
            raise PydanticCustomError("too_many_members", "must have at most 20 members")
        return members


class NewKey(Grant):
    """A service key to mint."""

    key_name: KeyName
    environment: KeyEnvironment
    enforce_ownership: Annotated[
        bool, Field(description="Hide tasks of users other than the command's user_id.")
    ] = False
    scopes: list[str] | None = None
    expires_at: Annotated[FutureInstant | None, Field(description="Absent: never.")] = None


class KeyRotation(Grant):
    """Names the key to rotate, and says how long it and its successor work."""

    key_name: KeyName
    expires_at: Annotated[
        FutureInstant | None,
        Field(description="When the successor ends. Absent: when the old key was to end."),
    ] = None
    grace_seconds: Annotated[
        int,
        Field(ge=0, le=LONGEST_GRACE, description="For how long the old key goes on working."),
        WHOLE,
    ] = LONGEST_GRACE


class MintedKey(BaseModel):
    """A new key and its limits. `service_key` is shown here and never again."""

    id: UUID
    key_name: str
    service_key: str
    created_at: datetime
    scopes: Annotated[list[str] | None, Field(description="Null: everything is allowed.")]
    enforce_ownership: bool
    expires_at: Annotated[datetime | None, Field(description="Null: never.")]


class RotatedKey(BaseModel):
    """The successor of a key, shown here and never again, and when the old one stops working."""

    new_key: str
    old_key_expires_at: datetime


class KeyInfo(BaseModel):
    """A key without its value."""

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
    state: Annotated[
        KeyState,
        Field(description="In a word: `expiring` within 7 days, `superseded` by a rotation."),
    ]


class KeyList(BaseModel):
    """All keys ever minted, newest first."""

    keys: list[KeyInfo]
