"""Tasks as partners see them: those of a contact, or of nobody, in a spelling of their own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.models.instant import Instant
from app.models.page import NextCursor
from app.models.task import Status
from app.models.text import STORABLE, VISIBLE

NOBODY = ""
"""The owner of a task that is nobody's. No other door can name it."""

ContactTaskStatus = Literal["todo", "in_progress", "done", "cancelled"]
CANONICAL: Mapping[ContactTaskStatus, Status] = {
    "todo": "pending",
    "in_progress": "in_progress",
    "done": "completed",
    "cancelled": "cancelled",
}
_SPELLING = {canonical: spelling for spelling, canonical in CANONICAL.items()}


class ContactTaskFields(BaseModel):
    """The fields of a new task, except its contact."""

    title: Annotated[str, StringConstraints(max_length=200), VISIBLE]
    description: Annotated[str, StringConstraints(max_length=1000), STORABLE] | None = None
    due_date: Instant | None = None


class ContactTask(BaseModel):
    """A stored task. Instants are UTC."""

    id: UUID
    title: str
    description: str | None
    user_id: Annotated[str | None, Field(description="The contact's id; null: nobody's task.")]
    status: ContactTaskStatus
    due_date: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> "ContactTask":
        """Shows the fields of a canonical task."""
        fields = {name: task[name] for name in cls.model_fields}
        fields["user_id"] = fields["user_id"] or None
        fields["status"] = _SPELLING.get(fields["status"], fields["status"])
        return cls.model_construct(**fields)


class ContactTaskList(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[ContactTask]
    next_cursor: NextCursor
