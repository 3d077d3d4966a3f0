"""Several commands of one user in one transaction."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from asyncpg import DeadlockDetectedError
from pydantic_core import from_json

from app.commands.action import Action, Context
from app.commands.answers import content_of, read_whole, success
from app.commands.models import Stored
from app.commands.payloads import invalid_field
from app.errors import AppError
from app.services import locks, replays
from app.services.replays import Answered, Claimed

MOST_ANSWER_BYTES = 4 * 1024 * 1024
"""What the answers of one batch may be long together before reading ones are refused."""
_ATTEMPTS = 3

Outcomes = list[Stored | None]
"""The answers of a batch, of which those of its commands from some one on are not there yet."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a batch.

    `references` has the members of the payload that stand for the id of another one's result.
    `invalid` is what is wrong with the payload.
    """

    index: int
    id: str
    action: Action
    payload: dict[str, Any]
    references: Mapping[str, int]
    valid: Any
    invalid: AppError | None

    def resolve(self, outcomes: Sequence[Stored | None]) -> Any:
        """The typed payload, ids in place of references; InvalidPayload where there is none."""
        if self.invalid is not None:
            raise self.invalid
        if not self.references:
            return self.valid
        found = {
            member: _referenced(member, index, outcomes[index])
            for member, index in self.references.items()
        }
        return self.action.validate({**self.payload, **found})


def _referenced(member: str, index: int, answer: Stored | None) -> Any:
    if answer is None or not answer.is_success:
        raise invalid_field(member, f"commands[{index}] failed")
    result_id = result_id_of(answer.data)
    if result_id is None:
        raise invalid_field(member, f"the result of commands[{index}] has no id")
    return result_id


def result_id_of(data: bytes) -> Any:
    """The id of a result, if it has one."""
    result = from_json(data)
    return result.get("id") if isinstance(result, dict) else None


def room_left(outcomes: Sequence[Stored | None]) -> int:
    """How many bytes an answer that only reads may have."""
    return MOST_ANSWER_BYTES - sum(len(answer.body) for answer in outcomes if answer is not None)


@dataclass(slots=True)
class Together:
    """Commands that are performed all or none; `at` is the index of the one it is at."""

    commands: Sequence[Command]
    outcomes: Outcomes
    batch_id: UUID | None = None
    at: int | None = None
    _claimed: Mapping[str, Claimed] = field(default_factory=dict)
    _contents: dict[int, bytes] = field(default_factory=dict)
    _pending: list[tuple[Command, Any]] = field(default_factory=list)

    async def perform(self, context: Context) -> None:
        """Performs them, or tells what they were told before, and notes the outcomes.

        Two transactions may still wait for each other over what nobody could foresee: then one is
        taken back, and begins again.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with context.db.transaction():
                    await self._perform(context)
            except DeadlockDetectedError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    async def _perform(self, context: Context) -> None:
        self.at = None
        self._pending.clear()
        self._contents.clear()
        for command in self.commands:
            self.outcomes[command.index] = None
        await self._claim(context)
        await locks.lock_named(context.db, context.user_id, context.owner, self._named())
        for command in self.commands:
            await self._take(context, command)
        await self._flush(context)
        self.at = None
        await self._store(context)

    async def _claim(self, context: Context) -> None:
        """All at once, before anything else is locked."""
        keys = [command.id for command in self.commands if command.action.writes]
        if keys:
            self._claimed = await replays.claim_all(
                context.db,
                context.user_id,
                context.caller.name,
                keys,
                across_owners=context.owner is None,
            )

    def _named(self) -> Mapping[str, Collection[UUID]]:
        named: dict[str, set[UUID]] = defaultdict(set)
        for command in self.commands:
            if command.action.writes and command.id not in self._claimed:
                for name in command.payload.keys() & locks.NAMES:
                    value = self._value(command, name)
                    if isinstance(value, UUID):
                        named[name].add(value)
        return named

    def _value(self, command: Command, name: str) -> Any:
        """The value of a member, as far as it is known beforehand."""
        if name not in command.references:
            return getattr(command.valid, name, None)
        claimed = self._claimed.get(_id_of(self.commands, command.references[name]))
        if claimed is None or claimed.status != 200:
            return None
        with suppress(TypeError, ValueError):
            return UUID(result_id_of(Stored(claimed.status, claimed.body).data))
        return None

    async def _take(self, context: Context, command: Command) -> None:
        action = command.action
        if self._pending and not self._may_join(command):
            await self._flush(context)
        self.at = command.index
        payload = command.resolve(self.outcomes)
        if claimed := self._claimed.get(command.id):
            self._replay(context, command, claimed, content_of(action, payload))
        elif not action.writes:
            room = room_left(self.outcomes)
            answer = await read_whole(action, self._own(context, command), payload, room)
            self.outcomes[command.index] = answer
        else:
            self._contents[command.index] = content_of(action, payload)
            self._pending.append((command, payload))
            if action.many is None:
                await self._flush(context)

    def _may_join(self, command: Command) -> bool:
        """Whether it may be performed at once with what is pending."""
        first, _ = self._pending[0]
        follows = any(index >= first.index for index in command.references.values())
        return command.action is first.action and not follows

    def _replay(self, context: Context, command: Command, claimed: Claimed, content: bytes) -> None:
        answer = claimed.answer(content, across_owners=context.owner is None)
        stored = Stored(answer.status, answer.body, replayed=True)
        if not stored.is_success:
            raise stored.refusal()
        self.outcomes[command.index] = stored

    async def _flush(self, context: Context) -> None:
        """Performs what is pending: one command, or several of an action that takes many."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        first, payload = pending[0]
        self.at = first.index
        if len(pending) == 1 or first.action.many is None:
            results = [await first.action.perform(self._own(context, first), payload)]
        else:
            works = [(self._own(context, command), payload) for command, payload in pending]
            results = list(await first.action.many(works))
        for (command, _), result in zip(pending, results, strict=True):
            self.outcomes[command.index] = success(context, result)

    def _own(self, context: Context, command: Command) -> Context:
        """The context of one of the commands."""
        origin = context.origin._replace(command_id=command.id, batch_id=self.batch_id)
        return replace(context, origin=origin)

    async def _store(self, context: Context) -> None:
        answers = []
        for command in self.commands:
            content, answer = self._contents.get(command.index), self.outcomes[command.index]
            if content is not None and answer is not None:
                answers.append(Answered(command.id, content, answer.status, answer.body))
        if answers:
            await replays.store_all(context.db, context.user_id, context.caller.name, answers)


def _id_of(commands: Sequence[Command], index: int) -> str:
    return next((command.id for command in commands if command.index == index), "")
