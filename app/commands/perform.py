"""The one way from a request to an action."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from fastapi import HTTPException, Request

from app.commands.action import Action, Answers, BatchContext, Context, OutsideContext
from app.commands.answers import answer_once, answer_whole, on_one_connection
from app.commands.models import NO_OPTIONS, CommandOptions, Stored, envelope, serialize
from app.commands.payloads import invalid_field
from app.config import Settings
from app.database import Database
from app.database.deadline import on_the_clock, time_left
from app.database.pool import as_refusal
from app.database.rehearsal import rehearsed
from app.database.requests import get_db
from app.database.searches import Searches
from app.database.usage import Usage
from app.errors import MOST_NAMED, AppError, DryRunUnsupported, Fault, Forbidden, Refused
from app.http.guard import require_unrevoked
from app.logs import log_unexpected, note_cause
from app.metrics import BATCHED
from app.models.origin import Origin
from app.services import Connection
from app.state import Exchange, author_of

Result = TypeVar("Result")
_CALLERS_OWN: Any = object()


async def perform(
    request: Request,
    action: Action,
    payload: object,
    *,
    user_id: str | None = None,
    options: CommandOptions = NO_OPTIONS,
    reader: str | None = _CALLERS_OWN,
) -> Any:
    """What the action returns to the caller of the request, committed unless it is a dry run.

    Forbidden, or Revoked, where the caller may not perform it. The user is the caller's own unless
    one is named. Under an idempotency key a writing action returns what is stored, the first answer
    however often it is asked. A replica may answer once it has what was written of the reader's
    tasks: the user's unless another, or nobody's, is named.
    """
    exchange = Exchange.of(request.scope)
    owner = user_id or exchange.caller.user_id
    await authorize(exchange, action, owner)
    return await perform_authorized(request, owner, action, payload, options, reader=reader)


async def perform_authorized(
    request: Request,
    owner: str,
    action: Action,
    payload: object,
    options: CommandOptions,
    *,
    reader: str | None = _CALLERS_OWN,
) -> Any:
    """The same for a caller of whom is known that it may perform it for this user."""
    exchange = Exchange.of(request.scope)
    if action.outside:
        return await _outside(request, action, payload, owner, options)
    if action.composite and options.idempotency_key is not None:
        raise invalid_field("idempotency_key", "a batch has none: each of its commands has an id")
    if action.composite and not options.dry_run:
        return await action.perform(_batch_context(request, owner, options), payload)

    def once(db: Connection) -> Awaitable[Any]:
        return _run(exchange, action, _context(request, db, owner, options), payload)

    question = rehearsed(once) if options.dry_run and action.writes else once
    reader = owner if reader is _CALLERS_OWN else reader
    return await ask(exchange, action, payload, question, reader=reader)


async def authorize(exchange: Exchange, action: Action, user_id: str) -> None:
    """Forbidden unless the caller may perform the action for this user; Revoked where it is."""
    caller = exchange.caller
    action.authorize(caller)
    if not caller.acts_for(user_id):
        raise Forbidden("The key does not act for this user")
    await require_unrevoked(exchange, caller, user_id)


async def _outside(
    request: Request, action: Action, payload: object, owner: str, options: CommandOptions
) -> Any:
    if options.dry_run:
        raise DryRunUnsupported
    exchange = Exchange.of(request.scope)
    lend = partial(get_db, request)
    context = OutsideContext(lend, owner, exchange.caller, exchange.resources)
    return await action.run_outside(context, payload)


def _context(request: Request, db: Connection, owner: str, options: CommandOptions) -> Context:
    exchange = Exchange.of(request.scope)
    caller, resources = exchange.caller, exchange.resources
    origin = Origin(
        caller.kind,
        caller.name,
        options.installation_id,
        options.idempotency_key or exchange.log["request_id"],
        keeps_content=resources[Settings].undo_days > 0,
    )
    return Context(db, owner, caller, resources, origin, options, author_of(request.scope))


async def _run(exchange: Exchange, action: Action, context: Context, payload: object) -> Any:
    if action.composite:
        tell, ignored = partial(_told_inside, exchange), partial(note_ignored, exchange)
        count = partial(_count_batched, exchange)
        batch = on_one_connection(context, tell, ignored, count, exchange.log)
        return await action.perform(batch, payload)
    key = context.options.idempotency_key
    if key is None or not action.writes:
        return await action.run(context, payload)
    return await answer_once(action, context, payload, key)


def _batch_context(request: Request, owner: str, options: CommandOptions) -> BatchContext:
    exchange = Exchange.of(request.scope)

    async def ask_together(question: Callable[[Context], Awaitable[Any]], searches: bool) -> Any:
        def on(db: Connection) -> Awaitable[Any]:
            return question(_context(request, db, owner, options))

        return await _ask(exchange, on, searches=searches)

    async def alone(action: Action, payload: Any, own: CommandOptions, room: int) -> Stored:
        if action.outside:
            result = await _outside(request, action, payload, owner, own)
            return Stored(200, envelope(serialize(result)))

        def on(db: Connection) -> Awaitable[Stored]:
            return answer_whole(action, _context(request, db, owner, own), payload, room)

        return await ask(exchange, action, payload, on, reader=owner)

    return BatchContext(
        ask_together,
        alone,
        partial(told, exchange),
        partial(note_ignored, exchange),
        partial(_count_batched, exchange),
        exchange.log,
        exchange.caller,
        options,
    )


def _count_batched(exchange: Exchange, answers: Answers) -> None:
    """Counts the answers to the commands of a batch; the batch itself counts as any request."""
    for (action, status), number in answers.items():
        BATCHED.labels(action, status).inc(number)
        exchange.resources[Usage].note(exchange.caller, action, status, number)


def told(exchange: Exchange, error: Exception) -> AppError:
    """What a caller is told of an error; what nobody expected is logged, with its traceback."""
    if isinstance(error, AppError):
        note_cause(exchange.log, error)
        return error
    if isinstance(error, HTTPException):
        return Refused(error.status_code, {"detail": str(error.detail)})
    log_unexpected(exchange.log)
    return Fault()


def _told_inside(exchange: Exchange, error: Exception) -> AppError:
    """The same where a connection is lent for more, so that nobody has translated its errors."""
    refusal = as_refusal(error)
    if refusal is None:
        return told(exchange, error)
    refusal.__cause__ = error
    return told(exchange, refusal)


def note_ignored(exchange: Exchange, names: Sequence[str]) -> None:
    """Names in the answer which members of the payload nobody knows."""
    if names:
        value = ", ".join(names[:MOST_NAMED])
        exchange.headers[b"x-ignored-fields"] = value.encode()


async def ask(
    exchange: Exchange,
    action: Action,
    payload: object,
    question: Callable[[Connection], Awaitable[Result]],
    *,
    reader: str | None,
) -> Result:
    """The answer to a question on the action's behalf, in what is left of the request's time."""
    searches = action.searches(payload)
    if not action.replicable:
        return await _ask(exchange, question, searches=searches)
    read = partial(exchange.resources[Database].read, reader=reader)
    return await _ask(exchange, question, read, searches=searches)


async def _ask(
    exchange: Exchange,
    question: Callable[[Connection], Awaitable[Result]],
    answer: Any = None,
    *,
    searches: bool,
) -> Result:
    answer = answer or exchange.resources[Database].ask
    if searches:
        answer = partial(exchange.resources[Searches].ask, answer)
    with on_the_clock(exchange):
        result: Result = await answer(question, time_left(exchange))
        return result
