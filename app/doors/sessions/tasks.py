"""/api/tasks: people with a session, and services in their name, in the words of a web client."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Security
from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from app.auth.people import SERVICE_AUTH, SESSION, person
from app.commands.handlers import tasks as actions
from app.commands.handlers.task_rows import TaskQuery
from app.commands.perform import perform
from app.doors.completion import OptionalCompletion, complete
from app.doors.listing import all_tasks
from app.http.guard import guarded
from app.http.rate_limits import Limit, count, x_headers
from app.models.error import BODY_ERRORS, REVOKED, Error, PayloadError, documented
from app.models.instant import Instant
from app.models.spelling import Source, spelling
from app.models.task import Description, Tags, Task, without_defaults
from app.models.task_list import TaskFilter
from app.models.text import VISIBLE
from app.state import Exchange

_READS = Limit("reads", "100/minute", x_headers)
_WRITES = Limit("writes", "30/minute", x_headers)
_STANDING: dict[str, Any] = {
    f"X-RateLimit-{name}": {"description": description, "schema": {"type": "integer"}}
    for name, description in (
        ("Limit", "Requests within the time that the limit looks back."),
        ("Remaining", "Those that are left."),
        ("Reset", "When the oldest will not count any more, in seconds since 1970."),
    )
}


async def _count(request: Request) -> None:
    exchange = Exchange.of(request.scope)
    await count(exchange, _READS if request.method == "GET" else _WRITES, exchange.caller.user_id)


def _named_user(
    _: Annotated[
        str | None,
        Header(alias="X-User-ID", description="With a service's token: in whose name it acts."),
    ] = None,
) -> None:
    """Documents the header, which the credential reads."""


def person_router(prefix: str, tag: str) -> APIRouter:
    """A router that asks for a person and counts what each asks."""
    return APIRouter(
        prefix=prefix,
        route_class=guarded(person, _count),
        dependencies=[Security(SESSION), Security(SERVICE_AUTH), Depends(_named_user)],
        tags=[tag],
    )


def answers(status: int, *errors: int, **descriptions: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route of this door, which tell how the user stands with its limit."""
    unauthorized = "Neither a valid session nor a service in a user's name."
    responses = documented(
        *(401, 403, *errors, 429),
        fault=Error,
        status_401=unauthorized,
        status_403=REVOKED,
        **descriptions,
    )
    if 422 in responses:
        invalid = "The request is malformed; `detail` says how, and `errors` field by field."
        responses[422] = {"model": PayloadError, "description": invalid}
    responses[429]["headers"] = {**responses[429]["headers"], **_STANDING}
    return {status: {"headers": _STANDING}, **responses}


router = person_router("/api/tasks", "sessions")

_SPELLED = {"TODO": "pending"}
_SHOWN = {"pending": "TODO"}


def _canonical(word: str) -> str:
    return _SPELLED.get(word, word.lower())


def _in_capitals(word: object) -> object:
    return word.upper() if isinstance(word, str) else word


def _shown(word: str) -> str:
    return _SHOWN.get(word, word.upper())


ShortTitle = Annotated[
    str, StringConstraints(max_length=200), VISIBLE, Field(examples=["Buy groceries"])
]
Text = Annotated[Description, Field(examples=["Milk, eggs, bread"])]
Status = Annotated[Literal["TODO", "IN_PROGRESS", "COMPLETED"], AfterValidator(_canonical)]
Priority = Annotated[
    Literal["URGENT", "HIGH", "MEDIUM", "LOW"],
    BeforeValidator(_in_capitals),
    AfterValidator(_canonical),
    Field(examples=["MEDIUM"]),
]
ShownStatus = Annotated[
    str, Field(json_schema_extra={"enum": ["TODO", "IN_PROGRESS", "COMPLETED", "CANCELLED"]})
]
ShownPriority = Annotated[
    str, Field(json_schema_extra={"enum": ["URGENT", "HIGH", "MEDIUM", "LOW"]})
]


