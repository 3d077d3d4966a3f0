"""Where results and refusals become HTTP answers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Scope, Send

from app.commands.models import timestamp
from app.errors import LONGEST_NAME, MOST_NAMED, AppError, Fault
from app.logs import log_unexpected, note_cause

_JSON = (b"content-type", b"application/json")
_CLIENT_LEFT = 499


async def send_json(
    send: Send, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]
) -> None:
    """Sends a whole JSON answer."""
    length = (b"content-length", b"%d" % len(body))
    await send(
        {"type": "http.response.start", "status": status, "headers": [length, _JSON, *headers]}
    )
    await send({"type": "http.response.body", "body": body})


class Piece(NamedTuple):
    """Text of an answer, and what fetches the next piece; None where this is the last."""

    text: bytes
    rest: "Callable[[], Awaitable[Piece]] | None"


class ListResponse(StreamingResponse):
    """A long list, piece by piece: one is fetched when the client has taken the one before.

    Nothing but that one is in memory, and no connection is held while the client reads.
    """

    def __init__(self, first: Piece, closing: Callable[[], bytes] = bytes) -> None:
        super().__init__(_nothing(), media_type="application/json")
        self._first, self._closing = [first], closing

    async def stream_response(self, send: Send) -> None:
        """Sends it; where a piece cannot be fetched, the connection ends before the answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        text, rest = self._first.pop()
        while rest is not None:
            await send(_body(text))
            del text
            # Another message, if an empty one, is accepted when most of the piece is taken.
            await send(_body(b""))
            text, rest = await rest()
        await send(_body(text + self._closing(), more=False))


async def _nothing() -> AsyncIterator[bytes]:
    """In place of an iterator, which would hold on to a piece while the next is fetched."""
    return
    yield b""


def _body(text: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more}


def refusal(scope: Scope, error: Exception) -> Response:
    """The answer to an exception; one that nobody expected is logged and told without details."""
    match error:
        case AppError():
            note_cause(scope, error)
            return _error_response(error)
        case RequestValidationError():
            return JSONResponse({"detail": _details(error)}, 422)
        case HTTPException():
            return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
        case ClientDisconnect():
            return Response(status_code=_CLIENT_LEFT)  # for the log: nobody will read it
    log_unexpected(scope)
    return _error_response(Fault())


def _error_response(error: AppError) -> Response:
    body = error.body()
    if isinstance(error, Fault):
        body["timestamp"] = timestamp()
    return JSONResponse(body, error.status, headers=error.headers)


def _details(error: RequestValidationError) -> list[dict[str, object]]:
    """What is wrong and where; never what was sent."""
    return [
        {"type": detail["type"], "loc": [*map(_bounded, detail["loc"])], "msg": detail["msg"]}
        for detail in error.errors()[:MOST_NAMED]
    ]


def _bounded(part: str | int) -> str | int:
    return part[:LONGEST_NAME] if isinstance(part, str) else part
