"""What refusals look like: the bodies that the document shows are made as those that are sent."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic_core import from_json

from app.errors import (
    AlreadyRunning,
    Fault,
    Forbidden,
    Locked,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from app.http.answers import ErrorShape, error_answer
from app.http.body import coded, too_large, too_slow
from app.http.guard import Route
from app.http.paths import not_utf8
from app.state import Exchange

_MOMENT = "2026-11-25T10:30:00.000Z"
_USUAL: Mapping[int, Exception] = {
    400: not_utf8(),
    401: Unauthorized(),
    403: Forbidden(),
    404: NotFound(),
    408: too_slow(),
    409: AlreadyRunning(),
    415: coded(),
    423: Locked(900),
    429: TooManyRequests(1),
    500: Fault(),
    503: Unavailable(),
}

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def refuses(**errors: Exception) -> Callable[[Endpoint], Endpoint]:
    """Says how an endpoint words a status, `on_<number>`, where that is its own."""

    def note(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["refusals"] = {int(name[3:]): error for name, error in errors.items()}
        return endpoint

    return note


def refusal(
    route: Route, status: int, shape: ErrorShape | None, of_door: Mapping[int, Exception]
) -> Any:
    """The body of the route's answer with this status; None where it cannot have one."""
    own: Mapping[int, Exception] = vars(route.endpoint).get("refusals", {})
    invalid = shape.invalid if shape else 422
    known = {**_USUAL, 413: too_large(route.most_body_bytes)}
    if (complaint := route.complaint()) is not None:
        known[invalid] = complaint
    error = {**known, **of_door, **own}.get(status)
    return None if error is None else _body(error, shape)


def _body(error: Exception, shape: ErrorShape | None) -> Any:
    body = from_json(error_answer(Exchange(), error, shape).body)
    return {**body, "timestamp": _MOMENT} if "timestamp" in body else body
