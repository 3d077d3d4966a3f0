"""Several commands in one: what an offline client has queued."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from app.commands.action import Action, BatchContext, Context, Example, action
from app.commands.answers import on_one_connection
from app.commands.batches import Batch, Find, prepare
from app.commands.models import Json, Stored
from app.commands.together import Command, Outcomes, Together, room_left
from app.errors import CommandFailed
from app.metrics import REPLAYS

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


def batch_of(find: Find) -> Action:
    """The action that performs those that can be found by name."""

    @action(
        scope=None,
        writes=True,
        composite=True,
        searches=_searches,
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
        commands = prepare(context, find, payload)
        perform = _atomically if payload.mode == "atomic" else _independently
        answers = await perform(context, commands)
        return _summary(context, payload.mode, commands, answers)

    return batch


def _searches(payload: Batch) -> bool:
    return any(_search_of(command) for command in payload.commands)


def _search_of(command: object) -> bool:
    payload = command.get("payload") if isinstance(command, dict) else None
    return isinstance(payload, dict) and payload.get("search") is not None


async def _atomically(context: BatchContext, commands: Sequence[Command]) -> Outcomes:
    """The answers to all; CommandFailed where one fails, and then nothing was done."""
    together = Together(commands, [None] * len(commands), batch_id=uuid4())
    searches = any(command.action.searches(command.valid) for command in commands)
    try:
        await context.ask(together.perform, searches)
    except Exception as error:
        told, at = context.told(error), together.at
        if at is None:
            raise told from told.__cause__
        raise CommandFailed(at, commands[at].id, told) from told.__cause__
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
    pairs = zip(commands, answers, strict=True)
    context.count(Counter((command.action.name, answer.status) for command, answer in pairs))
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
