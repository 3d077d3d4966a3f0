"""JSON as RFC 8259 has it, with no more levels and values than anybody needs."""

from codecs import BOM_UTF8
from itertools import accumulate
from json import JSONDecodeError, loads
from typing import Any, NoReturn

from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json

MAX_DEPTH = 32
MAX_VALUES = 12_000
"""To build, check and store so many takes 20 ms of the 50 that a request may hold the loop."""
_MOST_DIGITS = 1000

# Brackets as signed bytes: one level deeper, or one less.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def require_json(content_type: str | None) -> None:
    """Refuses a body that does not say that it is JSON."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        refuse("content_type", "Content-Type must be application/json", "header", "content-type")


def parse_json(body: bytes, most_values: int = MAX_VALUES) -> Any:
    """The value of strict JSON: UTF-8, no NaN or Infinity, and bounded before it is built.

    A byte order mark before it is passed over.
    """
    body = body.removeprefix(BOM_UTF8)
    if len(body) > most_values or _openings(body) > MAX_DEPTH:
        _require_bounds(_outside_strings(body, most_values), most_values)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return _parse_leniently(body)


def _openings(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _outside_strings(body: bytes, most_values: int) -> bytes:
    """JSON without its strings; where these are too many for the values, what comes first."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two marks a string, and two strings a member.
    return b"".join(unescaped.split(b'"', 4 * most_values + 4)[::2])


def _require_bounds(structure: bytes, most_values: int) -> None:
    """Refuses by the commas and brackets alone; a body that is no JSON, by those until it fails."""
    steps = structure.translate(_STEPS, _NO_BRACKETS)[: 2 * most_values]
    if max(accumulate(memoryview(steps).cast("b")), default=0) > MAX_DEPTH:
        refuse("json_depth", f"JSON is nested deeper than {MAX_DEPTH} levels", "body")
    # Whatever stands within another value follows one of these.
    if structure.count(b",") + _openings(structure) > most_values:
        refuse("json_values", f"JSON has more than {most_values} values", "body")


def _parse_leniently(body: bytes) -> Any:
    """Lets lone surrogates through, so that the field that has one can be named."""
    try:
        return loads(body.decode(), parse_int=_short_int, parse_constant=_no_constant)
    except UnicodeDecodeError:
        refuse("json_invalid", "The body is not valid UTF-8", "body")
    except JSONDecodeError as error:
        refuse("json_invalid", f"The body is not valid JSON: {error.msg}", "body", error.pos)
    except ValueError:
        refuse("json_invalid", "The body is not valid JSON", "body")


def _short_int(digits: str) -> int:
    """Python's time for an integer grows with the square of its digits."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError
    return int(digits)


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def refuse(kind: str, message: str, *location: str | int) -> NoReturn:
    """Raises the RequestValidationError that says so about this part of the request."""
    raise RequestValidationError([{"type": kind, "loc": location, "msg": message}])
