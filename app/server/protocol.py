"""What uvicorn's HTTP protocol leaves open: what a connection may send, hold and leave unread."""

import asyncio
import json
from collections.abc import Iterable
from fcntl import ioctl
from os import urandom
from sys import byteorder
from termios import TIOCOUTQ
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.exceptions import HTTPException
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.state import Exchange

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 256
HEAD_SECONDS = 10.0
READ_SECONDS = 30.0
_LINGER_SECONDS = 0.5
_HEAD_END = b"\r\n\r\n"
_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding"})
_CLOSE = (b"connection", b"close")


class _Turnstile(FlowControl):
    """Reads nothing, whoever asks for it, while a request waits for its turn."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class BoundedProtocol(HttpToolsProtocol):
    """Parses a request when the answer to the last one is complete and read; refuses in JSON.

    What waits for its turn is at most what one read has brought. A head ends at 64 KiB (431) and
    after 10 s (408), and says once and clearly where its body ends (400); an offer to go on in
    another protocol is passed over, as HTTP allows. What follows a body in chunks is nobody's;
    over 64 KiB of it end the connection, as does an answer that nobody reads for 30 s.
    """

    flow: _Turnstile
    _refused = _in_message = _in_head = False
    _unparsed = b""
    _body_left = 0
    _kept_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request no longer than for any other."""
        super().connection_made(transport)
        self.flow = _Turnstile(transport)
        transport.set_write_buffer_limits(0)  # so that it tells when anything is left unread
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._unparsed = b""
        self._stop_head_timer()
        _cancel(self._reader_timer)
        super().connection_lost(exc)

    # --- From the client

    def data_received(self, data: bytes) -> None:
        """Takes bytes from the client."""
        if not self._refused:
            self._unparsed += data
            self._parse()

    def on_response_complete(self) -> None:
        """The next request has its turn."""
        super().on_response_complete()
        self._go_on()

    def _go_on(self) -> None:
        if self._unparsed and not self.transport.is_closing():
            self._parse()

    def _parse(self) -> None:
        while self._unparsed and self._has_turn():
            piece = self._next_piece()
            if not piece:
                break
            self._unparsed = self._unparsed[len(piece) :]
            self._feed(piece)
        self._hold(bool(self._unparsed) and not self._has_turn())
        if self._in_head and self._head_timer is None and not self._refused:
            self._head_timer = self.loop.call_later(
                HEAD_SECONDS, self._refuse, 408, "The request's head took too long"
            )

    def _has_turn(self) -> bool:
        if self._in_message or self.cycle is None:
            return True
        return self.cycle.response_complete and not self.flow.write_paused

    def _hold(self, held: bool) -> None:
        if held != self.flow.held:
            self.flow.held = held
            self.flow.pause_reading() if held else self.flow.resume_reading()

    def _next_piece(self) -> bytes:
        """Up to the end of a head or a body, but no byte of the next request.

        A body in chunks ends like a head; what may be the beginning of such an end waits.
        """
        if self._body_left:
            return self._unparsed[: self._body_left]
        if not self._in_message:
            self._unparsed = self._unparsed.lstrip(b"\r\n")
        waiting = self._unparsed
        if end := waiting.find(_HEAD_END) + 1:
            return waiting[: end + len(_HEAD_END) - 1]
        return waiting[: max(len(waiting.rstrip(b"\r\n")), len(waiting) - len(_HEAD_END) + 1)]

    def _feed(self, piece: bytes) -> None:
        if self._body_left:
            self._body_left -= len(piece)
        else:
            self._kept_bytes += len(piece)
        if self._in_body() or self._kept_bytes <= MAX_HEAD_BYTES:
            self._feed_parser(piece)
        if self._kept_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"The request's head or trailer is over {MAX_HEAD_BYTES} bytes")

    def _in_body(self) -> bool:
        return self._in_message and not self._in_head

    def _feed_parser(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade:
            if self.parser.get_method() == b"CONNECT":
                self._refuse(400, "This is no proxy")
            else:
                self._feed_parser(self._begin_without_upgrade())
        except HttpParserError as error:
            self.logger.warning("Invalid HTTP request received")
            refusal = error.__context__
            if isinstance(refusal, HTTPException):
                self._refuse(refusal.status_code, refusal.detail)
            else:
                self._refuse(400, "Invalid HTTP request received")

    def _should_upgrade(self) -> bool:
        """Keeps uvicorn from serving a request whose body the parser passes over."""
        return True

    def _begin_without_upgrade(self) -> bytes:
        """A new parser's first bytes: the head without its offer."""
        request = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [header for header in self.scope["headers"] if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return b"%b %b HTTP/%b\r\n%b\r\n" % (*request, _lines(headers))

    # --- From the parser

    def on_message_begin(self) -> None:
        """A head begins; nothing else, blank lines for example, ends the wait for a request."""
        self._unset_keepalive_if_required()
        self._in_message = self._in_head = True
        self._framing: dict[bytes, bytes] = {}
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field, of which the blanks around its value are no part."""
        if not self._in_head:
            return  # fields that follow the body are not the application's
        name, value = name.lower(), value.strip(b" \t")
        if name in _ONCE:
            if name in self._framing:
                raise HTTPException(400, f"The request has more than one {name.decode()}")
            self._framing[name] = value
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        if len(self.headers) > MAX_FIELDS:
            raise HTTPException(431, f"The request's head has more than {MAX_FIELDS} fields")

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._require_clear_head()
        if self.parser.should_upgrade():
            return  # it is parsed again without the offer
        super().on_headers_complete()
        self._in_head, self._kept_bytes = False, 0
        self._body_left = int(self._framing.get(b"content-length", 0))
        self._stop_head_timer()
        if self.expect_100_continue:
            # Answered before it is sent, the body may never come, and another request would.
            self.cycle.default_headers = [*self.server_state.default_headers, _CLOSE]

    def _require_clear_head(self) -> None:
        """Refuses what a proxy before us could understand in another way than we do."""
        if b"host" not in self._framing and self.parser.get_http_version() != "1.0":
            raise HTTPException(400, "The request has no host")
        if (coding := self._framing.get(b"transfer-encoding")) is not None and (
            coding.lower() != b"chunked" or self.parser.get_http_version() != "1.1"
        ):
            raise HTTPException(400, "The request's transfer-encoding is not understood")
        if b"#" in self.url:
            raise HTTPException(400, "The request's target has a fragment")

    def on_body(self, body: bytes) -> None:
        """A piece of the body, which the parser does not keep."""
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete; whoever reads it need not watch the time."""
        self._in_message, self._kept_bytes = False, 0
        Exchange.of(cast(Scope, self.scope)).body_received = True
        if self.expect_100_continue and self.cycle is not None:
            self.cycle.default_headers = self.server_state.default_headers
        super().on_message_complete()

    # --- To the client

    def pause_writing(self) -> None:
        """The client has not read all it was sent."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """The client has read all it was sent."""
        super().resume_writing()
        _cancel(self._reader_timer)
        self._go_on()

    def _watch_reader(self) -> None:
        unread = self._unread_bytes()
        self._reader_timer = self.loop.call_later(READ_SECONDS, self._cut_idle_reader, unread)

    def _cut_idle_reader(self, unread: int) -> None:
        if self._unread_bytes() < unread:
            self._watch_reader()
        else:
            self.logger.warning("Client does not read its answer")
            self.transport.abort()

    def _unread_bytes(self) -> int:
        """With those in the kernel, which asks for more only when a third of its own are gone."""
        socket = self.transport.get_extra_info("socket")
        queued = ioctl(socket.fileno(), TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + int.from_bytes(queued, byteorder)

    def _refuse(self, status: int, detail: str) -> None:
        if self._refused:
            return
        self._refused, self._unparsed = True, b""
        self._stop_head_timer()
        if self._is_unanswered():
            self._answer(status, detail)
        # To close while the client still sends would reset the connection before it reads this.
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

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
            (b"x-content-type-options", b"nosniff"),
            _CLOSE,
        ]
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], _lines(headers), body))

    def _stop_head_timer(self) -> None:
        _cancel(self._head_timer)
        self._head_timer = None


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
