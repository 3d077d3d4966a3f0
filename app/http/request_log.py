"""An id for every request and answer, and one log line about both."""

import re
from random import getrandbits
from time import perf_counter
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.commands.registry import ACTION_HANDLERS
from app.http.refusals import Refusals
from app.logs import logger
from app.metrics import record_request

MAX_PARAMETERS = 100

# The pages bring all they need; whatever they ask of another host is not loaded.
_PAGES = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc"})
_PAGE_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; worker-src blob:; frame-ancestors 'none'",
)

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _sane_id(headers: dict[bytes, bytes], name: bytes) -> bytes | None:
    value = headers.get(name)
    return value if value is not None and _SANE_ID.fullmatch(value) else None


class RequestLog:
    """Gives every request an id, every answer that id, and the log one line about both.

    A wave of 503s is summed up.
    Whoever handles the request adds what it knows to `scope["log"]`, and what the answer has to
    say, whatever it is, to `scope["answer_headers"]`.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self.app = app
        self._headers = dict([_NOSNIFF, _HSTS] if secure else [_NOSNIFF])
        self._logger = logger.bind()  # binding at every line would cost as much as the line
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return self._refusals.tell()  # the service ends
        started = perf_counter()
        headers = dict(scope["headers"])
        request_id = _sane_id(headers, b"x-request-id") or b"%032x" % getrandbits(128)
        entry: dict[str, Any] = {"request_id": request_id.decode()}
        answer_headers = {b"x-request-id": request_id, **self._headers}
        if trace_id := _sane_id(headers, b"x-trace-id"):
            entry["trace_id"] = trace_id.decode()
            answer_headers[b"x-trace-id"] = trace_id
        if traceparent := _sane_id(headers, b"traceparent"):
            entry["traceparent"] = traceparent.decode()
        if scope["path"] in _PAGES:
            answer_headers.update([_PAGE_POLICY])
        entry["method"], entry["path"] = scope["method"], scope["path"]
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # and the server leaves the body out
        scope["log"], scope["answer_headers"] = entry, answer_headers

        async def send_identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), *answer_headers.items()]
            await send(message)

        try:
            await self.app(scope, receive, send_identified)
        finally:
            seconds = perf_counter() - started
            entry["duration_ms"] = round(seconds * 1000, 2)
            label, status = _label(scope), entry.get("status", 0)
            if status == 503:
                self._refusals.note(entry, label)
            else:
                self._logger.info("request", **entry)
            record_request(label, status, seconds)


def _label(scope: Scope) -> str:
    """The registered action, else the route: nothing that a caller could make up."""
    if (action := scope["log"].get("action")) is not None:
        return action if action in ACTION_HANDLERS else "unknown"
    return getattr(scope.get("route"), "path", "unmatched")


class QueryLimit:
    """Refuses a query that would take long to take apart, before anybody does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            raise HTTPException(414, f"The query has more than {MAX_PARAMETERS} parameters")
        await self.app(scope, receive, send)
