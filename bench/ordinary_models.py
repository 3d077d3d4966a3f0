"""The models of `ordinary.py`."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

Status = Literal["pending", "in_progress", "completed", "cancelled"]
Priority = Literal["low", "medium", "high", "urgent"]


class CommandRequest(BaseModel):
    """The envelope."""

    action: str = Field(min_length=1, max_length=100)
    user_id: str = Field(min_length=1, max_length=255)
    payload: dict[str, Any] = {}


class Task(BaseModel):
    """A stored task."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    status: Status
    priority: Priority | None
    created_at: datetime
    completed_at: datetime | None
    due_date: datetime | None


class TaskList(BaseModel):
    """Tasks of one user."""

    tasks: list[Task]
    count: int


class Stats(BaseModel):
    """Counts of one user's tasks."""

    total_tasks: int
    pending_tasks: int
    in_progress_tasks: int
    completed_tasks: int
    completion_rate: float
    overdue_tasks: int


class CommandResponse(BaseModel):
    """The answer."""

    success: bool
    data: Task | TaskList | Stats
    error: str | None = None
    timestamp: datetime


class Health(BaseModel):
    """The service works."""

    status: str


class CreateTask(BaseModel):
    """The fields of a new task."""

    title: str = Field(min_length=1, max_length=500)
    description: str | None = None
    status: Status = "pending"
    priority: Priority | None = None
    due_date: datetime | None = None


class UpdateTask(BaseModel):
    """The fields to overwrite."""

    task_id: UUID
    title: str | None = Field(None, min_length=1, max_length=500)
    description: str | None = None
    status: Status | None = None
    priority: Priority | None = None
    due_date: datetime | None = None


class GetTask(BaseModel):
    """Names one task."""

    task_id: UUID


class ListTasks(BaseModel):
    """Filters."""

    status: Status | None = None
    priority: Priority | None = None


class GetStats(BaseModel):
    """Nothing."""
