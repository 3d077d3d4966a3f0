"""What uvicorn's HTTP protocol leaves open: how long a head may be, and how slow."""

import asyncio
import json
from os import urandom
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
_LINGER_SECONDS = 0.5


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a head over 64 KiB with 431 and one slower than 10 s with 408, both in JSON.

    The parser itself keeps whatever it is sent; nothing of it reaches the application before
    the head is complete.
    """

    _refused = False
    _in_head = False
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Takes bytes from the client."""
        if self._refused:
            return
        super().data_received(data)
        if not self._in_head or self._refused:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"The request's head is larger than {MAX_HEAD_BYTES} bytes")
        elif self._timer is None:
            self._timer = self.loop.call_later(
                HEAD_SECONDS, self._refuse, 408, "The request's head took too long"
            )

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._end_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is complete; whoever reads it need not watch the time."""
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
        self._refuse(400, msg.rstrip("."))

    def _end_head(self) -> None:
        self._in_head = False
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
        lines: Any = (b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self._refused = True
        # To close while the client still sends would reset the connection before it reads this.
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)
