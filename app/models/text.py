"""Text as PostgreSQL can store it, and the identifiers made of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from unicodedata import normalize

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True)
class Check:
    """A check of text and the pattern that tells clients of it."""

    check: Callable[[str], str]
    pattern: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}


def storable(value: str) -> str:
    """The text; an error where PostgreSQL could not store it."""
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "must not contain NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("lone_surrogate", "must not contain lone surrogates") from None
    return value


# White space and control characters, those that Unicode has ignored where they cannot be shown
# (fillers, joiners, selectors, marks of direction), and the blank of Braille.
_NOT_SHOWN = (
    r"\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
_NOTHING = re.compile(
    rf"[{_NOT_SHOWN}\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U00013430-\U0001343f\U000e0000-\U000e0fff]*"
)


def _visible(value: str) -> str:
    if _NOTHING.fullmatch(value):
        raise PydanticCustomError("blank", "must not be blank")
    return storable(value)


STORABLE = Check(storable, r"^[^\x00]*$")
"""Refuses what PostgreSQL cannot store."""
VISIBLE = Check(_visible, rf"^[^\x00]*[^{_NOT_SHOWN}][^\x00]*$")
"""Refuses also what nobody can see."""


_LONGEST_COMPOSED = 400
"""Characters of which four are one when composed; to compose takes the square of their number."""


def _composed(value: object) -> object:
    if isinstance(value, str) and len(value) <= _LONGEST_COMPOSED:
        return normalize("NFC", value)
    return value


COMPOSED = BeforeValidator(_composed)
"""Brings short names into Unicode's NFC: those that look the same are the same."""

ClientId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
"""An id that a client makes up: visible characters of ASCII."""

UserId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    STORABLE,
    Field(description="The user's id as Cat House knows it."),
]
