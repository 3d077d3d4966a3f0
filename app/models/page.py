"""Pages of a list that is shown newest first."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Generic, NamedTuple, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.models.instant import Instant
from app.models.number import WHOLE

MAX_LIMIT = 500
_LONGEST_CURSOR = 200
ALL = 2**63 - 1
"""The limit of who goes on to the end of the list; nobody can ask for it."""

Entry = TypeVar("Entry")


class Place(BaseModel):
    """Where a page ended: its last entry, whose other members do not matter."""

    created_at: Instant
    id: UUID

    @property
    def cursor(self) -> str:
        """The same, opaque, for the client to hand in for the next page."""
        return urlsafe_b64encode(self.model_dump_json().encode()).decode()

    @classmethod
    def of_cursor(cls, cursor: str) -> Self:
        """The place; ValueError for a cursor that was not issued."""
        return cls.model_validate_json(urlsafe_b64decode(cursor))


NextCursor = Annotated[
    str | None, Field(description="`cursor` of the next page; null: there is nothing older.")
]


class Page(BaseModel):
    """Which page of a list to return."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), WHOLE] = 100
    cursor: Annotated[
        str | None,
        Field(
            max_length=_LONGEST_CURSOR,
            description="`next_cursor` of the page before; absent: the newest.",
        ),
    ] = None
    after: Annotated[
        Place | None, Field(description="The last entry of the page before, in place of a cursor.")
    ] = None

    @field_validator("cursor")
    @classmethod
    def _ours(cls, cursor: str | None) -> str | None:
        if cursor is not None:
            try:
                Place.of_cursor(cursor)
            except ValueError:
                raise PydanticCustomError("cursor", "was not issued with such a list") from None
        return cursor

    @model_validator(mode="after")
    def _one_way_to_page(self) -> Self:
        if self.cursor is not None and self.after is not None:
            raise PydanticCustomError("pages", "cursor and after exclude each other")
        return self

    @property
    def start(self) -> Place | None:
        """After which entry it begins; None where that is the newest."""
        return self.after if self.cursor is None else Place.of_cursor(self.cursor)

    def part(self, entries: Sequence[Any], *, more: bool) -> "Part[Any]":
        """These entries as its first part; `more` says whether others may follow in the list."""
        left = self.limit - len(entries)
        if not entries or (left and not more):
            return Part(entries)
        place = Place.model_construct(created_at=entries[-1].created_at, id=entries[-1].id)
        if not left:
            return Part(entries, last=place)
        following = {"limit": left, "cursor": None, "after": place}
        return Part(entries, self.model_copy(update=following))


class Part(NamedTuple, Generic[Entry]):
    """Entries of a page that are in memory at once, and what is left of it.

    `last` is where the page ends, if others may follow it.
    """

    entries: Sequence[Entry]
    rest: Page | None = None
    last: Place | None = None
