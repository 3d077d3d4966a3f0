"""The living catalogue of actions, in the field names of MCP's tools/list."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from app.commands.action import Action
from app.commands.models import CommandOptions
from app.commands.registry import actions
from app.errors import (
    AlreadyRunning,
    AppError,
    DryRunUnsupported,
    IdempotencyKeyReused,
    InvalidPayload,
    NotFound,
    Unavailable,
)
from app.models.caller import Caller


class Annotations(BaseModel):
    """Hints about what performing an action does."""

    title: str
    readOnlyHint: Annotated[bool, Field(description="Changes nothing.")]  # noqa: N815
    destructiveHint: Annotated[  # noqa: N815
        bool, Field(description="Overwrites or removes something.")
    ]
    idempotentHint: Annotated[  # noqa: N815
        bool, Field(description="A repetition has no further effect.")
    ]
    openWorldHint: Annotated[  # noqa: N815
        bool, Field(description="Reaches beyond this service.")
    ]


class ActionError(BaseModel):
    """One way an action may fail."""

    status: int
    code: str
    description: str


class Tool(BaseModel):
    """One action: what it does, takes, returns and requires."""

    name: str
    title: str
    description: str
    inputSchema: Annotated[  # noqa: N815
        dict[str, Any], Field(description="JSON Schema of the payload.")
    ]
    outputSchema: Annotated[  # noqa: N815
        dict[str, Any], Field(description="JSON Schema of `data`.")
    ]
    optionsSchema: Annotated[  # noqa: N815
        dict[str, Any], Field(description="JSON Schema of the command's `options`.")
    ]
    annotations: Annotations
    scope: Annotated[
        str,
        Field(description="What a restricted key must hold; empty where each command has its own."),
    ]
    errors: list[ActionError]
    examples: Annotated[list[dict[str, Any]], Field(description="Bodies for POST /execute.")]


class Catalogue(BaseModel):
    """The actions that the asking key may perform."""

    tools: list[Tool]


def permitted(caller: Caller) -> tuple[Action, ...]:
    """The actions that this caller may perform, in the order of the registry."""
    return tuple(action for action in actions() if action.permits(caller))


def catalogue_of(permitted: Iterable[Action]) -> Catalogue:
    """The catalogue of these actions."""
    return Catalogue(tools=[_tool(action) for action in permitted])


def catalogue_entry(caller: Caller, name: str) -> Tool:
    """One action; NotFound where there is none or the caller may not perform it."""
    for action in actions():
        if action.name == name and action.permits(caller):
            return _tool(action)
    raise NotFound("Unknown action")


def _tool(action: Action) -> Tool:
    return Tool(
        name=action.name,
        title=action.title,
        description=action.description,
        inputSchema=input_schema(action),
        outputSchema=output_schema(action),
        optionsSchema=_schema(CommandOptions, "validation"),
        annotations=Annotations(
            title=action.title,
            readOnlyHint=not action.writes,
            destructiveHint=action.destructive,
            idempotentHint=action.idempotent,
            openWorldHint=action.outside,
        ),
        scope=action.scope or "",
        errors=[_error(error) for error in _errors(action)],
        examples=list(action.example_requests()),
    )


def input_schema(action: Action) -> dict[str, Any]:
    """JSON Schema of the payload, as providers of language models accept it for a tool."""
    return _schema(action.payload, "validation")


def output_schema(action: Action) -> dict[str, Any]:
    """JSON Schema of the result, likewise without references."""
    return _schema(action.result, "serialization")


@cache  # to make it takes longer than a command
def _schema(shape: Any, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    schema = TypeAdapter(shape).json_schema(mode=mode)
    definitions = schema.pop("$defs", {})
    inlined: dict[str, Any] = _inline(schema, definitions)
    return inlined


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with each definition in the place of the references to it."""
    if isinstance(schema, list):
        return [_inline(member, definitions) for member in schema]
    if not isinstance(schema, dict):
        return schema
    beside = {name: member for name, member in schema.items() if name != "$ref"}
    if "$ref" in schema:
        beside = definitions[schema["$ref"].rpartition("/")[2]] | beside
    return {name: _inline(member, definitions) for name, member in beside.items()}


def _errors(action: Action) -> Iterator[type[AppError]]:
    yield InvalidPayload
    yield from action.raises
    if action.outside:
        yield DryRunUnsupported
    if action.writes:
        yield from (AlreadyRunning, IdempotencyKeyReused)
    yield Unavailable


def _error(error: type[AppError]) -> ActionError:
    return ActionError(status=error.status, code=error.code or "", description=error.__doc__ or "")
