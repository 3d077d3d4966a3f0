"""Where results and errors become HTTP answers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from app.errors import (
    LONGEST_NAME,
    MOST_NAMED,
    AppError,
    Fault,
    Forbidden,
    Foreign,
    InvalidPayload,
    NotFound,
)
from app.logs import log_unexpected, note_cause
from app.models.instant import timestamp
from app.models.mistake import words
from app.state import Exchange

Header = tuple[bytes, bytes]

_JSON: Header = (b"content-type", b"application/json")
_CLIENT_LEFT = 499


class Answer:
    """A whole answer, sent in one piece; JSON unless it has no body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes = b"", status: int = 200, *headers: Header) -> None:
        self.body, self.status, self.headers = body, status, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = list(self.headers)
        if self.body:
            headers += ((b"content-length", b"%d" % len(self.body)), _JSON)
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


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


Mistakes = Sequence[Mapping[str, Any]]
"""What is wrong with a request, as FastAPI tells it."""


def details(_: str, mistakes: Mistakes) -> dict[str, object]:
    """FastAPI's own body: each mistake with its place."""
    told = [
        {"type": one["type"], "loc": [*map(_bounded, one["loc"])], "msg": one["msg"]}
        for one in mistakes
    ]
    return {"detail": told}


def sentence_and_errors(sentence: str, mistakes: Mistakes) -> dict[str, object]:
    """A sentence, and beside it the code and what is wrong with which field."""
    errors = [{"field": _field(one) or "body", "message": one["msg"]} for one in mistakes]
    return {"detail": sentence, "code": InvalidPayload.code, "errors": errors}


class ErrorShape(NamedTuple):
    """How a door words its errors.

    `body` makes the answer of a status, a sentence and, where the error has one, a stable code.
    `invalid` is the status of a request that does not fit its declaration; `mistakes` makes its
    body of a sentence and what is wrong, without it `body` does. `foreign` is the sentence of the
    403 for what belongs to somebody else; without it, that does not exist. `absent` is the sentence
    of the 404 for anything that does not exist, where that is to be the same for everything.
    """

    body: Callable[[int, str, str | None], dict[str, object]]
    invalid: int = 422
    foreign: str | None = None
    absent: str | None = None
    mistakes: Callable[[str, Mistakes], dict[str, object]] | None = None


def error_answer(exchange: Exchange, error: Exception, shape: ErrorShape | None = None) -> Answer:
    """The answer to an exception, in the shape of the door that it left by.

    What nobody expected is logged once, with its traceback, and told without details.
    """
    match error:
        case AppError():
            note_cause(exchange.log, error)
            return _known(error, shape)
        case RequestValidationError():
            return _invalid(error, shape)
        case HTTPException():
            return _plain(error, shape)
        case ClientDisconnect():
            return Answer(status=_CLIENT_LEFT)  # for the log: nobody will read it
    log_unexpected(exchange.log)
    return _known(Fault(), shape)


def _known(error: AppError, shape: ErrorShape | None) -> Answer:
    if shape is not None and shape.foreign is not None and isinstance(error, Foreign):
        error = Forbidden(shape.foreign)
    if shape is not None:
        absent = shape.absent if isinstance(error, NotFound) else None
        body = shape.body(error.status, absent or error.message, error.code)
    else:
        body = error.body()
        if "success" in body:  # a fault's, in the envelope's members
            body["timestamp"] = timestamp()
    return _json(body, error.status, error.headers)


def _plain(error: HTTPException, shape: ErrorShape | None) -> Answer:
    """What is wrong with the path, the method or the bytes of a request."""
    status, sentence = error.status_code, str(error.detail)
    code = NotFound.code if status == NotFound.status else None
    body = shape.body(status, sentence, code) if shape else {"detail": sentence}
    return _json(body, status, error.headers or {})


def _invalid(error: RequestValidationError, shape: ErrorShape | None) -> Answer:
    """What is wrong and where; never what was sent."""
    mistakes = _distinct(error.errors())[:MOST_NAMED]
    sentence = "; ".join(map(_complaint, mistakes))
    if shape is None:
        return _json(details(sentence, mistakes), 422)
    if shape.mistakes is not None:
        return _json(shape.mistakes(sentence, mistakes), shape.invalid)
    return _json(shape.body(shape.invalid, sentence, InvalidPayload.code), shape.invalid)


def _distinct(mistakes: Mistakes) -> Mistakes:
    """Each once, in words of JSON: a parameter that is read as two is wrong as two."""
    told = [{**one, "msg": words(one)} for one in mistakes]
    return list({(*one["loc"], one["msg"]): one for one in told}.values())


def _bounded(part: str | int) -> str | int:
    return part[:LONGEST_NAME] if isinstance(part, str) else part


def _complaint(mistake: Mapping[str, Any]) -> str:
    field = _field(mistake)
    return f"{field}: {mistake['msg']}" if field else str(mistake["msg"])


def _field(mistake: Mapping[str, Any]) -> str:
    """Its name; empty where it is about the body as a whole, or a position in its text."""
    _, *place = mistake["loc"]
    if not place or isinstance(place[0], int):
        return ""
    return ".".join(map(str, place))[:LONGEST_NAME]


def _json(body: Mapping[str, object], status: int, headers: Mapping[str, str] = {}) -> Answer:
    return Answer(to_json(body), status, *_encoded(headers.items()))


def _encoded(headers: Iterable[tuple[str, str]]) -> list[Header]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]
