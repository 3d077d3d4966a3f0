"""POST /execute: the key, the envelope, the action, the answer."""

from functools import partial
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Security
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.types import ASGIApp

from app.auth.service_keys import SERVICE_KEY, service_key
from app.commands import openapi
from app.commands.action import Action
from app.commands.models import (
    ENVELOPE_START,
    NO_OPTIONS,
    CommandOptions,
    CommandRequest,
    CommandResponse,
    Json,
    Stored,
    envelope,
    envelope_end,
    serialize,
)
from app.commands.payloads import (
    invalid_field,
    invalid_payload,
    refuse_unknown,
    unknown_members,
)
from app.commands.perform import ask, authorize, note_ignored, perform_authorized
from app.commands.pieces import pieces
from app.commands.registry import ACTION_HANDLERS, find_action
from app.errors import InvalidPayload, NotFound
from app.http.answers import Answer, ListResponse
from app.http.body import MAX_BODY_BYTES, LimitedBody
from app.http.examples import refuses
from app.http.guard import Handle, Route, admit, require_unrevoked
from app.http.rate_limits import count_batch, count_command
from app.http.strict_json import parse_json, require_json
from app.metrics import REPLAYS
from app.state import Exchange

__all__ = ["ACTION_HANDLERS", "router"]


_MOST_OPTIONS = 10
"""More than there are: each one that does not exist costs a sentence of the refusal."""


class ExecuteRoute(Route):
    """Reads the envelope by itself, for its statuses differ; the signature feeds OpenAPI."""

    most_body_bytes = MAX_BODY_BYTES

    def complaint(self) -> RequestValidationError | None:
        """What is told who leaves the user out."""
        try:
            parse_command("application/json", b'{"action": "create-task"}')
        except RequestValidationError as error:
            return error
        return None

    def compile(self) -> Handle:
        """What answers a command."""
        return _execute


async def _execute(request: Request) -> ASGIApp:
    exchange = Exchange.of(request.scope)
    await admit(request, service_key)
    await count_command(exchange)
    command = parse_command(
        exchange.header(b"content-type"), await LimitedBody(request.scope, request.receive).read()
    )
    prepared = await prepare(exchange, command, exchange.header(b"idempotency-key"))
    action, payload, options = prepared
    result = await perform_authorized(request, command.user_id, *prepared)
    if isinstance(result, Stored):
        return _replayable(exchange, result, options)
    if isinstance(result, Json) and result.rest is not None:
        fetch = partial(ask, exchange, action, payload, reader=command.user_id)
        closing = partial(envelope_end, dry_run=options.dry_run)
        return ListResponse(pieces(result, fetch, ENVELOPE_START), closing)
    return Answer(envelope(serialize(result, options.include), dry_run=options.dry_run))


class Prepared(NamedTuple):
    """A command that may be performed, as far as can be told without the database."""

    action: Action
    payload: Any
    options: CommandOptions


async def prepare(
    exchange: Exchange, command: CommandRequest, idempotency_key: str | None = None
) -> Prepared:
    """The command's action, payload and options, checked, and known to the log.

    The caller may perform it, and as many as a batch has: the request was counted as one command.
    The idempotency key is given where it came outside the envelope.
    """
    note_action(exchange, command.action)
    exchange.log["user_id"] = command.user_id
    action = find_action(command.action)
    await authorize(exchange, action, command.user_id)
    options = read_options(idempotency_key, command.options)
    if options.installation_id is not None:
        exchange.installation_id = exchange.log["installation_id"] = options.installation_id
        await require_unrevoked(exchange, exchange.caller, command.user_id)
    payload = action.validate(command.payload)
    _check_members(exchange, action, command.payload, options)
    if action.composite:
        await count_batch(exchange, len(payload.commands))
    return Prepared(action, payload, options)


def note_action(exchange: Exchange, name: str) -> None:
    """Notes, for the log and the metrics, which action is asked for."""
    exchange.log["action"] = name[:100]
    exchange.label = name if name in ACTION_HANDLERS else "unknown"


def _check_members(
    exchange: Exchange, action: Action, payload: dict[str, Any], options: CommandOptions
) -> None:
    unknown = unknown_members(action.payload, payload)
    if unknown and options.strict:
        raise refuse_unknown(unknown)
    note_ignored(exchange, unknown)


def _replayable(exchange: Exchange, stored: Stored, options: CommandOptions) -> Answer:
    body = stored.rehearsed() if options.dry_run else stored.body
    if not stored.replayed:
        return Answer(body, stored.status)
    note_replay(exchange)
    return Answer(body, stored.status, (b"idempotency-replayed", b"true"))


def note_replay(exchange: Exchange) -> None:
    """Notes, and counts, that a command was answered as it was the first time."""
    exchange.log["replayed"] = True
    REPLAYS.inc()


def read_options(header: str | None, given: dict[str, Any]) -> CommandOptions:
    """The options, with the key of the header; InvalidPayload when it, or an option, is wrong."""
    if header is None and not given:
        return NO_OPTIONS
    if len(given) > _MOST_OPTIONS:
        raise invalid_field("options", f"must not be more than {_MOST_OPTIONS}")
    try:
        options = CommandOptions.model_validate(given)
        key = CommandOptions.model_validate({"idempotency_key": header}).idempotency_key
    except ValidationError as error:
        raise invalid_payload(error) from None
    if key is None:
        return options
    if options.idempotency_key not in (None, key):
        raise invalid_field("idempotency_key", "the header and the option differ")
    return options.model_copy(update={"idempotency_key": key})


def parse_command(content_type: str | None, body: bytes) -> CommandRequest:
    """The envelope; RequestValidationError says what is wrong with which member."""
    require_json(content_type)
    try:
        return CommandRequest.model_validate(parse_json(body))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(
            [{**detail, "loc": ("body", *detail["loc"])} for detail in details]
        ) from None


router = APIRouter(route_class=ExecuteRoute, tags=["commands"])


Command = openapi.command_body()
_EXAMPLE_ID = "550e8400-e29b-41d4-a716-446655440000"
_TITLE_MISSING = "Missing required field: title"


@router.post(
    "/execute",
    summary="Execute a command",
    description=openapi.describe(),
    responses=openapi.RESPONSES,
    dependencies=[Security(SERVICE_KEY)],
)
@refuses(
    on_400=InvalidPayload(_TITLE_MISSING, [{"field": "title", "message": _TITLE_MISSING}]),
    on_404=NotFound(f"Task not found: {_EXAMPLE_ID}"),
)
async def execute(
    command: Command,  # type: ignore[valid-type]
    idempotency_key: openapi.IdempotencyHeader = None,
) -> CommandResponse:
    """Never called: ExecuteRoute answers."""
    raise NotImplementedError
