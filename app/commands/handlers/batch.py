"""Several commands in one: what an offline client has queued."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, Field, SkipValidation, ValidationError
from pydantic_core import from_json, to_json

from app.commands.action import Action, BatchContext, Context, Example, action
from app.commands.answers import on_one_connection
from app.commands.models import ActionName, IdempotencyKey, Json, Stored
from app.commands.payloads import (
    invalid_field,
    invalid_payload,
    printable,
    refuse_unknown,
    unknown_members,
)
from app.commands.together import Command, Outcomes, Together, room_left
from app.errors import AppError, CommandFailed, InvalidPayload
from app.metrics import BATCHED, REPLAYS

MOST_COMMANDS = 100
_ANY_ID = str(UUID(int=0))
"""In place of an id that is not known yet, while a payload is validated."""
_EXAMPLE = {
    "commands": [
        {
            "id": "1732190000000-k3j9x",
            "action": "create-task",
            "payload": {"title": "Buy cat food"},
        },
        {
            "id": "1732190000001-k3j9x",
            "action": "update-task",
            "payload": {"task_id": {"$ref": "1732190000000-k3j9x"}, "status": "completed"},
        },
    ]
}


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


class CommandError(BaseModel):
    """What the command alone would have been told."""

    detail: str
    code: str = ""
    errors: list[dict[str, str]] = []


class CommandOutcome(BaseModel):
    """The answer to one command."""

    id: str
    status: Annotated[int, Field(description="The HTTP status it would have had alone.")]
    data: Annotated[Any, Field(description="The action's result; null where it failed.")]
    error: CommandError | None
    replayed: Annotated[bool, Field(description="Whether it had been performed before.")]


class BatchOutcome(BaseModel):
    """The answers in the order sent; each is counted once, as applied, failed or replayed."""

    mode: Literal["atomic", "independent"]
    applied: int
    failed: int
    replayed: int
    results: list[CommandOutcome]


Find = Callable[[str], Action]


def batch_of(find: Find) -> Action:
    """The action that performs those that can be found by name."""

    @action(
        scope=None,
        writes=True,
        composite=True,
        searches=_searches,
        destructive=True,
        examples=(
            Example("all or nothing", **_EXAMPLE),
            Example("each by itself", mode="independent", **_EXAMPLE),
        ),
    )
    async def batch(context: BatchContext | Context, payload: Batch) -> Json[BatchOutcome]:
        """Performs up to 100 commands of the user in order.

        All or none of them, or each by itself. What was performed before under the same id is not
        performed again.
        """
        if isinstance(context, Context):
            context = on_one_connection(context)
        commands = _prepare(context, find, payload)
        perform = _atomically if payload.mode == "atomic" else _independently
        answers = await perform(context, commands)
        return _summary(context, payload.mode, commands, answers)

    return batch


def _searches(payload: Batch) -> bool:
    return any(_search_of(command) for command in payload.commands)


def _search_of(command: object) -> bool:
    payload = command.get("payload") if isinstance(command, dict) else None
    return isinstance(payload, dict) and payload.get("search") is not None


def _prepare(context: BatchContext, find: Find, batch: Batch) -> list[Command]:
    """The commands, checked before any is performed; CommandFailed names the first wrong one.

    By itself, a command whose payload does not validate fails alone.
    """
    strict, ignored = context.options.strict, list[str]()
    commands: list[Command] = []
    known: dict[str, int] = {}
    for index, given in enumerate(batch.commands):
        named = None
        try:
            sent = _read(given)
            named = sent.id
            action = _action(find, sent, known)
            action.authorize(context.caller)
            unknown = _unknown(given, sent, action)
            command = _command(index, sent, action, known, unknown if strict else ())
            if batch.mode == "atomic":
                _require_atomic(command)
        except AppError as error:
            raise CommandFailed(index, named, error) from None
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


def _require_atomic(command: Command) -> None:
    if command.invalid is not None:
        raise command.invalid
    if command.action.outside:
        raise invalid_field("action", "reaches outside, which cannot be taken back")


async def _atomically(context: BatchContext, commands: Sequence[Command]) -> Outcomes:
    """The answers to all; CommandFailed where one fails, and then nothing was done."""
    together = Together(commands, [None] * len(commands), batch_id=uuid4())
    searches = any(command.action.searches(command.valid) for command in commands)
    try:
        await context.ask(together.perform, searches)
    except Exception as error:
        told, at = context.told(error), together.at
        if at is None:
            raise told from error.__cause__
        raise CommandFailed(at, commands[at].id, told) from error.__cause__
    return together.outcomes


async def _independently(context: BatchContext, commands: Sequence[Command]) -> Outcomes:
    """The answers to each; those that one action can perform at once are, unless one fails."""
    outcomes: Outcomes = [None] * len(commands)
    for _, unit in groupby(commands, _unit):
        alike = list(unit)
        if len(alike) > 1:
            with suppress(Exception):
                await context.ask(Together(alike, outcomes).perform, False)
                continue
        for command in alike:
            outcomes[command.index] = await _alone(context, command, outcomes)
    return outcomes


def _unit(command: Command) -> object:
    """The same for commands that may be performed at once."""
    takes_many = command.action.many is not None
    if takes_many and command.invalid is None and not command.references:
        return command.action.name
    return command.index


async def _alone(context: BatchContext, command: Command, outcomes: Outcomes) -> Stored:
    try:
        payload = command.resolve(outcomes)
        options = context.options.model_copy(update={"idempotency_key": command.id})
        return await context.alone(command.action, payload, options, room_left(outcomes))
    except Exception as error:  # whatever it is, the others go on
        told = context.told(error)
        return Stored(told.status, to_json(told.body()))


def _summary(
    context: BatchContext, mode: str, commands: Sequence[Command], outcomes: Outcomes
) -> Json[BatchOutcome]:
    answers = [answer for answer in outcomes if answer is not None]
    counts = Counter(map(_fate, answers))
    context.log["batch"] = {"mode": mode, "commands": len(commands), **counts}
    REPLAYS.inc(counts["replayed"])
    performed = Counter(
        (command.action.name, answer.status)
        for command, answer in zip(commands, answers, strict=True)
    )
    for labels, number in performed.items():
        BATCHED.labels(*labels).inc(number)
    opening = b'{"mode":"%b","applied":%d,"failed":%d,"replayed":%d,"results":[' % (
        mode.encode(),
        counts["applied"],
        counts["failed"],
        counts["replayed"],
    )
    return Json(b",".join(map(_result, commands, answers)), opening, b"]}")


def _fate(answer: Stored) -> str:
    return "replayed" if answer.replayed else "applied" if answer.is_success else "failed"


def _result(command: Command, answer: Stored) -> bytes:
    return b'{"id":%b,"status":%d,"data":%b,"error":%b,"replayed":%b}' % (
        to_json(command.id),
        answer.status,
        answer.data if answer.is_success else b"null",
        b"null" if answer.is_success else _error(answer),
        b"true" if answer.replayed else b"false",
    )


def _error(answer: Stored) -> bytes:
    told = from_json(answer.body)
    return to_json({name: told[name] for name in ("detail", "code", "errors") if name in told})
