"""What partners can do with tasks.

Not in the registry: a service performs the actions of `tasks`, which refuse to cancel.
"""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.commands.action import Context, action
from app.commands.models import Json, json_list
from app.errors import NotFound
from app.models.caller import CallerKind
from app.models.contact_task import (
    CANONICAL,
    NOBODY,
    ContactTask,
    ContactTaskFields,
    ContactTaskList,
    ContactTaskStatus,
)
from app.models.page import Page, Part
from app.models.task import TaskChanges, TaskFields
from app.services import Connection, contact_tasks, contacts, revocations, tasks

_ALLOW: frozenset[CallerKind] = frozenset({"partner"})


class CreateContactTask(ContactTaskFields):
    """The fields of a new task, and its contact."""

    user_id: Annotated[UUID | None, Field(description="The contact's id; null: nobody's.")] = None


@action(
    scope="tasks:write",
    writes=True,
    transaction=True,
    additive=True,
    idempotent=False,
    allow=_ALLOW,
    raises=(NotFound,),
)
async def create_contact_task(context: Context, payload: CreateContactTask) -> ContactTask:
    """Stores a new open task of a contact or of nobody."""
    user_id = NOBODY
    if payload.user_id is not None:
        await contacts.fetch_contact(context.db, payload.user_id, context.owner)
        user_id = str(payload.user_id)
        await revocations.require_unrevoked(context.db, user_id)
    fields = TaskFields.model_validate(payload.model_dump(exclude={"user_id"}))
    task = await tasks.insert_task(context.db, user_id, fields, context.origin)
    return ContactTask.of(vars(task))


class ListContactTasks(Page):
    """Filters and page; a filter that is absent or null does not restrict the list."""

    user_id: str | None = None
    status: ContactTaskStatus | None = None


@action(scope="tasks:read", allow=_ALLOW)
async def list_contact_tasks(context: Context, payload: ListContactTasks) -> Json[ContactTaskList]:
    """Returns one page of tasks, newest first, and next_cursor for the one that follows."""
    await revocations.require_unrevoked(context.db, payload.user_id)

    async def fetch(db: Connection, page: ListContactTasks) -> Part[ContactTask]:
        status = CANONICAL[page.status] if page.status else None
        return await contact_tasks.list_tasks(db, page.user_id, status, page)

    return await json_list(context.db, payload, fetch, b'{"tasks":[')


class GetContactTask(BaseModel):
    """Names one task."""

    task_id: UUID


@action(scope="tasks:read", allow=_ALLOW, raises=(NotFound,))
async def get_contact_task(context: Context, payload: GetContactTask) -> ContactTask:
    """Returns one task."""
    task = await contact_tasks.fetch_task(context.db, payload.task_id)
    await revocations.require_unrevoked(context.db, task.user_id)
    return task


class SetContactTaskStatus(BaseModel):
    """Names one task and its new status."""

    task_id: UUID
    status: ContactTaskStatus


@action(scope="tasks:write", writes=True, transaction=True, allow=_ALLOW, raises=(NotFound,))
async def set_contact_task_status(context: Context, payload: SetContactTaskStatus) -> ContactTask:
    """Overwrites the status of a task and returns the whole task."""
    task = await contact_tasks.fetch_task(context.db, payload.task_id)
    await revocations.require_unrevoked(context.db, task.user_id)
    changes = TaskChanges(status=CANONICAL[payload.status])
    owner = task.user_id or NOBODY
    written = await tasks.update_task(context.db, task.id, owner, changes, origin=context.origin)
    return ContactTask.of(vars(written))
