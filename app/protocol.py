"""What uvicorn's HTTP protocol leaves open: long and slow heads, trailers, offers to upgrade."""

import asyncio
import json
from collections.abc import Iterable
from os import urandom
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
_LINGER_SECONDS = 0.5


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a head over 64 KiB with 431 and one slower than 10 s with 408, both in JSON.

    The parser itself keeps whatever it is sent; nothing of it reaches the application before
    the head is complete. Nor does what follows a body in chunks; over 64 KiB of it end the
    connection. An offer to go on in another protocol is passed over, as HTTP allows.
    """

    _refused = False
    _in_head = False
    _moved_on = False
    _kept_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request no longer than for any other."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        """Takes bytes from the client."""
        if self._refused:
            return
        self._moved_on = False
        self._parse(data)
        self._kept_bytes = 0 if self._moved_on else self._kept_bytes + len(data)
        if self._kept_bytes > MAX_HEAD_BYTES:
            self._end_flood()
        elif self._in_head and self._timer is None:
            self._timer = self.loop.call_later(
                HEAD_SECONDS, self._refuse, 408, "The request's head took too long"
            )

    def _parse(self, data: bytes) -> None:
        while data:
            data = self._parse_until_upgrade(data)

    def _parse_until_upgrade(self, data: bytes) -> bytes:
        """Returns what is to be parsed instead of a request that offers another protocol."""
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self.logger.warning("Invalid HTTP request received")
            self.send_400_response("Invalid HTTP request received")
        except HttpParserUpgrade as upgrade:
            if self.parser.get_method() != b"CONNECT":
                return self._begin_without_upgrade() + data[upgrade.args[0] :]
            self.send_400_response("This is no proxy")
        return b""

    def _should_upgrade(self) -> bool:
        """Keeps uvicorn from serving a request whose body the parser passes over."""
        return True

    def _begin_without_upgrade(self) -> bytes:
        request = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [header for header in self.scope["headers"] if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return b"%b %b HTTP/%b\r\n%b\r\n" % (*request, _lines(headers))

    def _end_flood(self) -> None:
        if self._in_head:
            self._refuse(431, f"The request's head is larger than {MAX_HEAD_BYTES} bytes")
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins; nothing else, blank lines for example, ends the wait for a request."""
        self._unset_keepalive_if_required()
        self._in_head, self._moved_on, self._kept_bytes = True, False, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._unset_keepalive_if_required()  # set when an answer ended within this head
        self._end_head()
        super().on_headers_complete()
        self.headers = []  # fields that follow the body are not the application's

    def on_body(self, body: bytes) -> None:
        """A piece of the body, which the parser does not keep."""
        self._moved_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete; whoever reads it need not watch the time."""
        self._moved_on = True
        scope: Any = self.scope
        scope["body_received"] = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._end_head()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP."""
        self._end_head()
        self._refuse(400, msg)

    def _end_head(self) -> None:
        self._in_head, self._moved_on = False, True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, detail: str) -> None:
        body = json.dumps({"detail": detail}).encode()
        headers: list[tuple[bytes, bytes]] = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", urandom(16).hex().encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], _lines(headers), body))
        self._refused = True
        # To close while the client still sends would reset the connection before it reads this.
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
