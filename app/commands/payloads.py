"""What a payload may be, and the words for what is wrong with one."""

from collections.abc import Sequence
from itertools import islice
from sys import float_info
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from app.errors import LONGEST_NAME, MOST_NAMED, InvalidPayload
from app.models.mistake import words
from app.models.text import storable


class AnyPayload(BaseModel):
    """Whatever a bare handler makes of it."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _storable(self) -> "AnyPayload":
        _check(self.model_extra)
        return self


def _check(value: object) -> None:
    if isinstance(value, str):
        storable(value)
    elif isinstance(value, int | float):
        _require_double(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            storable(name)
            _check(member)
    elif isinstance(value, list):
        for member in value:
            _check(member)


def _require_double(value: float) -> None:
    if abs(value) > float_info.max:  # no JSON that is written again could tell it
        raise PydanticCustomError("too_large", "must not have numbers beyond 1.8e308")


def invalid_payload(error: ValidationError) -> InvalidPayload:
    """The refusal that names the fields that are wrong, and never a value."""
    errors = [_field_error(details) for details in error.errors(include_input=False)[:MOST_NAMED]]
    return InvalidPayload("; ".join(map(_sentence, errors)), errors)


def invalid_field(name: str, message: str) -> InvalidPayload:
    """The refusal of one field."""
    return InvalidPayload(f"{name}: {message}", [{"field": name, "message": message}])


def missing_field(name: str) -> InvalidPayload:
    """The refusal of a payload that lacks one."""
    message = f"{_MISSING}{name}"
    return InvalidPayload(message, [{"field": name, "message": message}])


_MISSING, _NO_UUID = "Missing required field: ", "Invalid UUID format for "


def _field_error(details: ErrorDetails) -> dict[str, str]:
    name = ".".join(map(str, details["loc"]))[:LONGEST_NAME]
    if details["type"] == "missing":
        message = f"{_MISSING}{name}"
    elif details["type"].startswith("uuid"):
        message = f"{_NO_UUID}{name}"
    else:
        message = words(details)
    return {"field": name, "message": message}


def _sentence(error: dict[str, str]) -> str:
    name, message = error["field"], error["message"]
    names_it = not name or message.startswith((_MISSING, _NO_UUID))
    return message if names_it else f"{name}: {message}"


def unknown_members(model: type[BaseModel], payload: dict[str, Any]) -> list[str]:
    """The members that the model ignores, the first of many, as they may be repeated to anybody."""
    known = model.__pydantic_fields__
    if payload.keys() <= known.keys() or model.model_config.get("extra") == "allow":
        return []
    ignored = (name for name in payload if name not in known)
    return [printable(name) for name in islice(ignored, MOST_NAMED)]


def printable(name: str) -> str:
    """A caller's name for something as a header, or an error, may repeat it."""
    return quote(name[:LONGEST_NAME], safe="[]$ ", errors="replace")[:LONGEST_NAME]


def refuse_unknown(names: Sequence[str]) -> InvalidPayload:
    """The refusal of members that nobody knows."""
    errors = [{"field": name, "message": f"Unknown field: {name}"} for name in names[:MOST_NAMED]]
    return InvalidPayload("; ".join(error["message"] for error in errors), errors)
