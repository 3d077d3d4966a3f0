"""/api/v1/tasks: the tasks of an account, with their versions and categories."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Security
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import to_json

from app.auth.people import ACCOUNT_TOKEN, account_token
from app.commands.handlers import tasks as actions
from app.commands.handlers.categories import EXAMPLE_TASK_ID, categorized
from app.commands.handlers.task_rows import TaskQuery, find_categorized_tasks, find_labels
from app.commands.perform import perform
from app.doors.listing import Frame, Shown, listing
from app.errors import VersionConflict
from app.http.examples import refuses
from app.http.guard import guarded
from app.http.rate_limits import Limit, count, standard_headers
from app.models.category import CategorizedTask, CategoryLabel
from app.models.error import refusals
from app.models.instant import FutureInstant, Instant, LastInstant
from app.models.number import DIGITS
from app.models.patch import Patch
from app.models.task import Priority, Status, Task, Version, WritableStatus
from app.models.task_list import CategorizedRows, Slice, TaskFilter, TaskSort, UntitledSort
from app.models.text import STORABLE, VISIBLE
from app.state import Exchange

UNAUTHORIZED = "The token is missing, invalid or expired."
UNVERIFIED = "The address is not verified, or an administrator revoked the account."
_WRITES = Limit("account-writes", "300/minute", standard_headers)


async def _count(request: Request) -> None:
    if request.method != "GET":
        exchange = Exchange.of(request.scope)
        await count(exchange, _WRITES, exchange.caller.user_id)


def account_router(tag: str) -> APIRouter:
    """A router that asks for an account's token, and counts what each account writes."""
    return APIRouter(
        prefix="/api/v1",
        route_class=guarded(account_token, _count),
        dependencies=[Security(ACCOUNT_TOKEN)],
        tags=[tag],
    )


router = account_router("account tasks")


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    forbidden = "It belongs to somebody else, the address is not verified, or it was revoked."
    return refusals(
        *(400, 401, 403, *statuses),
        status_400="The request is wrong; `detail` names what is.",
        status_401=UNAUTHORIZED,
        status_403=forbidden if 404 in statuses else UNVERIFIED,
        status_409="The task has another version by now.",
    )


TaskPath = Annotated[UUID, Path(description="The task's id.", examples=[EXAMPLE_TASK_ID])]
_Title = Annotated[str, StringConstraints(min_length=3, max_length=200), VISIBLE]
_Description = Annotated[str, StringConstraints(max_length=2000), STORABLE]
_Priority = Literal["low", "medium", "high"]


class AccountsNewTask(BaseModel):
    """A new task. Its due date must lie in the future."""

    title: _Title
    description: _Description | None = None
    due_date: FutureInstant | None = None
    priority: _Priority = "medium"


class AccountsTaskPatch(Patch):
    """The version that was read, and the fields to overwrite; null clears what may be null."""

    version: Version
    title: _Title = ""
    description: _Description | None = None
    due_date: FutureInstant | None = None
    priority: _Priority = "medium"
    status: WritableStatus = "pending"


class TaskPageQuery(BaseModel):
    """Filters, sort order and page."""

    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=2**31 - 1), DIGITS] = 1
    limit: Annotated[int, Field(ge=1, le=100), DIGITS] = 20
    status: WritableStatus | None = None
    priority: _Priority | None = None
    due_from: Annotated[Instant | None, Field(description="Due then or later.")] = None
    due_to: Annotated[
        LastInstant | None, Field(description="Due then or earlier; a date includes its day.")
    ] = None
    sort: Annotated[UntitledSort, Field(description="With `-` the greatest first.")] = "-created_at"
    order: Annotated[
        Literal["asc", "desc"] | None, Field(description="Decides instead of the `-`.")
    ] = None

    @property
    def filters(self) -> TaskFilter:
        """The conditions that were given."""
        given = self.model_fields_set & TaskFilter.model_fields.keys()
        return TaskFilter(**self.model_dump(include=given))

    @property
    def direction(self) -> TaskSort:
        """The order, as the core spells it."""
        key = self.sort.removeprefix("-")
        sorts: dict[str | None, Any] = {None: self.sort, "asc": key, "desc": f"-{key}"}
        sort: TaskSort = sorts[self.order]
        return sort

    @property
    def part(self) -> Slice:
        """The page, as the core spells it."""
        return Slice(self.limit, offset=self.limit * (self.page - 1))


