"""Whole numbers as JSON Schema knows them."""

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError


def _number(value: object) -> object:
    if isinstance(value, str | bool):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


WHOLE = BeforeValidator(_number)
"""Refuses "30" and true, which would pass for an integer, and lets 30.0 pass, which is one."""
