"""Points in time as clients send and receive them."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FIRST_YEAR, _LAST_YEAR = 1900, 9998


def timestamp() -> str:
    """The present instant as answers carry it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _iso_text(value: object) -> object:
    """Refuses numbers and digit strings, which would silently pass as Unix seconds."""
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO_DATE.match(value)):
        return value
    raise PydanticCustomError("iso_datetime", "must be an ISO 8601 date and time")


def _utc(value: datetime) -> datetime:
    _check_year(value)
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return _check_year(value.astimezone(UTC))


def _check_year(value: datetime) -> datetime:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise PydanticCustomError(
            "year_range",
            "must lie in the years {first} to {last}",
            {"first": _FIRST_YEAR, "last": _LAST_YEAR},
        )
    return value


def _in_the_future(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise PydanticCustomError("future", "must lie in the future")
    return value


Instant = Annotated[
    datetime,
    BeforeValidator(_iso_text),
    AfterValidator(_utc),
    Field(
        description="ISO 8601; without a zone it is taken as UTC. Years 1900 to 9998.",
        examples=["2026-11-20T10:00:00Z"],
        json_schema_extra={"pattern": r"^(19\d\d|[2-8]\d{3}|9[0-8]\d\d|99[0-8]\d|999[0-8])-"},
    ),
]
FutureInstant = Annotated[
    Instant, AfterValidator(_in_the_future), Field(examples=["2126-11-20T10:00:00Z"])
]
