"""What the OpenAPI document says about commands, all of it derived from the registry."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from fastapi import Body, Header
from fastapi.openapi.models import Example
from pydantic import BaseModel, Field, create_model

from app.commands.action import Action
from app.commands.models import CommandOptions, CommandResponse, IdempotencyKey
from app.commands.registry import commands
from app.models.error import BODY_ERRORS, documented
from app.models.text import UserId


def command_body() -> Any:
    """The body of POST /execute: one variant an action, told apart by `action`."""
    variants = [_variant(action) for action in commands()]
    examples: dict[str, Example] = {}
    for action in commands():
        for number, request in enumerate(action.example_requests(), start=1):
            name = action.name if number == 1 else f"{action.name}-{number}"
            examples[name] = {"summary": action.title, "value": request}
    union: Any = Annotated[reduce(or_, variants), Field(discriminator="action")]
    return Annotated[union, Body(openapi_examples=examples)]


def _variant(action: Action) -> type[BaseModel]:
    required = any(field.is_required() for field in action.payload.model_fields.values())
    payload: Any = ... if required else Field(default_factory=action.payload)
    return create_model(
        f"{action.title.title().replace(' ', '')}Command",
        __doc__=action.description,
        action=(Literal[action.name], ...),  # type: ignore[arg-type]
        user_id=(UserId, ...),
        payload=(action.payload, payload),
        options=(CommandOptions, Field(default_factory=CommandOptions)),
    )


def command_response() -> Any:
    """The answer of POST /execute, with the result of any action as its data."""
    results = dict.fromkeys(action.result for action in commands())
    return CommandResponse[reduce(or_, results)]  # type: ignore[misc]


def describe() -> str:
    """The prose under POST /execute: a paragraph an action."""
    return "\n\n".join(_paragraphs())


def _paragraphs() -> Iterable[str]:
    yield "Performs one action for one user. The actions:"
    for action in commands():
        yield f"**{action.name}** (scope `{action.scope}`): {action.description}"
    yield "The same catalogue, made for programs, is at `GET /actions`."


RESPONSES = documented(
    *(400, 401, 403, 404, 409, *BODY_ERRORS, 429),
    status_404="Unknown action, or the thing it names does not exist.",
    status_429="More commands of this key than EXECUTE_RATE_LIMIT, where it is set.",
    status_409="The name is taken, there is no room for more, or the first command with this "
    "idempotency key still runs.",
)
RESPONSES[200] = {
    "headers": {
        "Idempotency-Replayed": {
            "description": "`true` on the first answer to a command that was sent again.",
            "schema": {"type": "string"},
        }
    }
}

IdempotencyHeader = Annotated[IdempotencyKey | None, Header(alias="Idempotency-Key")]
"""Documents the header; it means the same as the option of that name."""
