"""What uvicorn's HTTP protocol leaves open: what a connection may send, hold and leave unread."""

import asyncio
import json
import re
from collections.abc import Iterable
from os import urandom
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.exceptions import HTTPException
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.http.request_log import SAFETY
from app.server.flow import BoundedFlow, JoinedWrites
from app.state import Exchange

MAX_HEAD_BYTES, MAX_FIELDS = 64 * 1024, 256
HEAD_SECONDS, _LINGER_SECONDS = 10.0, 0.5
_HEAD_END = b"\r\n\r\n"
_BLANK_LINES = re.compile(rb"[\r\n]+")
_PIECES_AT_ONCE = 500  # a millisecond's: there may be one each four bytes
_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding"})
_TOO_MANY_FIELDS = f"The request's head has more than {MAX_FIELDS} fields"
_CLOSE = (b"connection", b"close")


class BoundedProtocol(HttpToolsProtocol):
    """Parses a request when the answer to the last one is complete and read; refuses in JSON.

    What waits for its turn is at most what one read has brought. A head ends at 64 KiB (431) and
    after 10 s (408), and says once and clearly where its body ends (400); an offer to go on in
    another protocol is passed over, as HTTP allows. What follows a body in chunks is nobody's;
    over 64 KiB of it end the connection, as does an answer that nobody reads for 30 s.
    """

    # Beyond 30 attributes, which uvicorn nearly has, a dictionary of them is slow to read.
    __slots__ = (
        *("_refused", "_unparsed", "_in_message", "_in_head", "_body_left", "_kept_bytes"),
        *("_head_timer", "_idle_since"),
    )
    flow: BoundedFlow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request no longer than for any other."""
        self._refused = self._in_message = self._in_head = False
        self._unparsed, self._body_left, self._kept_bytes = bytearray(), 0, 0
        self._head_timer: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self.flow = BoundedFlow(transport)
        self.transport = cast(asyncio.Transport, JoinedWrites(transport, self.loop, self._linger))
        self._idle_since = self.loop.time()
        self._await_request(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._refused = True
        self._unparsed.clear()
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes from the client, and parses what has its turn."""
        if self._refused:
            return
        self._unparsed += data
        goes_on = self._parse()
        if self._in_head:
            self._watch_head()
        if self._unparsed or self.flow.held:
            self.flow.hold(bool(self._unparsed) and (goes_on or not self._in_message))

    def _parse(self) -> bool:
        """Parses what has its turn; whether it goes on with that when others had theirs."""
        for _ in range(_PIECES_AT_ONCE):
            if not self._unparsed or not (self._in_message or self._has_turn()):
                return False
            size = self._body_left or self._size_of_piece()
            if not size:
                return False
            piece = bytes(self._unparsed[:size])
            del self._unparsed[:size]
            self._feed(piece)
        self.loop.call_soon(self.data_received, b"")
        return True

    def on_response_complete(self) -> None:
        """The next request has its turn."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._idle_since = self.loop.time()
        self.flow.resume_reading()
        if self._unparsed:
            self.data_received(b"")

    def _await_request(self, seconds: float) -> None:
        """One timer looks for long, where uvicorn sets and cancels one for each request."""
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Ends the connection, if none of its requests began in time."""
        if self._in_head or (self.cycle is not None and not self.cycle.response_complete):
            self._await_request(self.timeout_keep_alive)
        elif (left := self._idle_since + self.timeout_keep_alive - self.loop.time()) > 0:
            self._await_request(left)
        else:
            super().timeout_keep_alive_handler()

    def _has_turn(self) -> bool:
        if self.cycle is None:
            return True
        return self.cycle.response_complete and not self.flow.write_paused

    def _size_of_piece(self) -> int:
        """Up to the end of a head or of a body in chunks, but no byte of the next request.

        What may be the beginning of such an end waits.
        """
        waiting = self._unparsed
        if not self._in_message and (blank := _BLANK_LINES.match(waiting)):
            del waiting[: blank.end()]
        if size := waiting.find(_HEAD_END) + 1:
            return size + len(_HEAD_END) - 1
        return max(len(waiting.rstrip(b"\r\n")), len(waiting) - len(_HEAD_END) + 1)

    def _feed(self, piece: bytes) -> None:
        if self._body_left:
            self._body_left -= len(piece)
        else:
            self._kept_bytes += len(piece)
            if self._kept_bytes > MAX_HEAD_BYTES and not self._in_body():
                self._refuse_flood()
                return
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade:
            self._pass_over_upgrade()
        except HttpParserError as error:
            self._refuse_invalid(error.__context__)
        if self._kept_bytes > MAX_HEAD_BYTES:
            self._refuse_flood()

    def _refuse_flood(self) -> None:
        self._refuse(431, f"The request's head or trailer is over {MAX_HEAD_BYTES} bytes")

    def _in_body(self) -> bool:
        return self._in_message and not self._in_head

    def _refuse_invalid(self, reason: BaseException | None) -> None:
        status, detail = 400, "Invalid HTTP request received"
        self.logger.warning(detail)
        if isinstance(reason, HTTPException):
            status, detail = reason.status_code, reason.detail
        self._refuse(status, detail)

    def _watch_head(self) -> None:
        if len(self.headers) > MAX_FIELDS:
            self._refuse(431, _TOO_MANY_FIELDS)
        elif self._head_timer is None and not self._refused:
            self._head_timer = self.loop.call_later(
                HEAD_SECONDS, self._refuse, 408, "The request's head took too long"
            )

    def _should_upgrade(self) -> bool:
        """Keeps uvicorn from serving a request whose body the parser passes over."""
        return True

    def _pass_over_upgrade(self) -> None:
        """A new parser gets the head without its offer."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(400, "This server is not a proxy")
            return
        request = (method, self.url, self.parser.get_http_version().encode())
        headers = [header for header in self.headers if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._feed(b"%b %b HTTP/%b\r\n%b\r\n" % (*request, _lines(headers)))

    def on_message_begin(self) -> None:
        """A head begins; nothing else, blank lines for example, ends the wait for a request."""
        self._in_message = self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field, of which the blanks around its value are no part.

        One that follows the body is not the application's.
        """
        if self._in_head:
            self.headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        fields = dict(self.headers)
        self._require_clear(fields)
        if b"expect" in fields:
            self.expect_100_continue = fields[b"expect"].lower() == b"100-continue"
        super().on_headers_complete()
        self._in_head, self._kept_bytes = False, 0
        if b"content-length" in fields:
            self._body_left = int(fields[b"content-length"])
        self._stop_head_timer()
        if self.expect_100_continue and self.cycle is not None:
            # Answered before it is sent, the body may never come, and another request would.
            self.cycle.default_headers = [*self.server_state.default_headers, _CLOSE]

    def _require_clear(self, fields: dict[bytes, bytes]) -> None:
        """Refuses what a proxy before us could understand in another way than we do."""
        if len(self.headers) > MAX_FIELDS:
            raise HTTPException(431, _TOO_MANY_FIELDS)
        if len(fields) < len(self.headers):
            self._require_once()
        if b"host" not in fields and self.parser.get_http_version() != "1.0":
            raise HTTPException(400, "The request has no host")
        if b"transfer-encoding" in fields and (
            fields[b"transfer-encoding"].lower() != b"chunked"
            or self.parser.get_http_version() != "1.1"
        ):
            raise HTTPException(400, "The request's transfer-encoding is not understood")
        if b"#" in self.url:
            raise HTTPException(400, "The request's target has a fragment")

    def _require_once(self) -> None:
        names = [name for name, _ in self.headers]
        for name in _ONCE:
            if names.count(name) > 1:
                raise HTTPException(400, f"The request has more than one {name.decode()}")

    def on_body(self, body: bytes) -> None:
        """A piece of the body, which the parser does not keep."""
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete; whoever reads it need not watch the time."""
        self._in_message, self._kept_bytes, self._body_left = False, 0, 0
        Exchange.of(cast(Scope, self.scope)).body_received = True
        if self.expect_100_continue and self.cycle is not None:
            self.cycle.default_headers = self.server_state.default_headers
        super().on_message_complete()

    def resume_writing(self) -> None:
        """The client has read all it was sent, and the next request has its turn."""
        super().resume_writing()
        if self._unparsed and not self.transport.is_closing():
            self.data_received(b"")

    def _refuse(self, status: int, detail: str) -> None:
        if self._refused:
            return
        self._refused = True
        self._unparsed.clear()
        self._stop_head_timer()
        if self._is_unanswered():
            self._answer(status, detail)
        self.transport.close()

    def _linger(self) -> float:
        """Seconds before it closes, or who still sends would be reset and not read the answer."""
        still_sends, self._refused = self._refused or self._in_message, True
        return _LINGER_SECONDS if still_sends else 0.0

    def _is_unanswered(self) -> bool:
        """Whether the answer is still ours to give; the application then learns of no more body."""
        if not self._in_body():
            return True
        if self.cycle.response_started:
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    def _answer(self, status: int, detail: str) -> None:
        body = json.dumps({"detail": detail}).encode()
        headers: list[tuple[bytes, bytes]] = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", urandom(16).hex().encode()),
            *SAFETY,
            _CLOSE,
        ]
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], _lines(headers), body))

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
