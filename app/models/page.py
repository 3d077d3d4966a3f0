"""Pages of a list that is shown newest first."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.models.instant import Instant

MAX_LIMIT = 500


class Place(BaseModel):
    """Where a page ended: its last entry, whose other members do not matter."""

    created_at: Instant
    id: UUID


class Page(BaseModel):
    """Which part of a list to return."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, strict=True)] = 100
    after: Annotated[
        Place | None, Field(description="The last entry of the page before; absent: the newest.")
    ] = None
