"""What can be done with tasks."""

from functools import partial
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError, to_json

from app.commands.action import Context, Example, action
from app.commands.models import Json
from app.errors import NotFound, VersionConflict
from app.models.caller import PEOPLE, SERVICES
from app.models.number import WHOLE
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
from app.models.task_list import NEWEST_FIRST, Position, Slice, TaskFilter, TaskList, TaskSort
from app.services import Connection, task_lists, tasks

_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"


class CreateTask(TaskFields):
    """The fields of a new task."""


@action(
    scope="tasks:write",
    writes=True,
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


_PAGE_SIZE = 20


class ListTasks(TaskFilter):
    """Filters, sort order and page; a filter that is absent or null does not restrict the list."""

    sort: Annotated[TaskSort, Field(description="With `-` the greatest first.")] = NEWEST_FIRST
    limit: Annotated[
        Annotated[int, Field(ge=1, le=100), WHOLE] | None,
        Field(description="Tasks a page; default 20 where there are pages."),
    ] = None
    page: Annotated[
        Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None,
        Field(description="The number of the page, from 1."),
    ] = None
    cursor: Annotated[
        str | None,
        Field(
            max_length=4000,
            description="`next_cursor` of the page before: no task is skipped "
            "or repeated while others are written.",
        ),
    ] = None

    @model_validator(mode="after")
    def _one_way_to_page(self) -> "ListTasks":
        if self.page is not None and self.cursor is not None:
            raise PydanticCustomError("pages", "page and cursor cannot be combined")
        return self

    @field_validator("cursor")
    @classmethod
    def _ours(cls, cursor: str | None, known: ValidationInfo) -> str | None:
        if cursor is not None and "sort" in known.data:
            try:
                Position.of_cursor(cursor, known.data["sort"])
            except ValueError as error:
                raise PydanticCustomError("cursor", str(error)) from None
        return cursor

    @property
    def is_paged(self) -> bool:
        """Whether a page is asked for, and not the whole list."""
        return any(given is not None for given in (self.limit, self.page, self.cursor))

    @property
    def part(self) -> Slice:
        """The page, or the whole list."""
        if not self.is_paged:
            return Slice()
        size = self.limit or _PAGE_SIZE
        after = None if self.cursor is None else Position.of_cursor(self.cursor, self.sort)
        return Slice(size, after, size * ((self.page or 1) - 1))


@action(
    scope="tasks:read",
    replicable=True,
    searches=lambda payload: payload.search is not None,
    allow=PEOPLE | SERVICES,
    examples=(
        Example("all, newest first"),
        Example("pending ones", status="pending"),
        Example("due this week", due_from="2026-12-14T00:00:00Z", due_to="2026-12-20T23:59:59Z"),
        Example("page by page, what is due first", sort="due_date", limit=20),
    ),
)
async def list_tasks(context: Context, payload: ListTasks) -> Json[TaskList]:
    """Returns the user's tasks, newest first unless sorted otherwise, and their count.

    With limit, page or cursor it returns one page, and next_cursor for the one that follows;
    with page also the total. Without them it returns all tasks.
    """
    total = None
    if payload.page is not None:
        total = await task_lists.count_tasks(context.db, context.user_id, payload)
    listing = _Listing(context.user_id, payload, total)
    return await listing.go_on(context.db, payload.part, b'{"tasks":[')


class _Listing(NamedTuple):
    """One answer of list-tasks: what was asked for, and what is known so far."""

    user_id: str
    payload: ListTasks
    total: int | None
    size: int = 0

    async def go_on(
        self, db: Connection, part: Slice, opening: bytes | None = None
    ) -> Json[TaskList]:
        """The answer from here on, of which a long one has a rest."""
        payload = self.payload
        page = await task_lists.fetch_page(db, self.user_id, payload, payload.sort, part)
        listed = self._replace(size=self.size + page.size)
        if page.rest is None:
            return Json(page.tasks, opening, listed.closing(page.last))
        return Json(page.tasks, opening, rest=partial(listed.go_on, part=page.rest))

    def closing(self, last: Position | None) -> bytes:
        """What follows the tasks."""
        members: dict[str, int | str | None] = {"count": self.size}
        if self.total is not None:
            members["total"] = self.total
        if self.payload.is_paged:
            members["next_cursor"] = last.cursor(self.payload.sort) if last else None
        return b"]," + to_json(members)[1:]


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
    return await tasks.fetch_task(context.db, payload.task_id, context.owner)


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
        context.owner,
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
        context.db, payload.task_id, context.owner, payload, context.origin
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
    return await tasks.toggle_task(context.db, payload.task_id, context.owner, context.origin)


class DeleteTask(BaseModel):
    """Names the task to delete."""

    task_id: TaskId
    permanent: Annotated[
        bool, Field(strict=True, description="False: keep it for restore-task, for some weeks.")
    ] = True


@action(
    scope="tasks:write",
    writes=True,
    destructive=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def delete_task(context: Context, payload: DeleteTask) -> DeletedTask:
    """Deletes a task, for good unless told otherwise. A second deletion is not found."""
    delete = tasks.delete_task if payload.permanent else tasks.withdraw_task
    await delete(context.db, payload.task_id, context.owner, context.origin)
    return DeletedTask(deleted_id=payload.task_id)


class RestoreTask(BaseModel):
    """Names the deleted task to bring back."""

    task_id: TaskId


@action(
    scope="tasks:write",
    writes=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound,),
    examples=({"task_id": _EXAMPLE_ID},),
)
async def restore_task(context: Context, payload: RestoreTask) -> Task:
    """Brings back a task that was deleted with permanent false, as it was, and returns it."""
    return await tasks.restore_task(context.db, payload.task_id, context.owner, context.origin)
