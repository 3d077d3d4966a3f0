"""Whole numbers as JSON Schema knows them, and as a query spells them."""

import re

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError


def _number(value: object) -> object:
    if isinstance(value, str | bool):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


def _digits(value: object) -> object:
    if isinstance(value, str) and re.fullmatch("-?[0-9]+", value) is None:
        raise PydanticCustomError("int_parsing", "must be a whole number")
    return value


WHOLE = BeforeValidator(_number)
"""Refuses "30" and true, which would pass for an integer, and lets 30.0 pass, which is one."""
DIGITS = BeforeValidator(_digits)
"""For a query: refuses "1_0", "+1", " 1" and "1.0", which would pass for an integer."""
LARGEST_WHOLE = 2**53 - 1
"""The largest that no reader of JSON rounds."""
