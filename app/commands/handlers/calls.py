"""What can be done with calls."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.commands.action import Context, Example, action
from app.commands.models import Json, json_list
from app.errors import NotFound
from app.models.call import Call, CallFields, CallList, CallStatus
from app.models.caller import CallerKind
from app.models.page import Page, Part
from app.models.text import UserId
from app.services import Connection, calls, revocations

_ALLOW: frozenset[CallerKind] = frozenset({"partner", "service"})
_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"

CallId = Annotated[UUID, Field(description="The call's id.")]


class ScheduleCall(CallFields):
    """The fields of a new call, and its contact."""

    user_id: Annotated[UUID, Field(description="The contact's id.")]


@action(
    scope="calls:write",
    writes=True,
    transaction=True,
    additive=True,
    idempotent=False,
    allow=_ALLOW,
    raises=(NotFound,),
    examples=(
        {
            "user_id": _EXAMPLE_ID,
            "title": "Onboarding Call - Test Azollon",
            "scheduled_for": "2026-12-20T10:00:00Z",
            "duration_minutes": 45,
            "notes": "Initial onboarding and platform overview",
        },
    ),
)
async def schedule_call(context: Context, payload: ScheduleCall) -> Call:
    """Stores a new call with a contact and returns it with its generated id."""
    call = await calls.insert_call(
        context.db, payload.user_id, context.owner, payload, context.origin
    )
    await revocations.require_unrevoked(context.db, call.user_id)
    return call


class ListCalls(Page):
    """Filters and page; a filter that is absent or null does not restrict the list."""

    user_id: Annotated[UserId | None, Field(description="Only calls with this contact.")] = None
    status: Annotated[CallStatus | None, Field(description="Only calls with this status.")] = None


@action(
    scope="calls:read",
    allow=_ALLOW,
    examples=(
        Example("all, newest first"),
        Example("20 scheduled ones", status="scheduled", limit=20),
    ),
)
async def list_calls(context: Context, payload: ListCalls) -> Json[CallList]:
    """Returns one page of calls, newest first, and next_cursor for the one that follows."""
    owner = context.owner
    if owner is None:
        await revocations.require_unrevoked(context.db, payload.user_id)

    async def fetch(db: Connection, page: ListCalls) -> Part[Call]:
        return await calls.list_calls(db, owner, page.user_id, page.status, page)

    return await json_list(context.db, payload, fetch, b'{"calls":[')


class GetCall(BaseModel):
    """Names one call."""

    call_id: CallId


@action(scope="calls:read", allow=_ALLOW, raises=(NotFound,), examples=({"call_id": _EXAMPLE_ID},))
async def get_call(context: Context, payload: GetCall) -> Call:
    """Returns one call as it is stored."""
    call = await calls.fetch_call(context.db, payload.call_id, context.holder)
    await revocations.require_unrevoked(context.db, call.user_id)
    return call


class SetCallStatus(BaseModel):
    """Names one call and its new status."""

    call_id: CallId
    status: CallStatus


@action(
    scope="calls:write",
    writes=True,
    transaction=True,
    allow=_ALLOW,
    raises=(NotFound,),
    examples=({"call_id": _EXAMPLE_ID, "status": "completed"},),
)
async def set_call_status(context: Context, payload: SetCallStatus) -> Call:
    """Overwrites the status of a call and returns the whole call."""
    call = await calls.set_status(
        context.db, payload.call_id, context.holder, payload.status, context.origin
    )
    await revocations.require_unrevoked(context.db, call.user_id)
    return call
