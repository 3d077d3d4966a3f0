"""The envelope: what every command and every answer look like."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import to_json

from app.models.text import STORABLE, UserId

Data = TypeVar("Data")
IdempotencyKey = Annotated[
    str,
    StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$"),
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


class CommandOptions(BaseModel):
    """How a command is to be performed. A misspelt option is refused: it must never write."""

    model_config = ConfigDict(extra="forbid")

    idempotency_key: IdempotencyKey | None = None


class CommandResponse(BaseModel, Generic[Data]):
    """The answer to a command that succeeded."""

    success: Literal[True]
    data: Data
    error: None
    timestamp: datetime


def serialize(result: object) -> bytes:
    """The JSON of an action's result; bytes are JSON already."""
    if isinstance(result, bytes):
        return result
    if isinstance(result, BaseModel):
        return result.__pydantic_serializer__.to_json(result)
    return to_json(result)


def timestamp() -> str:
    """The present instant as answers carry it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def envelope(data: bytes) -> bytes:
    """The body of a CommandResponse around JSON data."""
    return b'{"success":true,"data":%b,"error":null,"timestamp":"%b"}' % (
        data,
        timestamp().encode(),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client is told, ready to be sent."""

    status: int
    body: bytes
    replayed: bool = False
