"""POST /execute: the key, the envelope, the action, the answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.service_keys import SERVICE_KEY
from app.commands import openapi
from app.commands.action import Context, invalid_payload
from app.commands.models import (
    ENVELOPE_START,
    Answer,
    CommandOptions,
    CommandRequest,
    Json,
    envelope,
    envelope_end,
)
from app.commands.registry import find_action
from app.database import Database
from app.database.deadline import time_left
from app.errors import InvalidPayload
from app.http.answers import ListResponse, Piece, send_json
from app.http.body import LimitedBody
from app.http.guard import authenticate
from app.http.rate_limits import count
from app.http.strict_json import parse_json, require_json
from app.metrics import REPLAYS
from app.services import Connection


class Commands:
    """Answers commands ahead of FastAPI, whose own layers would cost as much as a command."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/execute" and scope["method"] == "POST":
            scope["route"] = router.routes[0]
            await _serve(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class ExecuteRoute(APIRoute):
    """Reads, dispatches and writes by itself; the signature feeds OpenAPI."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app = _serve


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    headers, state, log = _headers(scope), scope["app"].state, scope["log"]
    caller = await authenticate(scope, state.service_keys.find(headers.get("x-service-key")))
    if (limit := state.execute_limit) is not None:
        await count(scope, limit, caller.name)
    body = await LimitedBody(scope, receive).read()
    command = parse_command(headers.get("content-type"), body)
    log["action"], log["user_id"] = command.action[:100], command.user_id
    action = find_action(command.action)
    action.authorize(caller)
    payload = action.validate(command.payload)
    key = idempotency_key(headers.get("idempotency-key"), command.options)

    async def perform(db: Connection) -> Any:
        context = Context(db, command.user_id, caller)
        if key is None or not action.writes:
            return await action.run(context, payload)
        return await action.answer_once(context, payload, key)

    database: Database = state.database
    ask = partial(database.read, reader=command.user_id) if action.replicable else database.ask
    if action.searches(payload):
        ask = partial(state.searches.ask, ask)
    result = await ask(perform, time_left(scope))
    if isinstance(result, Answer):
        await _send_answer(result, scope, send)
    elif isinstance(result, Json) and result.rest is not None:
        answer = ListResponse(_piece(result, ask, ENVELOPE_START), envelope_end)
        del result  # or the first part would be in memory until the last is sent
        await answer(scope, receive, send)
    else:
        await send_json(send, envelope(result))


async def _send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    headers = []
    if answer.replayed:
        scope["log"]["replayed"] = True
        REPLAYS.inc()
        headers.append((b"idempotency-replayed", b"true"))
    await send_json(send, answer.body, answer.status, *headers)


_Ask = Callable[[Callable[[Connection], Awaitable[Json[Any]]]], Awaitable[Json[Any]]]


def _piece(part: Json[Any], ask: _Ask, opening: bytes = b"") -> Piece:
    """A part of a long list. No connection is held while the client reads it."""
    rest = None if part.rest is None else partial(_next_piece, part.rest, ask)
    return Piece(opening + part.text, rest)


async def _next_piece(rest: Callable[[Connection], Awaitable[Json[Any]]], ask: _Ask) -> Piece:
    return _piece(await ask(rest), ask)


def _headers(scope: Scope) -> dict[str, str]:
    """By name; of several with one name the first."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }


def idempotency_key(header: str | None, options: dict[str, Any]) -> str | None:
    """The key from the header or the options; InvalidPayload when it, or an option, is wrong."""
    if header is None and not options:
        return None
    try:
        option = CommandOptions.model_validate(options).idempotency_key
        key = CommandOptions.model_validate({"idempotency_key": header}).idempotency_key
    except ValidationError as error:
        raise invalid_payload(error) from None
    if key and option and key != option:
        message = "the header and the option differ"
        field = "idempotency_key"
        raise InvalidPayload(f"{field}: {message}", [{"field": field, "message": message}])
    return key or option


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
Response = openapi.command_response()


@router.post(
    "/execute",
    summary="Execute a command",
    description=openapi.describe(),
    responses=openapi.RESPONSES,
    dependencies=[Security(SERVICE_KEY)],
)
async def execute(
    command: Command,  # type: ignore[valid-type]
    idempotency_key: openapi.IdempotencyHeader = None,
) -> Response:  # type: ignore[valid-type]
    """Never called: ExecuteRoute answers."""
    raise NotImplementedError
