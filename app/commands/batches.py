"""A batch as it is sent, and its commands once they are checked."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, SkipValidation, ValidationError

from app.commands.action import Action, BatchContext
from app.commands.models import ActionName, IdempotencyKey
from app.commands.payloads import (
    invalid_field,
    invalid_payload,
    printable,
    refuse_unknown,
    unknown_members,
)
from app.commands.together import Command
from app.errors import AppError, CommandFailed, DryRunUnsupported, InvalidPayload

MOST_COMMANDS = 100
_ANY_ID = str(UUID(int=0))
"""In place of an id that is not known yet, while a payload is validated."""


class BatchedCommand(BaseModel):
    """One command. `{"$ref": "<id>"}` in its payload is the id of an earlier one's result."""

    id: Annotated[IdempotencyKey, Field(description="Its idempotency key, unique in the batch.")]
    action: ActionName
    payload: dict[str, Any] = {}


class Batch(BaseModel):
    """Commands of one user, performed in order."""

    mode: Annotated[
        Literal["atomic", "independent"],
        Field(description="All or none in one transaction, or each by itself."),
    ] = "atomic"
    commands: Annotated[
        list[SkipValidation[BatchedCommand]], Field(min_length=1, max_length=MOST_COMMANDS)
    ]


Find = Callable[[str], Action]


def prepare(context: BatchContext, find: Find, batch: Batch) -> list[Command]:
    """The commands, checked before any is performed; CommandFailed names the first wrong one.

    By itself, a command whose payload does not validate fails alone.
    """
    strict, ignored = context.options.strict, list[str]()
    commands: list[Command] = []
    known: dict[str, int] = {}
    for index, given in enumerate(batch.commands):
        try:
            sent = _read(given)
            action = _action(find, sent, known)
            action.authorize(context.caller)
            unknown = _unknown(given, sent, action)
            command = _command(index, sent, action, known, unknown if strict else ())
            if batch.mode == "atomic":
                _require_atomic(command, is_alone=len(batch.commands) == 1)
            if context.options.dry_run and action.watched:
                raise DryRunUnsupported("Who reads this is noted, which cannot be taken back")
        except AppError as error:
            raise CommandFailed(index, _id_of(given), error) from None
        known[sent.id] = index
        commands.append(command)
        ignored += [f"commands[{index}].{name}" for name in unknown]
    context.ignored(ignored)
    return commands


def _read(given: object) -> BatchedCommand:
    try:
        return BatchedCommand.model_validate(given)
    except ValidationError as error:
        raise invalid_payload(error) from None


def _id_of(given: object) -> str | None:
    """The id that was sent, if it is one."""
    named = given.get("id") if isinstance(given, dict) else None
    try:
        return BatchedCommand(id=named, action="any").id
    except ValidationError:
        return None


def _action(find: Find, sent: BatchedCommand, known: Mapping[str, int]) -> Action:
    if sent.id in known:
        raise invalid_field("id", f"is that of commands[{known[sent.id]}] too")
    action = find(sent.action)
    if action.composite:
        raise invalid_field("action", "must not be a batch in a batch")
    return action


def _references(sent: BatchedCommand, known: Mapping[str, int]) -> dict[str, int]:
    references = {}
    for member, value in sent.payload.items():
        if isinstance(value, dict) and value.keys() == {"$ref"}:
            target = value["$ref"]
            if not isinstance(target, str) or target not in known:
                name = printable(member)
                raise invalid_field(name, "refers to no earlier command of the batch")
            references[member] = known[target]
    return references


def _unknown(given: object, sent: BatchedCommand, action: Action) -> list[str]:
    members = unknown_members(BatchedCommand, given) if isinstance(given, dict) else []
    return members + [f"payload.{name}" for name in unknown_members(action.payload, sent.payload)]


def _command(
    index: int,
    sent: BatchedCommand,
    action: Action,
    known: Mapping[str, int],
    unknown: Sequence[str],
) -> Command:
    payload, references = sent.payload, _references(sent, known)
    valid, invalid = None, None
    try:
        if unknown:
            raise refuse_unknown(unknown)
        valid = action.validate(payload | dict.fromkeys(references, _ANY_ID))
    except InvalidPayload as error:
        invalid = error
    return Command(index, sent.id, action, payload, references, valid, invalid)


def _require_atomic(command: Command, *, is_alone: bool) -> None:
    if command.invalid is not None:
        raise command.invalid
    if command.action.outside:
        raise invalid_field("action", "reaches outside, which cannot be taken back")
    if command.action.forgets and not is_alone:
        raise invalid_field("action", "forgets what was answered beside it: send it by itself")
