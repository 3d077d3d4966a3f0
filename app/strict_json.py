"""JSON as RFC 8259 has it, nested no deeper than anybody needs."""

from json import JSONDecodeError, loads
from typing import Any, NoReturn

from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json

MAX_DEPTH = 32


def require_json(content_type: str | None) -> None:
    """Refuses a body that does not say that it is JSON."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        refuse("content_type", "Content-Type must be application/json", "header", "content-type")


def parse_json(body: bytes) -> Any:
    """The value of strict JSON: UTF-8, no NaN or Infinity, nested no deeper than MAX_DEPTH."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        value = _parse_leniently(body)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        refuse("json_depth", f"JSON is nested deeper than {MAX_DEPTH} levels", "body")
    return value


def _parse_leniently(body: bytes) -> Any:
    """Lets lone surrogates through, so that the field that has one can be named."""
    try:
        return loads(body.decode(), parse_constant=_no_constant)
    except RecursionError:
        refuse("json_depth", f"JSON is nested deeper than {MAX_DEPTH} levels", "body")
    except UnicodeDecodeError:
        refuse("json_invalid", "The body is not valid UTF-8", "body")
    except JSONDecodeError as error:
        refuse("json_invalid", f"The body is not valid JSON: {error.msg}", "body", error.pos)
    except ValueError:
        refuse("json_invalid", "The body is not valid JSON", "body")


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(member, levels - 1) for member in members)


def refuse(kind: str, message: str, *location: str | int) -> NoReturn:
    """Raises the RequestValidationError that says so about this part of the request."""
    raise RequestValidationError([{"type": kind, "loc": location, "msg": message}])
