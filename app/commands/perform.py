"""The one way from a request to an action."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import Request

from app.commands.action import Action, Context, OutsideContext
from app.config import Settings
from app.database import Database
from app.database.deadline import on_the_clock, time_left
from app.database.requests import get_db
from app.database.searches import Searches
from app.models.caller import Caller
from app.models.origin import Origin
from app.services import Connection
from app.state import Exchange, Resources, resources_of

Result = TypeVar("Result")
_CALLERS_OWN: Any = object()


async def perform(
    request: Request,
    action: Action,
    payload: object,
    *,
    user_id: str | None = None,
    idempotency_key: str | None = None,
    reader: str | None = _CALLERS_OWN,
) -> Any:
    """What the action returns to the caller of the request, committed.

    The user is the caller's own unless one is named. Under an idempotency key a writing action
    returns what is stored, the first answer however often it is asked. A replica may answer once
    it has what was written of the reader's tasks: the user's unless another, or nobody's, is named.
    """
    caller = Exchange.of(request.scope).caller
    action.authorize(caller)
    owner, resources = user_id or caller.user_id, resources_of(request.scope)
    if action.outside:
        lend = partial(get_db, request)
        return await action.run_outside(OutsideContext(lend, owner, caller, resources), payload)

    origin = _origin(request, caller, idempotency_key, resources)

    async def question(db: Connection) -> Any:
        context = Context(db, owner, caller, resources, origin)
        if idempotency_key is None or not action.writes:
            return await action.run(context, payload)
        return await action.answer_once(context, payload, idempotency_key)

    reader = owner if reader is _CALLERS_OWN else reader
    return await ask(request, action, payload, question, reader=reader)


def _origin(request: Request, caller: Caller, key: str | None, resources: Resources) -> Origin:
    exchange = Exchange.of(request.scope)
    command_id = key or exchange.log["request_id"]
    keeps = resources[Settings].undo_days > 0
    return Origin(
        caller.kind, caller.name, exchange.installation_id, command_id, keeps_content=keeps
    )


async def ask(
    request: Request,
    action: Action,
    payload: object,
    question: Callable[[Connection], Awaitable[Result]],
    *,
    reader: str | None,
) -> Result:
    """The answer to a question on the action's behalf, in what is left of the request's time."""
    resources, exchange = resources_of(request.scope), Exchange.of(request.scope)
    database = resources[Database]
    answer: Any = database.ask
    if action.replicable:
        answer = partial(database.read, reader=reader)
    if action.searches(payload):
        answer = partial(resources[Searches].ask, answer)
    with on_the_clock(exchange):
        result: Result = await answer(question, time_left(exchange))
        return result
