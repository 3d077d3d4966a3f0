"""Calls that are scheduled with contacts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.models.contact import Notes
from app.models.instant import Instant
from app.models.number import WHOLE
from app.models.page import NextCursor
from app.models.text import VISIBLE

CallTitle = Annotated[str, StringConstraints(max_length=200), VISIBLE]
CallStatus = Literal["scheduled", "completed", "cancelled", "rescheduled"]


class CallFields(BaseModel):
    """The fields of a new call, except its contact."""

    title: CallTitle
    scheduled_for: Instant
    duration_minutes: Annotated[int, Field(ge=15, le=240), WHOLE] = 30
    notes: Notes | None = None


class Call(BaseModel):
    """A stored call. Instants are UTC."""

    id: UUID
    user_id: Annotated[str, Field(description="The contact's id.")]
    title: str
    scheduled_for: datetime
    duration_minutes: int
    notes: str | None
    status: CallStatus
    created_at: datetime
    updated_at: datetime


class CallList(BaseModel):
    """A page of calls, newest first."""

    calls: list[Call]
    next_cursor: NextCursor
