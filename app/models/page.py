"""Pages of a list that is shown newest first."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from app.models.instant import Instant
from app.models.number import WHOLE

MAX_LIMIT = 500
ALL = 2**63 - 1
"""The limit of who goes on to the end of the list; nobody can ask for it."""

Entry = TypeVar("Entry")


class Place(BaseModel):
    """Where a page ended: its last entry, whose other members do not matter."""

    created_at: Instant
    id: UUID


class Page(BaseModel):
    """Which page of a list to return."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), WHOLE] = 100
    after: Annotated[
        Place | None, Field(description="The last entry of the page before; absent: the newest.")
    ] = None

    def part(self, entries: Sequence[Any], *, more: bool) -> "Part[Any]":
        """These entries as its first part; `more` says whether others may follow in the list."""
        left = self.limit - len(entries)
        if not (entries and more and left):
            return Part(entries, None)
        last = entries[-1]
        place = Place.model_construct(created_at=last.created_at, id=last.id)
        return Part(entries, self.model_copy(update={"limit": left, "after": place}))


class Part(NamedTuple, Generic[Entry]):
    """Entries of a page that are in memory at once, and what is left of it."""

    entries: Sequence[Entry]
    rest: Page | None
