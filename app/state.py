"""What travels with one request, and what the application holds for all of them."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.models.audit import Author
from app.models.caller import Caller

Thing = TypeVar("Thing")
_LONGEST_HOST = 255


class Resources:
    """One thing of a kind: the settings, the database, what an open door needs."""

    doors: Sequence[str] = ()
    """The names of the open doors."""

    def __init__(self, *things: object) -> None:
        self._things: dict[type, Any] = {}
        self._opening: list[Callable[[], Awaitable[None]]] = []
        self._closing: list[Callable[[], Awaitable[None]]] = []
        for thing in things:
            self.add(thing)

    def add(
        self,
        thing: object,
        *,
        open: Callable[[], Awaitable[None]] | None = None,  # noqa: A002 - as close
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Keeps a thing under its class and the classes that it extends, in place of another."""
        for kind in type(thing).__mro__[:-1]:
            self._things[kind] = thing
        if open is not None:
            self._opening.append(open)
        if close is not None:
            self._closing.append(close)

    def __getitem__(self, kind: type[Thing]) -> Thing:
        thing: Thing = self._things[kind]
        return thing

    def get(self, kind: type[Thing]) -> Thing | None:
        """The thing of this kind, if there is one."""
        return self._things.get(kind)

    async def open(self) -> None:
        """Begins what has to be begun, once the database is open."""
        for begin in self._opening:
            await begin()

    async def close(self) -> None:
        """Ends what has to be ended."""
        for close in self._closing:
            await close()


NO_RESOURCES = Resources()


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    `sent` has the request's headers, of each name the first, and `resources` what the application
    holds. `log` becomes the line about both; `headers` go out with the answer, whatever it is;
    `label` is what metrics count it as. `waited` is how many seconds it has spent on the database.
    `installation_id` names whose device or installation sent it, where a command says so.
    """

    sent: dict[bytes, bytes] = field(default_factory=dict)
    resources: Resources = NO_RESOURCES
    log: dict[str, Any] = field(default_factory=dict)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    label: str = "unmatched"
    waited: float = 0.0
    body_received: bool = False
    installation_id: str | None = None
    _caller: Caller | None = None

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> "Exchange":
        """The one of this request."""
        exchange: Exchange | None = scope.get("exchange")
        if exchange is None:
            exchange = scope["exchange"] = cls(dict(reversed(scope["headers"])))
        return exchange

    def header(self, name: bytes) -> str | None:
        """What the request says under this name, in lower case."""
        value = self.sent.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def begun(self) -> bool:
        """Whether the answer is on its way."""
        return "status" in self.log

    @property
    def caller(self) -> Caller:
        """Who asks; the guard of the route has made sure."""
        assert self._caller is not None, "the route asks for no credential"  # noqa: S101
        return self._caller

    @property
    def known_caller(self) -> Caller | None:
        """Who asks, if anybody showed a credential that is good."""
        return self._caller

    def identify(self, caller: Caller) -> None:
        """Notes who asks, for the log too."""
        self._caller = caller
        self.log["key_name"] = caller.name
        if caller.user_id:
            self.log["user_id"] = caller.user_id


def author_of(scope: MutableMapping[str, Any]) -> Author:
    """Who is named where it is kept who did what, and from where."""
    exchange = Exchange.of(scope)
    caller = exchange.caller
    name = caller.name if caller.kind == "admin" else f"key:{caller.name}"
    host = (scope.get("client") or (None,))[0]
    return Author(name, host and host[:_LONGEST_HOST], exchange.log["request_id"])


def resources_of(scope: MutableMapping[str, Any]) -> Resources:
    """What the application that answers this request holds."""
    return Exchange.of(scope).resources
