"""When a client is read from and written to, and how long it may leave its answer unread."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ

from uvicorn.protocols.http.flow_control import FlowControl

READ_SECONDS = 30.0
_HEAD_START = b"HTTP/1.1 "
_logger = logging.getLogger("uvicorn.error")


class BoundedFlow(FlowControl):
    """Reads nothing while a request waits; cuts a client that reads nothing for 30 s."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        transport.set_write_buffer_limits(0)  # so that it tells when anything is left unread
        self.held = False
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, held: bool) -> None:
        """Stops reading until it is told to go on."""
        if held != self.held:
            self.held = held
            self.pause_reading() if held else self.resume_reading()

    def resume_reading(self) -> None:
        """Goes on, unless a request waits."""
        if not self.held:
            super().resume_reading()

    def pause_writing(self) -> None:
        """The client has not read all it was sent."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """The client has read all it was sent, or is gone."""
        super().resume_writing()
        if self._timer is not None:
            self._timer.cancel()

    def _watch_reader(self) -> None:
        loop, unread = asyncio.get_running_loop(), self._unread_bytes()
        self._timer = loop.call_later(READ_SECONDS, self._cut_idle_reader, unread)

    def _cut_idle_reader(self, unread: int) -> None:
        if self._unread_bytes() < unread:
            self._watch_reader()
        else:
            _logger.warning("Client does not read its answer")
            self._transport.abort()

    def _unread_bytes(self) -> int:
        """With those in the kernel, which asks for more only when a third of its own are gone."""
        queued = ioctl(self._transport.get_extra_info("socket").fileno(), TIOCOUTQ, bytes(4))
        return self._transport.get_write_buffer_size() + int.from_bytes(queued, byteorder)


class JoinedWrites:
    """A transport that sends the head of an answer together with what is written next.

    That is one system call and one packet; what follows later than at once goes by itself.
    It closes after as many seconds as `linger` says then, and sends nothing more at once.
    """

    __slots__ = ("_head", "_linger", "_loop", "_transport", "abort", "get_extra_info", "is_closing")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        linger: Callable[[], float],
    ) -> None:
        self._transport, self._loop, self._linger = transport, loop, linger
        self._head = b""
        self.abort, self.is_closing = transport.abort, transport.is_closing
        self.get_extra_info = transport.get_extra_info

    def write(self, data: bytes) -> None:
        """Sends it after the head that waits; a head waits for the end of the loop's turn."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD_START):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Sends what waits, and closes at once or after a while."""
        self._flush()
        if seconds := self._linger():
            with suppress(OSError):  # whoever has reset it meanwhile asks for no end
                self._transport.write_eof()
            self._loop.call_later(seconds, self._transport.close)
        else:
            self._transport.close()

    def _flush(self) -> None:
        if self._head and not self.is_closing():  # else the client is gone
            self._transport.write(self._head)
        self._head = b""
