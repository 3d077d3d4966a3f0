"""The envelope: what every command and every answer look like."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, StringConstraints
from pydantic_core import to_json

from app.models.text import STORABLE, UserId

Data = TypeVar("Data")
ActionName = Annotated[str, StringConstraints(min_length=1, max_length=100), STORABLE]


class CommandRequest(BaseModel):
    """A command. The payload is checked by its action; unknown members are ignored."""

    action: ActionName
    user_id: UserId
    payload: dict[str, Any] = {}


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
