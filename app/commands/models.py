"""The envelope: what every command and every answer look like."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from pydantic_core import from_json, to_json

from app.errors import Refused
from app.models.constant import AlwaysTrue, NoText
from app.models.instant import timestamp
from app.models.page import Page, Part
from app.models.revocation import InstallationId
from app.models.task import Extra, Task
from app.models.text import STORABLE, ClientId, UserId
from app.services import Connection

Data = TypeVar("Data")
IdempotencyKey = Annotated[
    ClientId,
    Field(
        description="Names this command: sent again, it has no second effect for 7 days.",
        examples=["1732190000000-k3j9x"],
    ),
]
ActionName = Annotated[str, StringConstraints(min_length=1), STORABLE]


class CommandRequest(BaseModel):
    """A command. The payload is checked by its action; unknown members are ignored."""

    action: ActionName
    user_id: UserId
    payload: dict[str, Any] = {}
    options: dict[str, Any] = {}


def _in_order(names: list[Extra]) -> list[Extra]:
    return [name for name in get_args(Extra) if name in names]


class CommandOptions(BaseModel):
    """How a command is to be performed. A misspelt option is refused: it must never write."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    idempotency_key: IdempotencyKey | None = None
    include: Annotated[
        # Bounded before it is put in order, and thereby before its members are looked at.
        Annotated[list[Extra], Field(max_length=10)],
        AfterValidator(_in_order),
        Field(description="Shown beside the nine fields of every task."),
    ] = []
    strict: Annotated[
        StrictBool, Field(description="Refuse unknown members of the payload with 400.")
    ] = False
    dry_run: Annotated[
        StrictBool, Field(description="Answer as if it were performed, and take it back.")
    ] = False
    installation_id: Annotated[
        InstallationId | None,
        Field(description="Whose device or installation sent the command."),
    ] = None


NO_OPTIONS = CommandOptions()


class CommandResponse(BaseModel):
    """The answer to a command that succeeded; `data` is what its action returns."""

    success: AlwaysTrue
    data: dict[str, Any]
    error: NoText
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Json(Generic[Data]):
    """JSON of a list, which reaches the client as it is; what frames the entries stands apart.

    A long one comes in parts: `rest` fetches the next, on whichever connection there is then.
    Only the first has an opening, and the last a closing.
    """

    entries: bytes
    opening: bytes | None = None
    closing: bytes = b""
    rest: "Callable[[Connection], Awaitable[Json[Any]]] | None" = None

    @property
    def text(self) -> bytes:
        """The entries in their frame."""
        opening = self.opening
        if opening is None:
            opening = b"," if self.entries else b""
        return b"%b%b%b" % (opening, self.entries, self.closing)

    async def whole(self, db: Connection) -> bytes:
        """All parts in one."""
        part: Json[Any] = self
        parts = [part.text]
        while part.rest is not None:
            part = await part.rest(db)
            parts.append(part.text)
        return b"".join(parts)


async def json_list(
    db: Connection,
    page: Page,
    fetch: Callable[[Connection, Any], Awaitable[Part[Any]]],
    opening: bytes | None = None,
) -> Json[Any]:
    """What is left of a page of a list, followed by the `next_cursor` of the page after it."""
    found = await fetch(db, page)
    entries = to_json(found.entries)[1:-1]
    if found.rest is None:
        next_cursor = to_json(found.last and found.last.cursor)
        return Json(entries, opening, b'],"next_cursor":%b}' % next_cursor)
    return Json(entries, opening, rest=partial(json_list, page=found.rest, fetch=fetch))


def serialize(result: object, include: Sequence[Extra] = ()) -> bytes:
    """The JSON of an action's result; its tasks show what is included beside their fields."""
    if isinstance(result, Json):
        return result.text
    if include:
        return to_json(_with_extras(result, include))
    if isinstance(result, BaseModel):
        return result.__pydantic_serializer__.to_json(result)
    return to_json(result)


def _with_extras(result: Any, include: Sequence[Extra]) -> Any:
    if isinstance(result, Task):
        return result.model_dump() | {name: getattr(result, name) for name in include}
    if isinstance(result, BaseModel):
        return {name: _with_extras(value, include) for name, value in result}
    if isinstance(result, list):
        return [_with_extras(member, include) for member in result]
    return result


ENVELOPE_START = b'{"success":true,"data":'
_AFTER_DATA = b',"error":null,"timestamp":"'


def envelope_end(*, dry_run: bool = False) -> bytes:
    """What follows the data."""
    rest = b',"dry_run":true}' if dry_run else b"}"
    return b'%b%b"%b' % (_AFTER_DATA, timestamp().encode(), rest)


def envelope(data: bytes, *, dry_run: bool = False) -> bytes:
    """The body of a CommandResponse around the JSON of a result."""
    return b"%b%b%b" % (ENVELOPE_START, data, envelope_end(dry_run=dry_run))


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer that is kept under an idempotency key, ready to be sent."""

    status: int
    body: bytes
    replayed: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the command was performed, and not refused."""
        return self.status == 200

    @property
    def data(self) -> bytes:
        """The JSON of the result of a success."""
        return self.body[len(ENVELOPE_START) : self.body.rindex(_AFTER_DATA)]

    def rehearsed(self) -> bytes:
        """The body, saying that nothing was done."""
        return b'%b,"dry_run":true}' % self.body[:-1] if self.is_success else self.body

    def refusal(self) -> Refused:
        """The error that was told instead."""
        return Refused(self.status, from_json(self.body))
