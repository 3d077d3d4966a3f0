"""Where results and refusals become HTTP answers."""

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope, Send

from app.commands.models import timestamp
from app.errors import AppError, Fault
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
        {"type": detail["type"], "loc": detail["loc"], "msg": detail["msg"]}
        for detail in error.errors()
    ]
