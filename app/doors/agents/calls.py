"""A tool call: a command like any other, whose answer a language model has to read."""

from collections.abc import Mapping
from itertools import accumulate, takewhile
from typing import Any, NamedTuple

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from app.commands.action import Action
from app.commands.models import CommandOptions, CommandRequest, Json, Stored, serialize
from app.commands.payloads import invalid_payload
from app.commands.perform import ask, perform_authorized
from app.commands.registry import ACTION_HANDLERS, find_action
from app.commands.router import Prepared, note_replay, prepare
from app.doors.agents.results import MOST_BYTES, Result, size_of, success
from app.doors.agents.users import own_user, take_user, user_argument
from app.errors import AnswerTooLarge
from app.state import Exchange

_PAGE_SIZE = 20
"""Entries of a list that nobody asked for in pages, as its action has them in pages."""
_FRAME = 5000
"""What stands around the entries: a cursor, for the most part."""


async def call(
    request: Request, name: str, arguments: Mapping[str, Any], meta: Mapping[str, Any]
) -> Result:
    """Performs the action of this name and returns the result of the call."""
    command = _command(request, name, arguments, meta)
    prepared = await prepare(Exchange.of(request.scope), command)
    prepared = prepared._replace(payload=_paged(prepared.payload))
    told, notes = await _told(request, prepared, command.user_id), []
    while (fewer := _fewer(prepared, told)) is not None:
        shorter = prepared.payload.model_copy(update={"limit": fewer})
        prepared = prepared._replace(payload=shorter)
        notes = [f"These are the first {fewer}: more would take over 64 kB. Go on with the cursor."]
        told = await _told(request, prepared, command.user_id)
    result = success(told.text, told.meta, notes) if told.whole else None
    if result is None:
        raise _too_large(prepared)
    return result


def _too_large(prepared: Prepared) -> AnswerTooLarge:
    """The refusal of an answer that is no use to a language model, and what to do instead."""
    if _has_written(prepared):
        return AnswerTooLarge(
            "It was performed, but its answer takes more than 64 kB; do not send it again, read "
            "what is needed by itself"
        )
    less = "ask for less at once, or " if _can_be_less(prepared.action) else ""
    return AnswerTooLarge(
        f"The answer takes more than 64 kB; {less}send the command to POST /execute"
    )


def _has_written(prepared: Prepared) -> bool:
    """Whether the command, which was performed, may have changed anything."""
    action, payload, options = prepared
    if options.dry_run:
        return False
    if action.composite:
        return any(find_action(command["action"]).writes for command in payload.commands)
    return action.writes


def _can_be_less(action: Action) -> bool:
    return action.composite or "limit" in action.payload.model_fields


def _command(
    request: Request, name: str, arguments: Mapping[str, Any], meta: Mapping[str, Any]
) -> CommandRequest:
    """The call as a command; what a model makes up beside the payload is refused."""
    payload = dict(arguments)
    user_id = own_user(request, Exchange.of(request.scope).caller)
    if user_id is None:
        user_id = take_user(payload, user_argument(ACTION_HANDLERS.get(name)))
    options = {option: meta[option] for option in CommandOptions.model_fields if option in meta}
    try:
        return CommandRequest(
            action=name, user_id=user_id, payload=payload, options={"strict": True, **options}
        )
    except ValidationError as error:
        raise invalid_payload(error) from None


def _paged(payload: Any) -> Any:
    """The payload, of a list in pages if there can be any."""
    if getattr(payload, "limit", 0) is None:
        return payload.model_copy(update={"limit": _PAGE_SIZE})
    return payload


class _Told(NamedTuple):
    """The JSON of what an action returned, or of its beginning, and what else is known of it."""

    text: bytes
    whole: bool = True
    meta: Result = {}


async def _told(request: Request, prepared: Prepared, user_id: str) -> _Told:
    action, payload, options = prepared
    exchange = Exchange.of(request.scope)
    result = await perform_authorized(request, user_id, *prepared)
    meta = {"dry_run": True} if options.dry_run else {}
    if isinstance(result, Stored):
        if result.replayed:
            note_replay(exchange)
            meta["replayed"] = True
        if not result.is_success:
            raise result.refusal()
        return _Told(result.data, meta=meta)
    if not isinstance(result, Json):
        return _Told(serialize(result, options.include), meta=meta)
    parts = [result.text]
    while result.rest is not None and sum(map(len, parts)) <= MOST_BYTES:
        result = await ask(exchange, action, payload, result.rest, reader=user_id)
        parts.append(result.text)
    return _Told(b"".join(parts), result.rest is None, meta)


def _fewer(prepared: Prepared, told: _Told) -> int | None:
    """How many entries of a list are few enough, where there are too many."""
    limit: int | None = getattr(prepared.payload, "limit", None)
    if told.whole and size_of(told.text) <= MOST_BYTES:
        return None
    if limit is None or limit == 1 or getattr(prepared.payload, "page", None) is not None:
        return None  # of numbered pages all have the same size
    members = from_json(told.text, allow_partial=True).values()
    entries = next((member for member in members if isinstance(member, list)), [])
    sizes = accumulate(size_of(to_json(entry)) for entry in entries)
    fitting = sum(1 for _ in takewhile(lambda size: size <= MOST_BYTES - _FRAME, sizes))
    return min(max(fitting, 1), limit - 1)
