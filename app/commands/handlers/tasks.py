"""What can be done with tasks."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.commands.action import Context, Json, action
from app.errors import NotFound
from app.models.task import (
    DeletedTask,
    Priority,
    Status,
    Task,
    TaskChanges,
    TaskFields,
    TaskId,
    TaskList,
    WritableStatus,
    without_defaults,
)
from app.services import tasks

_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"


class CreateTask(TaskFields):
    """The fields of a new task."""


@action(
    scope="tasks:write",
    writes=True,
    single_statement=True,
    idempotent=False,
    examples=(
        {
            "title": "Buy cat food",
            "description": "Salmon flavor, 2kg bag",
            "priority": "high",
            "due_date": "2026-12-20T10:00:00Z",
        },
    ),
)
async def create_task(context: Context, payload: CreateTask) -> Task:
    """Stores a new task for the user and returns it with its generated id.

    The status defaults to pending. A task created as completed gets its completion time at once.
    """
    return await tasks.insert_task(context.db, context.user_id, payload)


class ListTasks(BaseModel):
    """Filters; each one that is absent or null lets everything through."""

    status: Annotated[Status | None, Field(description="Only tasks with this status.")] = None
    priority: Annotated[Priority | None, Field(description="Only tasks of this priority.")] = None


@action(scope="tasks:read", examples=({}, {"status": "pending"}))
async def list_tasks(context: Context, payload: ListTasks) -> Json[TaskList]:
    """Returns the user's tasks, newest first, and their count."""
    return Json(
        await tasks.list_tasks_json(context.db, context.user_id, payload.status, payload.priority)
    )


class GetTask(BaseModel):
    """Names one task."""

    task_id: TaskId


@action(scope="tasks:read", raises=(NotFound,), examples=({"task_id": _EXAMPLE_ID},))
async def get_task(context: Context, payload: GetTask) -> Task:
    """Returns one task.

    Ownership is the platform's concern: the task of any user is returned, unless the key was
    minted to enforce ownership, in which case a foreign task is not found.
    """
    return await tasks.fetch_task(context.db, payload.task_id, context.owner)


def _at_least_one_field(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["anyOf"] = [{"required": [name]} for name in TaskChanges.model_fields]


class UpdateTask(TaskChanges):
    """Names one task and the fields to overwrite; null clears all but title and status."""

    model_config = ConfigDict(json_schema_extra=_at_least_one_field)

    task_id: TaskId
    status: WritableStatus = "pending"

    @model_validator(mode="after")
    def _some_field(self) -> "UpdateTask":
        if not self.model_fields_set & TaskChanges.model_fields.keys():
            raise PydanticCustomError("no_fields", "No fields provided for update")
        return self


@action(
    scope="tasks:write",
    writes=True,
    single_statement=True,
    raises=(NotFound,),
    examples=(
        {"task_id": _EXAMPLE_ID, "status": "completed"},
        {"task_id": _EXAMPLE_ID, "title": "Buy cat food and litter", "priority": "low"},
    ),
)
async def update_task(context: Context, payload: UpdateTask) -> Task:
    """Overwrites the fields that are given and returns the whole task.

    Status completed stamps the completion time, any other status clears it; without a status
    it stays as it is.
    """
    return await tasks.update_task(context.db, payload.task_id, context.owner, payload)


class DeleteTask(BaseModel):
    """Names the task to delete."""

    task_id: TaskId


@action(
    scope="tasks:write",
    writes=True,
    single_statement=True,
    destructive=True,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def delete_task(context: Context, payload: DeleteTask) -> DeletedTask:
    """Deletes a task for good. A second deletion is not found."""
    await tasks.delete_task(context.db, payload.task_id, context.owner)
    return DeletedTask(deleted_id=payload.task_id)
