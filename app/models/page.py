"""Pages of a list that is shown newest first."""

from collections.abc import Sequence
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.models.instant import Instant
from app.models.number import WHOLE

MAX_LIMIT = 500


class Place(BaseModel):
    """Where a page ended: its last entry, whose other members do not matter."""

    created_at: Instant
    id: UUID


class Page(BaseModel):
    """Which part of a list to return."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), WHOLE] = 100
    after: Annotated[
        Place | None, Field(description="The last entry of the page before; absent: the newest.")
    ] = None

    def following(self, entries: Sequence[Any]) -> Self | None:
        """The page after this one, which had these entries; None after the last."""
        if len(entries) < self.limit:
            return None
        last = entries[-1]
        place = Place.model_construct(created_at=last.created_at, id=last.id)
        return self.model_copy(update={"after": place})
