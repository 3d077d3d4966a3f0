"""What happens to every request, in pure ASGI: identity and log line, CORS, faults, limits."""

import asyncio
import re
from collections.abc import Sequence
from random import getrandbits
from time import perf_counter
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.answers import refusal
from app.commands.registry import ACTION_HANDLERS
from app.logs import logger
from app.metrics import record_request
from app.refusals import Refusals

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 10.0
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

# What a web client may read of how its user stands with a rate limit.
_STANDING = (
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("RateLimit", "RateLimit-Policy", "Retry-After"),
)

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


class Faults:
    """Answers whatever an application raises, the unexpected with a plain 500.

    It stands inside CORS so that browsers may read the answer, and re-raises only once an answer
    has begun: uvicorn would close a kept-alive connection unannounced.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = refusal(scope, error)
            if "status" in scope["log"]:
                raise
            await response(scope, receive, send)


class _ExactCORS(CORSMiddleware):
    """Allows exactly the listed headers, and refuses in JSON like everything else here."""

    def __init__(
        self,
        app: ASGIApp,
        origins: Sequence[str],
        methods: str,
        headers: str,
        exposed: Sequence[str] = (),
    ) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=methods.split(", "),
            allow_credentials=True,
            expose_headers=("X-Request-ID", *exposed),
        )
        self.allow_headers = headers.lower().split(", ")
        self.preflight_headers["Access-Control-Allow-Headers"] = headers

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        refusal = JSONResponse({"detail": bytes(response.body).decode()}, response.status_code)
        for name in ("Vary", "Access-Control-Allow-Origin"):
            if name in response.headers:
                refusal.headers[name] = response.headers[name]
        return refusal


class CORS:
    """Cross-origin rules by path; requests without an Origin pass untouched."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self.app = app
        methods, headers = "GET, POST, PATCH, DELETE, OPTIONS", "X-Service-Key, Content-Type"
        self._commands = _ExactCORS(app, origins, methods, headers)
        methods, headers = f"{methods}, PUT", f"{headers}, Authorization"
        self._doors = _ExactCORS(app, origins, methods, headers, _STANDING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _header(scope, b"origin") is None:
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/api/"):
            await self._doors(scope, receive, send)
        else:
            await self._commands(scope, receive, send)


class QueryLimit:
    """Refuses a query that would take long to take apart, before anybody does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            raise HTTPException(414, f"The query has more than {MAX_PARAMETERS} parameters")
        await self.app(scope, receive, send)


class LimitedBody:
    """Reads a body; raises 413 over so many bytes and 408 after 10 s.

    Whoever handles the request reads it, so that a credential is asked for first.
    """

    def __init__(self, scope: Scope, receive: Receive, most_bytes: int = MAX_BODY_BYTES) -> None:
        self._scope = scope
        self._receive = receive
        self._most_bytes = most_bytes
        declared = _header(scope, b"content-length") or b"0"
        self._declared = int(declared) if declared.isdigit() else 0
        self._size = 0
        self._deadline: float | None = None
        self._complete = False

    async def _next(self) -> Message:
        if self._declared > self._most_bytes:
            raise self._too_large()
        received = self._scope.get("body_received")  # said by BoundedProtocol
        message = await (self._receive() if received else self._receive_in_time())
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._size > self._most_bytes:
            raise self._too_large()
        return message

    async def _receive_in_time(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(
                408, "The request body took too long", {"Connection": "close"}
            ) from None

    async def read(self) -> bytes:
        """The whole body; ClientDisconnect when the client left before it was complete."""
        parts = []
        while not self._complete:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
        return b"".join(parts)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"The request body is larger than {self._most_bytes} bytes")
