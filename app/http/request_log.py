"""An id for every request and answer, and one log line about both."""

import re
from random import getrandbits
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database.usage import Usage
from app.http.refusals import Refusals
from app.logs import logger
from app.metrics import record_request
from app.state import Exchange

# An answer is no page: nothing in it is to be loaded, run or framed.
_API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_FRAME = (b"x-frame-options", b"DENY")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
SAFETY = (_NOSNIFF, _NO_FRAME, _API_POLICY)
"""What every answer carries."""
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def _sane(value: bytes | None) -> bytes | None:
    return value if value is not None and _SANE_ID.fullmatch(value) else None


class RequestLog:
    """Gives every request an id, every answer that id, and the log one line about both.

    A wave of 503s is summed up. Whoever handles the request adds what it knows to its Exchange.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self.app = app
        self._headers = dict([*SAFETY, _HSTS] if secure else SAFETY)
        self._logger = logger.bind()  # binding at every line would cost as much as the line
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return self._refusals.tell()  # the service ends
        started = perf_counter()
        exchange = Exchange.of(scope)
        exchange.resources = scope["app"].state.resources
        entry, sent, answer_headers = exchange.log, exchange.sent, exchange.headers
        request_id = _sane(sent.get(b"x-request-id")) or b"%032x" % getrandbits(128)
        entry["request_id"] = request_id.decode()
        answer_headers[b"x-request-id"] = request_id
        answer_headers.update(self._headers)
        if trace_id := _sane(sent.get(b"x-trace-id")):
            entry["trace_id"] = trace_id.decode()
            answer_headers[b"x-trace-id"] = trace_id
        if traceparent := _sane(sent.get(b"traceparent")):
            entry["traceparent"] = traceparent.decode()
        entry["method"], entry["path"] = scope["method"], scope["path"]
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # and the server leaves the body out

        async def send_identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), *answer_headers.items()]
            await send(message)

        try:
            await self.app(scope, receive, send_identified)
        finally:
            self._record(exchange, perf_counter() - started)

    def _record(self, exchange: Exchange, seconds: float) -> None:
        entry = exchange.log
        entry["duration_ms"] = round(seconds * 1000, 2)
        status = entry.get("status", 0)
        if status == 503:
            self._refusals.note(entry, exchange.label)
        else:
            self._logger.info("request", **entry)
        outcome = entry.get("outcome", status)  # where an answer is no refusal but tells of one
        record_request(exchange.label, outcome, seconds)
        if (caller := exchange.known_caller) is not None:
            exchange.resources[Usage].note(caller, exchange.label, outcome)
