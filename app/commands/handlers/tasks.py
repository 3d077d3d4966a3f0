"""What can be done with tasks."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from app.commands.action import Context, Example, action
from app.errors import NotFound, VersionConflict
from app.models.caller import PEOPLE, SERVICES
from app.models.patch import Patch
from app.models.task import (
    DeletedTask,
    Task,
    TaskChanges,
    TaskFields,
    TaskId,
    Version,
    WritableStatus,
)
from app.services import deletions, tasks

_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"


class CreateTask(TaskFields):
    """The fields of a new task."""


async def _create_tasks(works: Sequence[tuple[Context, CreateTask]]) -> list[Task]:
    db = works[0][0].db
    return await tasks.insert_tasks(
        db, [(own.user_id, payload, own.origin) for own, payload in works]
    )


@action(
    scope="tasks:write",
    writes=True,
    many=_create_tasks,
    additive=True,
    idempotent=False,
    allow=PEOPLE | SERVICES,
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
    return await tasks.insert_task(context.db, context.user_id, payload, context.origin)


class GetTask(BaseModel):
    """Names one task."""

    task_id: TaskId


@action(
    scope="tasks:read",
    allow=PEOPLE | SERVICES,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def get_task(context: Context, payload: GetTask) -> Task:
    """Returns one task.

    Ownership is the platform's concern: the task of any user is returned, unless the key was
    minted to enforce ownership, in which case a foreign task is not found.
    """
    return await tasks.fetch_task(context.db, payload.task_id, context.holder)


class UpdateTask(TaskChanges, Patch):
    """Names one task and the fields to overwrite; null clears all but title and status."""

    model_config = Patch.model_config
    conditions = frozenset({"expected_version"})

    task_id: TaskId
    status: WritableStatus = "pending"
    expected_version: Annotated[
        Version | None, Field(description="Refuse with 409 unless the task has this version.")
    ] = None


@action(
    scope="tasks:write",
    writes=True,
    idempotent=False,  # completed again, it is completed later
    allow=PEOPLE | SERVICES,
    raises=(NotFound, VersionConflict),
    examples=(
        Example("complete it", task_id=_EXAMPLE_ID, status="completed"),
        Example(
            "another title and priority",
            task_id=_EXAMPLE_ID,
            title="Buy cat food and litter",
            priority="low",
        ),
    ),
)
async def update_task(context: Context, payload: UpdateTask) -> Task:
    """Overwrites the fields that are given and returns the whole task.

    Status completed stamps the completion time, any other status clears it; without a status
    it stays as it is.
    """
    return await tasks.update_task(
        context.db,
        payload.task_id,
        context.holder,
        payload,
        payload.expected_version,
        context.origin,
    )


class ReopenTask(TaskChanges):
    """Names the task to reopen, and fields to overwrite at once."""

    task_id: TaskId


@action(
    scope="tasks:write",
    writes=True,
    allow=PEOPLE,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def reopen_task(context: Context, payload: ReopenTask) -> Task:
    """Makes a completed task pending and leaves an open one as it is, other fields aside."""
    return await tasks.reopen_task(
        context.db, payload.task_id, context.holder, payload, context.origin
    )


class ToggleTask(BaseModel):
    """Names the task to complete or to reopen."""

    task_id: TaskId


@action(
    scope="tasks:write",
    writes=True,
    idempotent=False,
    allow=PEOPLE,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def toggle_task(context: Context, payload: ToggleTask) -> Task:
    """Completes a task, or reopens a completed one as pending, and returns the whole task."""
    return await tasks.toggle_task(context.db, payload.task_id, context.holder, context.origin)


class DeleteTask(BaseModel):
    """Names the task to delete."""

    task_id: TaskId
    permanent: Annotated[
        bool, Field(strict=True, description="False: keep it for restore-task, for some weeks.")
    ] = True


@action(
    scope="tasks:write",
    writes=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def delete_task(context: Context, payload: DeleteTask) -> DeletedTask:
    """Deletes a task, for good unless told otherwise. A second deletion is not found.

    Saying permanent true deletes for good also what was deleted with permanent false.
    """
    if payload.permanent:
        withdrawn = "permanent" in payload.model_fields_set
        await deletions.delete_task(
            context.db, payload.task_id, context.holder, context.origin, or_withdrawn=withdrawn
        )
    else:
        await deletions.withdraw_task(context.db, payload.task_id, context.holder, context.origin)
    return DeletedTask(deleted_id=payload.task_id)


class RestoreTask(BaseModel):
    """Names the deleted task to bring back."""

    task_id: TaskId


@action(
    scope="tasks:write",
    writes=True,
    additive=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def restore_task(context: Context, payload: RestoreTask) -> Task:
    """Brings back a task that was deleted with permanent false, as it was, and returns it."""
    return await deletions.restore_task(context.db, payload.task_id, context.holder, context.origin)