# `due_date` is understood beside `dueDate`, the spelling that is documented.
_SPELLING = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class SessionsNewTask(BaseModel):
    """A new task."""

    model_config = _SPELLING

    title: ShortTitle
    description: Text | None = None
    priority: Priority | None = None
    due_date: Instant | None = None
    tags: Tags = []


class SessionsTaskPatch(BaseModel):
    """The fields to overwrite, one at least; null clears all but title, status and tags."""

    model_config = ConfigDict(**_SPELLING, json_schema_extra=without_defaults)

    title: ShortTitle = ""
    description: Text | None = None
    status: Status = "TODO"
    priority: Priority | None = None
    due_date: Instant | None = None
    tags: Tags = []

    @model_validator(mode="after")
    def _some_field(self) -> "SessionsTaskPatch":
        if not self.model_fields_set:
            known = ", ".join(map(to_camel, type(self).model_fields))
            raise PydanticCustomError(
                "no_fields", "No fields provided for update: known are {known}", {"known": known}
            )
        return self


class ShownTask(BaseModel):
    """A task. Instants are UTC."""

    model_config = ConfigDict(alias_generator=AliasGenerator(serialization_alias=to_camel))

    id: UUID
    title: str
    description: str | None
    status: ShownStatus
    priority: ShownPriority | None
    due_date: datetime | None
    tags: list[str]
    user_id: str
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


def _show(task: Task) -> ShownTask:
    """Builds without validating: what is stored is shown, whichever door wrote it."""
    spelled = {"status": _shown(task.status), "priority": task.priority and _shown(task.priority)}
    return ShownTask.model_construct(**{**vars(task), **spelled})


_LISTED = spelling(
    ShownTask,
    status=Source("status", tuple(_SHOWN.items()), others="in capitals"),
    priority=Source("priority", others="in capitals"),
)


@router.post("", status_code=201, summary="Create a task", responses=answers(201, *BODY_ERRORS))
async def create_task(request: Request, task: SessionsNewTask) -> ShownTask:
    """Stores a new task of the user."""
    payload = actions.CreateTask(**task.model_dump(exclude_unset=True))
    return _show(await perform(request, actions.create_task, payload))


@router.get("", summary="All tasks", responses=answers(200), response_model=list[ShownTask])
async def list_tasks(request: Request) -> Any:
    """The user's tasks, newest first."""
    return await all_tasks(request, TaskQuery(TaskFilter()), _LISTED)


@router.get("/{task_id}", summary="One task", responses=answers(200, 404, 422))
async def get_task(request: Request, task_id: UUID) -> ShownTask:
    """The task; another user's is not found."""
    return _show(await perform(request, actions.get_task, actions.GetTask(task_id=task_id)))


@router.patch("/{task_id}", summary="Change a task", responses=answers(200, 404, *BODY_ERRORS))
async def update_task(request: Request, task_id: UUID, patch: SessionsTaskPatch) -> ShownTask:
    """Overwrites the fields that are given and returns the whole task."""
    payload = actions.UpdateTask(task_id=task_id, **patch.model_dump(exclude_unset=True))
    return _show(await perform(request, actions.update_task, payload))


@router.patch(
    "/{task_id}/complete",
    summary="Complete or reopen a task",
    responses=answers(200, 404, *BODY_ERRORS),
)
async def complete_task(request: Request, task_id: UUID, wish: OptionalCompletion) -> ShownTask:
    """Makes the task what the body says; without one, completes it or reopens a completed one."""
    return _show(await complete(request, task_id, wish))


@router.delete(
    "/{task_id}", status_code=204, summary="Delete a task", responses=answers(204, 404, 422)
)
async def delete_task(request: Request, task_id: UUID) -> None:
    """Deletes the task for good."""
    await perform(request, actions.delete_task, actions.DeleteTask(task_id=task_id))
