"""Service keys as administrators see them."""

import datetime as dt
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.models.instant import FutureInstant
from app.models.number import WHOLE
from app.models.text import STORABLE, UserId

KeyName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9-]{3,100}$"),
    Field(description="The client's name.", examples=["cat-house-prod"]),
]
"""What a new key may be called."""
KnownKeyName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    STORABLE,
    Field(description="The name of a key that there is.", examples=["cat-house-prod"]),
]
"""What a key may have been called elsewhere, of which it was adopted."""
KeyEnvironment = Literal["prod", "dev"]
KeyState = Literal["active", "expiring", "superseded", "expired", "revoked"]

_MOST_MEMBERS = 20
"""More than there are: each one that is refused costs a sentence."""

LONGEST_GRACE = 7 * 24 * 60 * 60

Note = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    STORABLE,
    Field(description="For people: whose key it is, and what for."),
]
RateLimit = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9][0-9]{0,6}/(second|minute|hour|day)$"),
    Field(
        description="Commands, each of a batch too, in place of EXECUTE_RATE_LIMIT.",
        examples=["600/minute"],
    ),
]
UserIds = Annotated[
    list[UserId],
    Field(
        min_length=1,
        max_length=1000,
        description="The only users whom the key may act for; it sees what is theirs alone.",
    ),
]


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
        bool,
        Field(strict=True, description="Hide tasks of users other than the command's user_id."),
    ] = False
    scopes: list[str] | None = None
    expires_at: Annotated[FutureInstant | None, Field(description="Absent: never.")] = None
    note: Note | None = None
    rate_limit: RateLimit | None = None
    user_ids: UserIds | None = None


class KeyRotation(Grant):
    """Names the key to rotate, and says how long it and its successor work.

    What is absent or null of the limits is as the old key has it.
    """

    key_name: KnownKeyName
    expires_at: Annotated[
        FutureInstant | None,
        Field(description="When the successor ends. Absent: when the old key was to end."),
    ] = None
    grace_seconds: Annotated[
        int,
        Field(ge=0, le=LONGEST_GRACE, description="For how long the old key goes on working."),
        WHOLE,
    ] = LONGEST_GRACE
    enforce_ownership: Annotated[bool, Field(strict=True)] | None = None
    scopes: list[str] | None = None
    note: Note | None = None
    rate_limit: RateLimit | None = None
    user_ids: UserIds | None = None


class KeyChanges(Grant):
    """The members of a key to overwrite, one at least; null clears one, an absent one stays."""

    model_config = ConfigDict(
        json_schema_extra={"maxProperties": _MOST_MEMBERS, "minProperties": 1}
    )

    note: Note | None = None
    scopes: list[str] | None = None
    expires_at: FutureInstant | None = None
    rate_limit: RateLimit | None = None
    user_ids: UserIds | None = None
    enforce_ownership: Annotated[bool, Field(strict=True)] | None = None

    @model_validator(mode="after")
    def _some_member(self) -> "KeyChanges":
        if not self.model_fields_set:
            raise PydanticCustomError("no_fields", "No fields provided for update")
        return self


def _is_absent(value: object) -> bool:
    return value is None


class MintedKey(BaseModel):
    """A new key and its limits. `service_key` is shown here and never again.

    `note`, `rate_limit` and `user_ids` are there where they were given.
    """

    id: UUID
    key_name: str
    service_key: str
    created_at: datetime
    scopes: Annotated[list[str] | None, Field(description="Null: everything is allowed.")]
    enforce_ownership: bool
    expires_at: Annotated[datetime | None, Field(description="Null: never.")]
    note: Annotated[str | None, Field(exclude_if=_is_absent)] = None
    rate_limit: Annotated[str | None, Field(exclude_if=_is_absent)] = None
    user_ids: Annotated[list[str] | None, Field(exclude_if=_is_absent)] = None


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


class DayOfUse(BaseModel):
    """How often a key was used on one day, for whatever it was."""

    day: Annotated[dt.date, Field(description="In UTC.")]
    ok: int
    refused: Annotated[int, Field(description="Answers 4xx.")]
    failed: Annotated[int, Field(description="Answers 5xx.")]


class ListedKey(KeyInfo):
    """The same, where it was asked for with its use of the last 14 days."""

    usage: Annotated[
        list[DayOfUse] | None,
        Field(exclude_if=_is_absent, description="With `usage=true`: the latest day first."),
    ] = None


class KeyList(BaseModel):
    """All keys ever minted, newest first."""

    keys: list[ListedKey]


class KeyDetails(KeyInfo):
    """The same, with what is noted of the key and what else limits it."""

    note: str | None
    rate_limit: Annotated[str | None, Field(description="Null: EXECUTE_RATE_LIMIT, if any.")]
    user_ids: Annotated[list[str] | None, Field(description="Null: any user.")]


class DailyUse(BaseModel):
    """How often a key was used for one thing on one day.

    `action` is an action's name or, of what is none, the path. Commands of a batch count each, and
    the batch beside them.
    """

    day: Annotated[dt.date, Field(description="In UTC.")]
    action: str
    ok: int
    refused: Annotated[int, Field(description="Answers 4xx.")]
    failed: Annotated[int, Field(description="Answers 5xx.")]


class KeyCard(KeyDetails):
    """All about a key but its value, with its use of the last 90 days."""

    usage: Annotated[list[DailyUse], Field(description="The latest day first.")]
