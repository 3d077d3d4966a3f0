"""Time zones by IANA name, from the package `tzdata` alone: every machine knows the same."""

from functools import cache
from importlib.resources import files
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

TIME_ZONES = frozenset((files("tzdata") / "zones").read_text().split())
"""The names that IANA lists, links included, as spelled there."""


@cache
def time_zone(name: str) -> ZoneInfo:
    """The rules of one of the zones."""
    with (files("tzdata") / "zoneinfo" / name).open("rb") as rules:
        return ZoneInfo.from_file(rules, name)


def _listed(name: str) -> str:
    if name not in TIME_ZONES:
        raise PydanticCustomError("time_zone", "must be the IANA name of a time zone")
    return name


TimeZone = Annotated[
    str,
    AfterValidator(_listed),
    Field(description="An IANA name, as spelled there.", examples=["Europe/Berlin"]),
]
