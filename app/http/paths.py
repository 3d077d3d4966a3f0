"""Which spellings of a path lead anywhere."""

import re
from collections.abc import Awaitable

from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.answers import refusal
from app.http.guard import ErrorShape, refuse_http

GUARDED = ("/admin", "/metrics", "/docs", "/redoc", "/openapi.json")
"""What a proxy may guard by its path; such paths hold nothing that needs an escape."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class OwnSpelling:
    """Answers 404 to a guarded path in an escaped spelling, and to a control character in any.

    A proxy compares what is sent; the application routes by what it means.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if b"%" in scope.get("raw_path", b"") and _leads_nowhere(scope["path"]):
            return _answer_missing(scope, receive, send)
        return self.app(scope, receive, send)


def _leads_nowhere(path: str) -> bool:
    return path.startswith(GUARDED) or _CONTROL.search(path) is not None


async def _answer_missing(scope: Scope, receive: Receive, send: Send) -> None:
    """In the words of the door that the path would have led to."""
    shape: ErrorShape | None = next(
        (
            getattr(route.original_route, "error_shape", None)
            for route in iter_route_contexts(scope["app"].routes)
            if route.path_regex.match(scope["path"])
        ),
        None,
    )
    error = HTTPException(404)
    response = refuse_http(error, shape) if shape else refusal(scope, error)
    await response(scope, receive, send)
