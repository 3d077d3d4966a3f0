"""What the OpenAPI document says about commands, all of it derived from the registry."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from fastapi import Body, Header
from fastapi.openapi.models import Example
from pydantic import BaseModel, Field, RootModel, create_model
from pydantic.json_schema import models_json_schema

from app.commands.action import Action
from app.commands.models import CommandOptions, CommandResponse, IdempotencyKey
from app.commands.registry import commands
from app.models.error import BODY_ERRORS, documented
from app.models.text import UserId

_COMMAND = "A command: `action` tells which, and thereby what `payload` has."


def command_body() -> Any:
    """The body of POST /execute: one variant an action, told apart by `action`."""
    variants = [_variant(action) for action in commands()]
    examples: dict[str, Example] = {}
    for action in commands():
        shown = zip(action.example_summaries(), action.example_requests(), strict=True)
        for number, (summary, request) in enumerate(shown, start=1):
            name = action.name if number == 1 else f"{action.name}-{number}"
            examples[name] = {"summary": summary, "value": request}
    union: Any = Annotated[reduce(or_, variants), Field(discriminator="action")]
    command = type("CommandRequest", (RootModel[union],), {"__doc__": _COMMAND})
    return Annotated[command, Body(openapi_examples=examples)]


def _variant(action: Action) -> type[BaseModel]:
    required = any(field.is_required() for field in action.payload.model_fields.values())
    payload: Any = ... if required else Field(default_factory=action.payload)
    return create_model(
        f"{_camel_case(action)}Command",
        __doc__=action.description,
        action=(Literal[action.name], ...),  # type: ignore[arg-type]
        user_id=(UserId, ...),
        payload=(action.payload, payload),
        options=(CommandOptions, Field(default_factory=CommandOptions)),
    )


def _camel_case(action: Action) -> str:
    return action.name.title().replace("-", "")


def response_schemas(ref_template: str) -> dict[str, Any]:
    """The whole answer of each action, by name: CreateTaskResponse, and so on.

    An answer does not say which action it is to, so that no decoder could tell them apart; who
    asked knows, and reads a CommandResponse as the one that belongs to the command.
    """
    answers = [(_answer(action), "serialization") for action in commands()]
    _, schemas = models_json_schema(answers, ref_template=ref_template)  # type: ignore[arg-type]
    definitions: dict[str, Any] = schemas["$defs"]
    return definitions


def _answer(action: Action) -> type[BaseModel]:
    return create_model(
        f"{_camel_case(action)}Response",
        __base__=CommandResponse,
        __doc__=f"The answer to {action.name}.",
        data=(action.result, ...),
    )


def describe() -> str:
    """The prose under POST /execute: a paragraph an action."""
    return "\n\n".join(_paragraphs())


def _paragraphs() -> Iterable[str]:
    yield "Performs one action for one user. The actions:"
    for action in commands():
        scope = f"scope `{action.scope}`" if action.scope else "the scope of each command"
        yield f"**{action.name}** ({scope}): {action.description}"
    yield "The same catalogue, made for programs, is at `GET /actions`."


CREATED = {
    "success": True,
    "data": {
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "user_id": "user_123",
        "title": "Buy cat food",
        "description": "Salmon flavor, 2kg bag",
        "status": "pending",
        "priority": "high",
        "created_at": "2026-11-25T10:30:00Z",
        "completed_at": None,
        "due_date": "2026-12-20T10:00:00Z",
    },
    "error": None,
    "timestamp": "2026-11-25T10:30:00.000Z",
}
"""The answer to the first example."""

RESPONSES = documented(
    *(400, 401, 403, 404, 409, *BODY_ERRORS, 429),
    status_404="Unknown action, or the thing it names does not exist.",
    status_429="More commands of this key, each of a batch too, than its `rate_limit` allows, or "
    "EXECUTE_RATE_LIMIT.",
    status_413="The body is larger than 1 MiB, or the answers of a batch are too long together.",
    status_409="The name is taken, there is no room for more, or the first command with this "
    "idempotency key still runs.",
)
RESPONSES[200] = {
    "headers": {
        "Idempotency-Replayed": {
            "description": "`true` on the first answer to a command that was sent again.",
            "schema": {"type": "string"},
        },
        "X-Ignored-Fields": {
            "description": "Members of the payload that nobody knows, separated by commas.",
            "schema": {"type": "string"},
        },
    },
}

IdempotencyHeader = Annotated[IdempotencyKey | None, Header(alias="Idempotency-Key")]
"""Documents the header; it means the same as the option of that name."""
