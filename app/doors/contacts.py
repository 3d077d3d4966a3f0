"""/users, /calls and /tasks, for the partner who holds the API key."""

from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Security
from pydantic import BaseModel, Field

from app.auth.shared_keys import PARTNER_KEY, partner_key
from app.commands.handlers import calls, contact_tasks, contacts
from app.commands.perform import perform
from app.doors.listing import whole_list
from app.errors import NotFound
from app.http.examples import refuses
from app.http.guard import guarded
from app.models.call import Call, CallFields, CallStatus
from app.models.constant import AlwaysFalse
from app.models.contact import Contact
from app.models.contact_task import ContactTask, ContactTaskFields, ContactTaskStatus
from app.models.error import BODY_ERRORS, RequestError, refusals
from app.models.text import UserId

_LONGEST_ECHO = 100

_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"

ContactId = Annotated[UserId, Field(description="The user's id.", examples=[_EXAMPLE_ID])]
EntityId = Annotated[str, Path(examples=[_EXAMPLE_ID])]


class Refusal(BaseModel):
    """Why the request was refused."""

    success: AlwaysFalse
    message: str


class InvalidRequestError(RequestError):
    """What is wrong with the request, and the same as a sentence."""

    message: str


router = APIRouter(
    route_class=guarded(partner_key),
    dependencies=[Security(PARTNER_KEY)],
    tags=["contacts"],
)


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    answers = refusals(
        *(401, 403, *statuses),
        model=Refusal,
        status_400="The query is not UTF-8.",
        status_401="The key is missing.",
        status_403="The key is wrong, or an administrator revoked the user.",
    )
    if 422 in answers:
        answers[422] = {**answers[422], "model": InvalidRequestError}
    return answers


def _id(kind: str, text: str) -> UUID:
    """The id in the text; what is no id is not found either."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"{kind} {text[:_LONGEST_ECHO]} not found") from None


def _absent(kind: str) -> NotFound:
    return NotFound(f"{kind} {_EXAMPLE_ID} not found")


def _as_stored(user_id: str | None) -> str | None:
    """The id in the spelling that is stored; what is no id matches nothing anyway."""
    with suppress(NotFound):
        return None if user_id is None else str(_id("User", user_id))
    return user_id


@router.post(
    "/users",
    status_code=201,
    summary="Create a user",
    response_model=Contact,
    responses=_refusals(*BODY_ERRORS),
)
async def create_user(request: Request, user: contacts.CreateContact) -> Any:
    """Stores a new user."""
    return await perform(request, contacts.create_contact, user)


@router.get("/users", summary="List all users", response_model=list[Contact], responses=_refusals())
async def list_users(request: Request) -> Any:
    """All users, newest first."""
    query = contacts.ListContacts()
    return await whole_list(request, contacts.list_contacts, query)


@router.get(
    "/users/{user_id}",
    summary="Get a user",
    response_model=Contact,
    responses=_refusals(404),
)
@refuses(on_404=_absent("User"))
async def read_user(request: Request, user_id: EntityId) -> Any:
    """One user."""
    query = contacts.GetContact(contact_id=_id("User", user_id))
    return await perform(request, contacts.get_contact, query)


class NewCall(CallFields):
    """A call to schedule."""

    user_id: ContactId


@router.post(
    "/calls",
    status_code=201,
    summary="Schedule a call",
    response_model=Call,
    responses=_refusals(404, *BODY_ERRORS),
)
@refuses(on_404=_absent("User"))
async def schedule_call(request: Request, call: NewCall) -> Any:
    """Schedules a call with a user."""
    user_id = _id("User", call.user_id)
    payload = calls.ScheduleCall(**{**dict(call), "user_id": user_id})
    return await perform(request, calls.schedule_call, payload)


@router.get(
    "/calls", summary="List calls", response_model=list[Call], responses=_refusals(400, 422)
)
async def list_calls(
    request: Request,
    user_id: Annotated[ContactId | None, Query()] = None,
    status_filter: CallStatus | None = None,
) -> Any:
    """All calls, or those with one user or of one status, newest first."""
    query = calls.ListCalls(user_id=_as_stored(user_id), status=status_filter)
    return await whole_list(request, calls.list_calls, query)


@router.get("/calls/{call_id}", summary="Get a call", response_model=Call, responses=_refusals(404))
@refuses(on_404=_absent("Call"))
async def read_call(request: Request, call_id: EntityId) -> Any:
    """One call."""
    query = calls.GetCall(call_id=_id("Call", call_id))
    return await perform(request, calls.get_call, query)


@router.patch(
    "/calls/{call_id}/status",
    summary="Update a call's status",
    response_model=Call,
    responses=_refusals(400, 404, 422),
)
@refuses(on_404=_absent("Call"))
async def set_call_status(request: Request, call_id: EntityId, new_status: CallStatus) -> Any:
    """Sets the status of a call and returns the whole call."""
    payload = calls.SetCallStatus(call_id=_id("Call", call_id), status=new_status)
    return await perform(request, calls.set_call_status, payload)


class ContactsNewTask(ContactTaskFields):
    """A new task, for a user or for nobody in particular."""

    user_id: ContactId | None = None


@router.post(
    "/tasks",
    status_code=201,
    summary="Create a task",
    response_model=ContactTask,
    responses=_refusals(404, *BODY_ERRORS),
)
@refuses(on_404=_absent("User"))
async def create_task(request: Request, task: ContactsNewTask) -> Any:
    """Stores a new task."""
    user_id = None if task.user_id is None else _id("User", task.user_id)
    payload = contact_tasks.CreateContactTask(**{**dict(task), "user_id": user_id})
    return await perform(request, contact_tasks.create_contact_task, payload)


@router.get(
    "/tasks", summary="List tasks", response_model=list[ContactTask], responses=_refusals(400, 422)
)
async def list_tasks(
    request: Request,
    user_id: Annotated[ContactId | None, Query()] = None,
    status_filter: ContactTaskStatus | None = None,
) -> Any:
    """All tasks, or those for one user or of one status, newest first."""
    query = contact_tasks.ListContactTasks(user_id=_as_stored(user_id), status=status_filter)
    return await whole_list(request, contact_tasks.list_contact_tasks, query)


@router.get(
    "/tasks/{task_id}", summary="Get a task", response_model=ContactTask, responses=_refusals(404)
)
async def read_task(request: Request, task_id: EntityId) -> Any:
    """One task."""
    query = contact_tasks.GetContactTask(task_id=_id("Task", task_id))
    return await perform(request, contact_tasks.get_contact_task, query)


@router.patch(
    "/tasks/{task_id}/status",
    summary="Update a task's status",
    response_model=ContactTask,
    responses=_refusals(400, 404, 422),
)
async def set_task_status(
    request: Request, task_id: EntityId, new_status: ContactTaskStatus
) -> Any:
    """Sets the status of a task and returns the whole task."""
    payload = contact_tasks.SetContactTaskStatus(task_id=_id("Task", task_id), status=new_status)
    return await perform(request, contact_tasks.set_contact_task_status, payload)
