"""Text as PostgreSQL can store it, and the identifiers made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
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


def _visible(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return storable(value)


STORABLE = Check(storable, r"^[^\x00]*$")
"""Refuses what PostgreSQL cannot store."""
VISIBLE = Check(_visible, r"^[^\x00]*[^\s\x00][^\x00]*$")
"""Refuses also what nobody can see."""

UserId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    STORABLE,
    Field(description="The user's id as Cat House knows it."),
]
