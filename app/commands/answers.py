"""A command's answer as bytes, and the first answer again where it is sent again."""

from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from app.commands.action import Action, Answers, BatchContext, Context, Question
from app.commands.models import CommandOptions, Json, Stored, envelope, serialize
from app.errors import AnswerTooLarge, AppError, DryRunUnsupported, Fault, Revoked
from app.services import replays
from app.services.replays import Claim, StoredAnswer, fingerprint


def content_of(action: Action, payload: Any) -> bytes:
    """What tells this command from another one under the same idempotency key."""
    return fingerprint(action.name, payload.model_dump(mode="json", exclude_unset=True))


async def answer_once(action: Action, context: Context, payload: Any, key: str) -> Stored:
    """Performs it at most once per idempotency key; the first answer, if asked again.

    Whoever asks again must be allowed what the first one was.
    """
    claim = Claim(context.user_id, context.caller.name, key)
    content, across_owners = content_of(action, payload), context.owner is None
    async with context.db.transaction():
        stored = await replays.claim(context.db, claim, content, across_owners=across_owners)
        if stored is not None:
            return Stored(stored.status, stored.body, replayed=True)
        answer = await _attempt(action, context, payload)
        await replays.store(context.db, claim, StoredAnswer(answer.status, answer.body))
    return answer


async def _attempt(action: Action, context: Context, payload: Any) -> Stored:
    """A refusal is an answer too; what may pass by itself rolls everything back, and the claim."""
    try:
        async with context.db.transaction():
            return success(context, await action.perform(context, payload))
    except AppError as error:
        if error.status >= 500 or isinstance(error, Revoked):
            raise
        return Stored(error.status, to_json(error.body()))


def success(context: Context, result: object) -> Stored:
    """The answer to a command that was performed."""
    return Stored(200, envelope(serialize(result, context.options.include)))


async def answer_whole(action: Action, context: Context, payload: Any, most_bytes: int) -> Stored:
    """The answer in one piece; AnswerTooLarge where it only reads, and more than so many bytes.

    Under the idempotency key of the options a writing action is performed at most once.
    """
    if action.writes:
        key = context.options.idempotency_key
        assert key is not None, "a command of a batch has an id"  # noqa: S101
        return await answer_once(action, context, payload, key)
    return await read_whole(action, context, payload, most_bytes)


async def read_whole(action: Action, context: Context, payload: Any, most_bytes: int) -> Stored:
    """The answer of an action that only reads; AnswerTooLarge over so many bytes."""
    result = await action.run(context, payload)
    if not isinstance(result, Json):
        result = Json(serialize(result, context.options.include), opening=b"")
    parts: list[bytes] = []
    part: Json[Any] | None = result
    while part is not None:
        parts.append(part.text)
        most_bytes -= len(parts[-1])
        if most_bytes < 0:
            raise AnswerTooLarge
        part = None if part.rest is None else await part.rest(context.db)
    return Stored(200, envelope(b"".join(parts)))


def on_one_connection(
    context: Context,
    told: Callable[[Exception], AppError] | None = None,
    ignored: Callable[[list[str]], None] = lambda _: None,
    count: Callable[[Answers], None] = lambda _: None,
    log: MutableMapping[str, Any] | None = None,
) -> BatchContext:
    """What performs all commands of a batch on a connection that there is already."""

    async def ask(question: Question, _: bool) -> Any:
        return await question(context)

    async def alone(action: Action, payload: Any, options: CommandOptions, room: int) -> Stored:
        if action.outside:
            raise DryRunUnsupported
        origin = context.origin._replace(command_id=options.idempotency_key)
        own = replace(context, options=options, origin=origin)
        async with context.db.transaction():
            return await answer_whole(action, own, payload, room)

    log = {} if log is None else log
    return BatchContext(
        ask, alone, told or _as_told, ignored, count, log, context.caller, context.options
    )


def _as_told(error: Exception) -> AppError:
    return error if isinstance(error, AppError) else Fault()
