"""The canonical task: what is written, what is shown, and what every field may be."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.models.constant import AlwaysTrue
from app.models.instant import Instant
from app.models.number import WHOLE
from app.models.text import COMPOSED, STORABLE, VISIBLE

Title = Annotated[str, StringConstraints(max_length=500), VISIBLE]
Description = Annotated[str, StringConstraints(max_length=100_000), STORABLE]
Tag = Annotated[str, StringConstraints(max_length=100), VISIBLE, COMPOSED]
Tags = Annotated[list[Tag], Field(max_length=100, examples=[["shopping", "personal"]])]
Priority = Literal["low", "medium", "high", "urgent"]
WritableStatus = Literal["pending", "in_progress", "completed"]
Status = Literal["pending", "in_progress", "completed", "cancelled"]
Extra = Literal["tags", "updated_at", "version"]
"""What a task shows beside its nine fields where it is asked for."""
Version = Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE]
TaskId = Annotated[UUID, Field(description="The task's id.")]


class TaskFields(BaseModel):
    """The fields of a new task."""

    title: Title
    description: Description | None = None
    status: WritableStatus = "pending"
    priority: Priority | None = None
    due_date: Instant | None = None
    tags: Tags = []


def without_defaults(schema: dict[str, Any]) -> None:
    """Takes the defaults out of a JSON schema whose absent members mean: leave it as it is."""
    for member in schema["properties"].values():
        member.pop("default", None)


class TaskChanges(BaseModel):
    """The fields of a task to overwrite; one that is not set stays as it is."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    title: Title = ""
    description: Description | None = None
    status: Status = "pending"
    priority: Priority | None = None
    due_date: Instant | None = None
    tags: Tags = []


class Task(BaseModel):
    """A stored task. Instants are UTC."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    status: Status
    priority: Priority | None
    created_at: datetime
    completed_at: datetime | None
    due_date: datetime | None
    # Known to every door, shown by those whose contract has them.
    tags: list[str] = Field(exclude=True)
    updated_at: datetime = Field(exclude=True)
    version: int = Field(exclude=True)
    deleted_at: datetime | None = Field(exclude=True)


class DeletedTask(BaseModel):
    """Confirms that a task is gone for good."""

    success: AlwaysTrue = True
    deleted_id: UUID
