"""What may be read of a body, in size and in time."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from app.state import Exchange

_AS_IT_IS = frozenset({b"", b"identity"})

MAX_BODY_BYTES = 1024 * 1024
OPEN_BODY_BYTES = 8 * 1024
"""What anybody may send; with a credential it is MAX_BODY_BYTES."""
BODY_SECONDS = 10.0


def too_large(most_bytes: int) -> HTTPException:
    """The refusal of a body over so many bytes."""
    return HTTPException(413, f"The request body is larger than {most_bytes} bytes")


def too_slow() -> HTTPException:
    """The refusal of a body that does not arrive in time."""
    return HTTPException(408, "The request body took too long", {"Connection": "close"})


def coded() -> HTTPException:
    """The refusal of a body with a content coding."""
    sentence = "Send the body without a content coding"
    return HTTPException(415, sentence, {"Accept-Encoding": "identity"})


class LimitedBody:
    """Reads a body; raises 415 where it is coded, 413 over so many bytes and 408 after 10 s.

    Whoever handles the request reads it, so that a credential is asked for first.
    """

    def __init__(self, scope: Scope, receive: Receive, most_bytes: int = MAX_BODY_BYTES) -> None:
        self._exchange = exchange = Exchange.of(scope)
        self._receive = receive
        self._most_bytes = most_bytes
        self._is_coded = b"content-encoding" in exchange.sent and any(
            name == b"content-encoding" and value.strip().lower() not in _AS_IT_IS
            for name, value in scope["headers"]
        )
        declared = exchange.sent.get(b"content-length", b"0")
        self._declared = int(declared) if declared.isdigit() else 0
        self._size = 0
        self._deadline: float | None = None
        self._complete = False

    async def _next(self) -> Message:
        if self._is_coded:
            raise coded()
        if self._declared > self._most_bytes:
            raise too_large(self._most_bytes)
        received = self._exchange.body_received  # said by BoundedProtocol
        message = await (self._receive() if received else self._receive_in_time())
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._size > self._most_bytes:
            raise too_large(self._most_bytes)
        return message

    async def _receive_in_time(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            raise too_slow() from None

    async def read(self) -> bytes:
        """The whole body; ClientDisconnect when the client left before it was complete."""
        parts = []
        while not self._complete:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
        return b"".join(parts)
