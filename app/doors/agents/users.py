"""For whom an agent acts."""

from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from app.commands.action import Action, BareHandler
from app.commands.payloads import invalid_field, missing_field
from app.models.caller import Caller
from app.models.text import UserId

USER_ID: TypeAdapter[str] = TypeAdapter(UserId)


def own_user(request: Request, caller: Caller) -> str | None:
    """The user for whom all tools of this request act; None where each call names one."""
    given = request.headers.get("x-user-id")
    if given is not None:
        return _valid("X-User-ID", given.encode("latin-1").decode(errors="surrogateescape"))
    users = caller.user_ids or ()
    return next(iter(users)) if len(users) == 1 else None


def user_argument(handler: Action | BareHandler | None) -> str:
    """The name of the argument that names the user, unlike any of the payload."""
    taken = isinstance(handler, Action) and "user_id" in handler.payload.model_fields
    return "acting_user_id" if taken else "user_id"


def take_user(arguments: dict[str, Any], name: str) -> str:
    """The user whom the argument of this name names; it is no argument any more."""
    if name not in arguments:
        raise missing_field(name)
    return _valid(name, arguments.pop(name))


def _valid(name: str, user_id: object) -> str:
    try:
        return USER_ID.validate_python(user_id)
    except ValidationError as error:
        raise invalid_field(name, error.errors(include_input=False)[0]["msg"]) from None
