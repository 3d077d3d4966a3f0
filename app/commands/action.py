"""One action, defined once: everything else about it is derived from here."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Required, TypedDict, Unpack, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from app.commands.models import NO_OPTIONS, CommandOptions, Json, Stored, serialize
from app.commands.payloads import AnyPayload, invalid_payload
from app.errors import AppError, Forbidden
from app.models.audit import Author
from app.models.caller import SERVICES, Caller, CallerKind
from app.models.origin import PLATFORM as NO_REQUEST
from app.models.origin import Origin
from app.models.owner import Likely
from app.services import Connection
from app.state import NO_RESOURCES, Resources

PLATFORM = Caller("service", "platform")
NOBODY = Author("platform")


Lend = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Context:
    """On whose behalf an action runs, who asked for it and how, and the connection it runs on.

    `resources` has what an action needs that is neither SQL nor a model: a cipher, for example.
    `origin` goes into the log of changes.
    `author` is named in the trail of what administrators do.
    """

    db: Connection
    user_id: str
    caller: Caller = PLATFORM
    resources: Resources = NO_RESOURCES
    origin: Origin = NO_REQUEST
    options: CommandOptions = NO_OPTIONS
    author: Author = NOBODY

    @property
    def owner(self) -> str | None:
        """Whose rows may be touched; None where the caller is trusted across users."""
        if self.caller.kind == "partner":
            return None  # whose actions reach contacts and what is theirs, and nobody else
        if self.caller.kind == "service" and not self.caller.enforce_ownership:
            return None
        return self.user_id

    @property
    def holder(self) -> str | None:
        """Whose something is that is named by its id: the owner's, or most likely the user's."""
        owner = self.owner
        if owner is None and self.caller.kind == "service":
            return Likely(self.user_id)
        return owner


@dataclass(frozen=True, slots=True)
class OutsideContext:
    """The same for an action that waits for others: it borrows a connection when it needs one."""

    lend: Lend
    user_id: str
    caller: Caller = PLATFORM
    resources: Resources = NO_RESOURCES


Question = Callable[[Context], Awaitable[Any]]
Answers = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class BatchContext:
    """The same for an action that performs others.

    `ask` asks a question on one connection, which may search. `alone` performs an action by itself
    and returns its answer, of so many bytes at most where it only reads. `told` is what a caller is
    told of an error, `ignored` notes the names of members that nobody knows. `count` is given how
    often each action was answered with each status.
    """

    ask: Callable[[Question, bool], Awaitable[Any]]
    alone: Callable[["Action", Any, CommandOptions, int], Awaitable[Stored]]
    told: Callable[[Exception], AppError]
    ignored: Callable[[list[str]], None]
    count: Callable[[Answers], None]
    log: MutableMapping[str, Any]
    caller: Caller
    options: CommandOptions


Perform = Callable[[Any, Any], Awaitable[Any]]  # a context of any kind, and the payload
PerformMany = Callable[[Sequence[tuple[Context, Any]]], Awaitable[Sequence[Any]]]
BareHandler = Callable[[str, dict[str, Any], Any], Awaitable[Any]]


class Example(dict[str, Any]):
    """A payload that shows one use of an action, and in a few words which."""

    def __init__(self, use: str, **payload: Any) -> None:
        super().__init__(payload)
        self.use = use


def _never(_: object) -> bool:
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """Something a caller may do.

    Call it as `await action(user_id, payload, db)`, the registry's contract, or as
    `await action.run(context, payload)` where the payload has been validated.
    """

    name: str
    description: str
    perform: Perform
    payload: type[BaseModel]
    result: Any
    # None where the actions that it performs have theirs.
    scope: str | None
    writes: bool = False
    # One statement is its own transaction; only several need one around them.
    transaction: bool = False
    # It asks somebody else, who may be slow, and holds no connection meanwhile.
    outside: bool = False
    # It performs other actions, each under its own scope.
    composite: bool = False
    # Performs several commands in one round trip, in order.
    many: PerformMany | None = None
    # A replica may answer it, once that has replayed what was written of the user's tasks.
    replicable: bool = False
    # Whether it looks through texts, which costs the database most: few at a time may.
    searches: Callable[[Any], bool] = _never
    # Its scope must be granted in so many words: neither `*` nor a key without scopes has it.
    by_name: bool = False
    # It writes, and neither overwrites nor removes anything.
    additive: bool = False
    # It removes what was answered before, so that nothing may be answered beside it.
    forgets: bool = False
    # It only reads, and leaves a trail of that, which must not be taken back.
    watched: bool = False
    idempotent: bool = True
    allow: frozenset[CallerKind] = SERVICES
    raises: tuple[type[AppError], ...] = ()
    examples: tuple[dict[str, Any], ...] = field(default=())

    @property
    def title(self) -> str:
        """The name as a sentence."""
        return self.name.replace("-", " ").capitalize()

    @property
    def destructive(self) -> bool:
        """Whether it may overwrite or remove something."""
        return self.writes and not self.additive

    def example_requests(self) -> Iterator[dict[str, Any]]:
        """Complete envelopes that perform it."""
        for payload in self.examples:
            yield {"action": self.name, "user_id": "user_123", "payload": payload}

    def example_summaries(self) -> Iterator[str]:
        """What tells these apart, in the same order."""
        for payload in self.examples:
            use = payload.use if isinstance(payload, Example) else ""
            yield f"{self.title}: {use}" if use else self.title

    def permits(self, caller: Caller) -> bool:
        """Whether this caller may perform it."""
        if caller.kind not in self.allow:
            return False
        return self.scope is None or caller.holds(self.scope, self.name, by_name=self.by_name)

    def authorize(self, caller: Caller) -> None:
        """Forbidden unless the caller is of an allowed kind and holds the scope."""
        if caller.kind not in self.allow:
            raise Forbidden("This kind of credential may not perform the action")
        if not self.permits(caller):
            raise Forbidden(f"Missing scope: {self.scope}")

    def validate(self, payload: dict[str, Any]) -> Any:
        """The typed payload; InvalidPayload names the fields that are wrong."""
        try:
            return self.payload.model_validate(payload)
        except ValidationError as error:
            raise invalid_payload(error) from None

    async def run(self, context: Context, payload: Any) -> Any:
        """Performs it and returns its result, committed."""
        if not self.transaction:
            return await self.perform(context, payload)
        async with context.db.transaction():
            return await self.perform(context, payload)

    async def run_outside(self, context: OutsideContext, payload: Any) -> Any:
        """Performs one that reaches outside."""
        return await self.perform(context, payload)

    async def __call__(
        self, user_id: str, payload: dict[str, Any], db: Connection
    ) -> dict[str, Any]:
        """Validates and performs it for a trusted caller; the result as JSON-ready values."""
        valid = self.validate(payload)
        if self.outside:
            context = OutsideContext(lambda: nullcontext(db), user_id)
            result = await self.run_outside(context, valid)
        else:
            result = await self.run(Context(db, user_id), valid)
        whole = await result.whole(db) if isinstance(result, Json) else serialize(result)
        data: dict[str, Any] = from_json(whole)
        return data


class Declared(TypedDict, total=False):
    """What may be said of an action; the fields of Action say what each means, and its default."""

    scope: Required[str | None]
    writes: bool
    transaction: bool
    outside: bool
    composite: bool
    many: PerformMany | None
    replicable: bool
    searches: Callable[[Any], bool]
    by_name: bool
    additive: bool
    forgets: bool
    watched: bool
    idempotent: bool
    allow: frozenset[CallerKind]
    raises: tuple[type[AppError], ...]
    examples: tuple[dict[str, Any], ...]


def action(**declared: Unpack[Declared]) -> Callable[[Perform], Action]:
    """Makes an action of `async def verb_noun(context, payload) -> result`.

    Its name, types and docstring are the published name, schemas and description.
    """
    return partial(_define, **declared)


def _define(perform: Perform, **declared: Any) -> Action:
    hints = get_type_hints(perform)
    result = hints["return"]
    return Action(
        name=perform.__name__.replace("_", "-"),
        description=" ".join((perform.__doc__ or "").split()),
        perform=perform,
        payload=hints["payload"],
        result=get_args(result)[0] if get_origin(result) is Json else result,
        **declared,
    )


def as_action(name: str, handler: Action | BareHandler) -> Action:
    """An action as it is; a bare `async handler(user_id, payload, db)` wrapped in one."""
    return handler if isinstance(handler, Action) else _wrapped(name, handler)


@cache  # what is made of actions is kept by them: each must stay the same
def _wrapped(name: str, handler: BareHandler) -> Action:
    async def perform(context: Context, payload: AnyPayload) -> Any:
        return await handler(context.user_id, dict(payload), context.db)

    description = " ".join((handler.__doc__ or "").split())
    return Action(
        name, description, perform, AnyPayload, Any, scope=name, writes=True, transaction=True
    )
