"""/api/{user_id}/tasks: the tasks of people whom another service signs in."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Security
from pydantic import BaseModel, Field, StringConstraints
from starlette.exceptions import HTTPException

from app.auth.user_tokens import USER_TOKEN, user_token
from app.commands.handlers import tasks as actions
from app.commands.handlers.task_rows import TaskQuery
from app.commands.perform import perform
from app.doors.completion import OptionalCompletion, complete
from app.doors.listing import Frame, all_tasks
from app.errors import NotFound
from app.http.examples import refuses
from app.http.guard import guarded
from app.models.error import BODY_ERRORS, refusals
from app.models.instant import Instant, LastInstant
from app.models.number import DIGITS
from app.models.patch import Patch
from app.models.spelling import Source, spelling
from app.models.task import Priority, Task
from app.models.task_list import NEWEST_FIRST, CompletionFilter, Search, Slice, TaskSort
from app.models.text import STORABLE, VISIBLE


class UserTaskError(BaseModel):
    """Why the request was refused."""

    detail: str
    code: Literal["VALIDATION_ERROR", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "SERVER_ERROR"]


def _named_user(
    _: Annotated[str, Path(alias="user_id", description="The token's subject.")],
) -> None:
    """Documents the path's user, whom the credential reads."""


router = APIRouter(
    prefix="/api/{user_id}/tasks",
    route_class=guarded(user_token),
    dependencies=[Security(USER_TOKEN), Depends(_named_user)],
    tags=["user tasks"],
)


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return refusals(
        *(400, 401, 403, *(status for status in statuses if status != 422)),
        model=UserTaskError,
        status_400="The request is wrong; `detail` names what is.",
        status_401="The token is missing, invalid or expired.",
        status_403="The token, or the task, is another user's; or an administrator revoked it.",
    )


TaskPath = Annotated[str, Path(description="The task's id.", json_schema_extra={"format": "uuid"})]
_PAGE_SIZE = 20
_DUE = "Only tasks due on this day (UTC), or at this instant."
_SORTS: dict[str, TaskSort] = {"created": NEWEST_FIRST, "title": "title"}
_Title = Annotated[str, StringConstraints(max_length=200), VISIBLE]
_Description = Annotated[str, StringConstraints(max_length=1000), STORABLE]


class UserTasksNewTask(BaseModel):
    """A new task. Priority and due date are kept, and other doors show them."""

    title: _Title
    description: _Description | None = None
    priority: Priority | None = None
    due_date: Instant | None = None


class UserTasksTaskUpdate(Patch):
    """The fields to overwrite; null clears description, priority and due date."""

    title: _Title = ""
    description: _Description | None = None
    completed: Annotated[bool, Field(strict=True)] = False
    priority: Priority | None = None
    due_date: Instant | None = None


class TaskListQuery(BaseModel):
    """Which tasks, in which order, and which page of them; all in one without limit and page."""

    status: Literal["all", "pending", "completed"] = "all"
    sort: Annotated[
        Literal["created", "title"], Field(description="Newest first, or from A to Z.")
    ] = "created"
    priority: Priority | None = None
    search: Search | None = None
    # One parameter, read as both ends of what it names: a day, or an instant.
    due_from: Annotated[Instant | None, Field(alias="due_date", description=_DUE)] = None
    due_to: Annotated[LastInstant | None, Field(alias="due_date", description=_DUE)] = None
    limit: Annotated[Annotated[int, Field(ge=1, le=100), DIGITS] | None, Field()] = None
    page: Annotated[Annotated[int, Field(ge=1, le=1_000_000), DIGITS] | None, Field()] = None

    @property
    def tasks(self) -> TaskQuery:
        """The same, as the core spells it."""
        given = self.model_dump(include={"priority", "search", "due_from", "due_to"})
        completed = None if self.status == "all" else self.status == "completed"
        filters = CompletionFilter(**given, completed=completed)
        return TaskQuery(filters, _SORTS[self.sort], self._part)

    @property
    def _part(self) -> Slice:
        if self.limit is None and self.page is None:
            return Slice()
        size = self.limit or _PAGE_SIZE
        return Slice(size, offset=size * ((self.page or 1) - 1))


class UserTask(BaseModel):
    """A task as this door shows it."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime


class UserTaskList(BaseModel):
    """The tasks that were asked for, and how many they are."""

    tasks: list[UserTask]
    count: Annotated[int, Field(ge=0)]


_LISTED = spelling(UserTask, completed=Source("status", (("completed", True),), others=False))
_LIST = Frame(b'{"tasks":[', lambda count: b'],"count":%d}' % count)


def _id(text: str) -> UUID:
    """The id in the text; what is no id is not found either."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("Task not found") from None


def _show(task: Task) -> UserTask:
    """Builds without validating: what is stored is shown, whichever door wrote it."""
    return UserTask.model_construct(**vars(task), completed=task.status == "completed")


@router.post("", status_code=201, summary="Create a task", responses=_answers(404, *BODY_ERRORS))
@refuses(on_404=HTTPException(404))
async def create_task(request: Request, new: UserTasksNewTask) -> UserTask:
    """Stores a new task of the user."""
    payload = actions.CreateTask(**new.model_dump())
    return _show(await perform(request, actions.create_task, payload))


@router.get("", summary="List tasks", responses=_answers(404), response_model=UserTaskList)
@refuses(on_404=HTTPException(404))
async def list_tasks(request: Request, query: Annotated[TaskListQuery, Query()]) -> Any:
    """The user's tasks; pending are those that are not completed."""
    return await all_tasks(request, query.tasks, _LISTED, _LIST)


@router.get("/{task_id}", summary="One task", responses=_answers(404))
async def get_task(request: Request, task_id: TaskPath) -> UserTask:
    """One task of the user."""
    payload = actions.GetTask(task_id=_id(task_id))
    return _show(await perform(request, actions.get_task, payload))


@router.put("/{task_id}", summary="Change a task", responses=_answers(404, *BODY_ERRORS))
async def update_task(request: Request, task_id: TaskPath, update: UserTasksTaskUpdate) -> UserTask:
    """Overwrites the fields that are given. `completed: false` leaves an open task as it is."""
    changes = update.model_dump(exclude_unset=True)
    completed = changes.pop("completed", None)
    if completed is False:
        reopening = actions.ReopenTask(task_id=_id(task_id), **changes)
        return _show(await perform(request, actions.reopen_task, reopening))
    if completed:
        changes["status"] = "completed"
    payload = actions.UpdateTask(task_id=_id(task_id), **changes)
    return _show(await perform(request, actions.update_task, payload))


@router.patch(
    "/{task_id}/complete",
    summary="Complete or reopen a task",
    responses=_answers(404, *BODY_ERRORS),
)
async def complete_task(request: Request, task_id: TaskPath, wish: OptionalCompletion) -> UserTask:
    """Makes the task what the body says; without one, completes it or reopens a completed one."""
    return _show(await complete(request, _id(task_id), wish))


@router.delete("/{task_id}", status_code=204, summary="Delete a task", responses=_answers(404))
async def delete_task(request: Request, task_id: TaskPath) -> None:
    """Deletes the task for good."""
    await perform(request, actions.delete_task, actions.DeleteTask(task_id=_id(task_id)))
