"""Revocations: what is refused at once, whoever comes with it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.models.instant import FutureInstant
from app.models.key import Grant, KnownKeyName
from app.models.text import STORABLE, ClientId, UserId

_NAMED = ("user_id", "installation_id", "key_name")

InstallationId = Annotated[
    ClientId,
    Field(description="Whose device or installation it is.", examples=["whiskers-phone-1"]),
]


class NewRevocation(Grant):
    """Refuses what matches all that is named of user, installation and key: one at least."""

    model_config = ConfigDict(json_schema_extra={"maxProperties": 20, "minProperties": 2})

    user_id: UserId | None = None
    installation_id: InstallationId | None = None
    key_name: KnownKeyName | None = None
    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=500),
        STORABLE,
        Field(description="For administrators: who is refused is not told."),
    ]
    until: Annotated[FutureInstant | None, Field(description="Absent: until it is lifted.")] = None

    @model_validator(mode="after")
    def _names_something(self) -> "NewRevocation":
        if all(getattr(self, name) is None for name in _NAMED):
            raise PydanticCustomError("names_nothing", "name user_id, installation_id or key_name")
        return self


class Revocation(BaseModel):
    """What is refused, why and since when."""

    id: UUID
    user_id: str | None
    installation_id: str | None
    key_name: str | None
    reason: str
    until: datetime | None
    created_at: datetime
    created_by: str


class RevocationList(BaseModel):
    """A page of revocations, newest first; those that have ended are kept for a while."""

    revocations: list[Revocation]
    next_cursor: Annotated[UUID | None, Field(description="Null: there is nothing older.")]
