"""Points in time as clients send and receive them."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_BASIC_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_BASIC = re.compile(
    _BASIC_DATE.pattern + r"T(\d\d)(\d\d)(?:(\d\d)([.,]\d{1,6})?)?(?:(Z|[+-]\d\d)(\d\d)?)?",
    re.ASCII,
)
_FIRST_YEAR, _LAST_YEAR = 1900, 9998


def timestamp() -> str:
    """The present instant as answers carry it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _iso_text(value: object) -> object:
    """Refuses numbers and digit strings, which would silently pass as Unix seconds."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        value = _extended_date(value)
        if _ISO_DATE.match(value):
            return value
        if basic := _BASIC.fullmatch(value):
            return _extended(*basic.groups(""))
    raise PydanticCustomError("iso_datetime", "must be an ISO 8601 date and time")


def _extended_date(text: str) -> str:
    """A basic date in the extended spelling; anything else as it is."""
    basic = _BASIC_DATE.fullmatch(text)
    return "-".join(basic.groups()) if basic else text


def _extended(*parts: str) -> str:
    """The extended spelling of a basic one's parts."""
    year, month, day, hour, minute, second, fraction, zone, zone_minutes = parts
    if zone not in ("", "Z"):
        zone = f"{zone}:{zone_minutes or '00'}"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{fraction}{zone}"


def _whole_day(value: object) -> object:
    if isinstance(value, str) and _ISO_DATE.fullmatch(date := _extended_date(value)):
        return f"{date}T23:59:59.999999Z"
    return value


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
        json_schema_extra={"pattern": r"^(19\d\d|[2-8]\d{3}|9[0-8]\d\d|99[0-8]\d|999[0-8])-?"},
    ),
]
LastInstant = Annotated[Instant, BeforeValidator(_whole_day)]
"""The end of a span: a date without a time is its last moment."""
FutureInstant = Annotated[
    Instant, AfterValidator(_in_the_future), Field(examples=["2126-11-20T10:00:00Z"])
]