class AccountTask(BaseModel):
    """A task as this door shows it."""

    id: UUID
    title: str
    description: str | None
    due_date: datetime | None
    priority: Priority | None
    status: Status
    created_at: datetime
    updated_at: datetime
    version: int
    categories: list[CategoryLabel]


class TaskPage(BaseModel):
    """One page of the account's tasks."""

    items: list[AccountTask]
    total: Annotated[int, Field(ge=0, description="Tasks on all pages.")]
    page: int
    limit: int


def shown(task: CategorizedTask) -> AccountTask:
    """Builds without validating: what is stored is shown, whichever door wrote it."""
    return AccountTask.model_construct(**vars(task))


@router.post(
    "/tasks", status_code=201, summary="Create a task", responses=_answers(408, 413, 415, 429)
)
async def create_task(request: Request, new: AccountsNewTask) -> AccountTask:
    """Stores a new task of the account."""
    given = {"priority": new.priority, **new.model_dump(exclude_unset=True)}
    task: Task = await perform(request, actions.create_task, actions.CreateTask(**given))
    return AccountTask.model_construct(**vars(task), categories=[])


@router.get("/tasks", summary="List tasks", responses=_answers(), response_model=TaskPage)
async def list_tasks(request: Request, query: Annotated[TaskPageQuery, Query()]) -> Any:
    """One page of the account's tasks, newest first unless sorted otherwise."""
    tasks = TaskQuery(query.filters, query.direction, query.part)
    totals: list[int] = []

    async def fetch(part: Slice) -> Shown:
        question = tasks._replace(part=part)
        rows: CategorizedRows = await perform(request, find_categorized_tasks, question)
        if rows.total is not None:
            totals.append(rows.total)
        entries = to_json(await _labelled(request, rows))[1:-1]
        return Shown(entries, len(rows.tasks), rows.rest)

    def ending(_: int) -> bytes:
        return b'],"total":%d,"page":%d,"limit":%d}' % (*totals, query.page, query.limit)

    return await listing(fetch, query.part, Frame(b'{"items":[', ending))


async def _labelled(request: Request, rows: CategorizedRows) -> list[AccountTask]:
    """The tasks with their categories, each of which is fetched once."""
    wanted = set().union(*rows.category_ids)
    labels = await perform(request, find_labels, wanted) if wanted else []
    return [
        AccountTask.model_construct(
            **vars(task), categories=[label for label in labels if label.id in ids]
        )
        for task, ids in zip(rows.tasks, map(set, rows.category_ids), strict=True)
    ]


@router.get("/tasks/{task_id}", summary="One task", responses=_answers(404))
async def get_task(request: Request, task_id: TaskPath) -> AccountTask:
    """The task with its categories."""
    payload = actions.GetTask(task_id=task_id)
    return shown(await perform(request, categorized(actions.get_task), payload))


@router.patch(
    "/tasks/{task_id}", summary="Change a task", responses=_answers(404, 408, 409, 413, 415, 429)
)
@refuses(on_409=VersionConflict("The task was changed in the meantime: version 2"))
async def update_task(request: Request, task_id: TaskPath, patch: AccountsTaskPatch) -> AccountTask:
    """Overwrites the fields that are given, unless the task was changed since it was read."""
    changes = patch.model_dump(exclude_unset=True, exclude={"version"})
    payload = actions.UpdateTask(task_id=task_id, expected_version=patch.version, **changes)
    return shown(await perform(request, categorized(actions.update_task), payload))


@router.delete(
    "/tasks/{task_id}", status_code=204, summary="Delete a task", responses=_answers(404, 429)
)
async def delete_task(request: Request, task_id: TaskPath) -> None:
    """Deletes the task; for some weeks a service may restore it."""
    payload = actions.DeleteTask(task_id=task_id, permanent=False)
    await perform(request, actions.delete_task, payload)
