"""Route classes: the credential before anything else, and one error shape for a whole door."""

from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app.errors import AppError, Fault
from app.logs import log_unexpected, note_cause
from app.models.caller import Caller
from app.strict_json import parse_json

Credential = Callable[[Request], Awaitable[Caller]]
Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class ErrorShape(NamedTuple):
    """How a door words its refusals.

    `body` makes the answer of a status and a sentence. `invalid` is the status of a request that
    FastAPI found wrong; None leaves those answers to FastAPI's own shape and 422.
    """

    body: Callable[[int, str], dict[str, object]]
    invalid: int | None = None


def guarded(credential: Credential | None, shape: ErrorShape | None = None) -> type[APIRoute]:
    """A route class that asks for the credential first and refuses in the door's own shape.

    Without a shape, refusals are the application's: `{"detail": …}`.
    """

    class GuardedRoute(APIRoute):
        error_shape = shape

        def get_route_handler(self) -> Handle:
            handle = _authenticated(super().get_route_handler(), credential, self)
            return handle if shape is None else _shaped(handle, shape)

    return GuardedRoute


async def authenticate(request: Request, credential: Credential) -> Caller:
    """The caller, known to the log from here on.

    One deadline for the request: what the credential took is not left for the action.
    """
    started = monotonic()
    caller = await credential(request)
    request.scope["waited"] = monotonic() - started
    request.scope["log"]["key_name"] = caller.name
    return caller


def _authenticated(handle: Handle, credential: Credential | None, route: APIRoute) -> Handle:
    async def authenticate_and_handle(request: Request) -> Response:
        if credential is not None:
            request.state.caller = await authenticate(request, credential)
        if route.body_field is not None:
            parse_json(await request.body())  # FastAPI's own parser lets more pass
        return await handle(request)

    return authenticate_and_handle


def _shaped(handle: Handle, shape: ErrorShape) -> Handle:
    async def handle_and_refuse(request: Request) -> Response:
        try:
            return await handle(request)
        except RequestValidationError as error:
            if shape.invalid is None:
                raise
            return JSONResponse(shape.body(shape.invalid, _sentence(error)), shape.invalid)
        except HTTPException as error:
            return refuse_http(error, shape)
        except AppError as error:
            note_cause(request.scope, error)
            return _refusal(error, shape)
        except Exception:
            log_unexpected(request.scope)
            return _refusal(Fault(), shape)

    return handle_and_refuse


def refuse_http(error: HTTPException, shape: ErrorShape) -> Response:
    """The answer to an HTTP error in a door's own words."""
    body = shape.body(error.status_code, str(error.detail))
    return JSONResponse(body, error.status_code, error.headers)


def _refusal(error: AppError, shape: ErrorShape) -> Response:
    return JSONResponse(shape.body(error.status, error.message), error.status, error.headers)


def _sentence(error: RequestValidationError) -> str:
    """What is wrong and where; never what was sent."""
    return "; ".join(
        ".".join(map(str, details["loc"][1:] or details["loc"])) + f": {details['msg']}"
        for details in error.errors()
    )
