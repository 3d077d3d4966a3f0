"""Route classes: the credential before anything else, and one error shape for a whole door."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from app.commands.action import Action, Context
from app.database.deadline import OnTheClock
from app.database.requests import get_db
from app.errors import LONGEST_NAME, MOST_NAMED, AppError, Fault, Forbidden, Foreign
from app.http.body import MAX_BODY_BYTES, LimitedBody
from app.http.strict_json import parse_json, require_json
from app.logs import log_unexpected, note_cause
from app.models.caller import Caller

Credential = Callable[[Request], Awaitable[Caller]]
Allowance = Callable[[Request], Awaitable[None]]
Handle = Callable[[Request], Coroutine[Any, Any, Response]]

_OPEN_BODY_BYTES = 8 * 1024
"""What anybody may send; with a credential it is MAX_BODY_BYTES."""
_MOST_VALUES = 2000
"""A task has 100 tags; who sends 1,000 is told that they are too many."""


class ErrorShape(NamedTuple):
    """How a door words its refusals.

    `body` makes the answer of a status and a sentence. `invalid` is the status of a request that
    FastAPI found wrong; None leaves those answers to FastAPI's own shape and 422. `foreign` is the
    sentence of the 403 for what belongs to somebody else; without it, that does not exist.
    """

    body: Callable[[int, str], dict[str, object]]
    invalid: int | None = None
    foreign: str | None = None


def guarded(
    credential: Credential | None,
    shape: ErrorShape | None = None,
    allowance: Allowance | None = None,
) -> type[APIRoute]:
    """A route class that asks for the credential first and refuses in the door's own shape.

    `allowance` counts the request against its caller's rate limit. Without a shape, refusals are
    the application's: `{"detail": …}`.
    """

    class GuardedRoute(APIRoute):
        error_shape = shape

        def get_route_handler(self) -> Handle:
            handle = _admitted(super().get_route_handler(), credential, allowance, self)
            return handle if shape is None else _shaped(handle, shape)

    return GuardedRoute


async def authenticate(scope: Scope, looked_up: Awaitable[Caller]) -> Caller:
    """The caller, known to the log from here on.

    One deadline for the request: what the credential took is not left for the action.
    """
    with OnTheClock(scope):
        caller = await looked_up
    scope["log"]["key_name"] = caller.name
    if caller.user_id:
        scope["log"]["user_id"] = caller.user_id
    return caller


async def perform(request: Request, action: Action, payload: BaseModel) -> Any:
    """What the action returns to the caller, who speaks for one person."""
    caller: Caller = request.state.caller
    async with get_db(request) as db:
        return await action.run(Context(db, caller.user_id, caller), payload)


def _admitted(
    handle: Handle, credential: Credential | None, allowance: Allowance | None, route: APIRoute
) -> Handle:
    async def admit_and_handle(request: Request) -> Response:
        if credential is not None:
            # What one credential opens, no cache may show to another.
            request.scope["answer_headers"][b"cache-control"] = b"no-store"
            request.state.caller = await authenticate(request.scope, credential(request))
        if allowance is not None:
            await allowance(request)
        if route.body_field is not None:
            most = _OPEN_BODY_BYTES if credential is None else MAX_BODY_BYTES
            request = await _read(request, most)
        return await handle(request)

    return admit_and_handle


async def _read(request: Request, most_bytes: int) -> Request:
    body = await LimitedBody(request.scope, request.receive, most_bytes).read()
    require_json(request.headers.get("content-type"))
    return _ReadRequest(request, body, parse_json(body, _MOST_VALUES))


class _ReadRequest(Request):
    """A request whose body has been read and parsed: FastAPI's own parser lets more pass."""

    def __init__(self, request: Request, content: bytes, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._content, self._value = content, value

    async def body(self) -> bytes:
        """The bytes."""
        return self._content

    async def json(self) -> Any:
        """What they say."""
        return self._value


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
        except ClientDisconnect:
            raise  # nobody is left whom a door's own words could reach
        except Exception:
            log_unexpected(request.scope)
            return _refusal(Fault(), shape)

    return handle_and_refuse


def refuse_http(error: HTTPException, shape: ErrorShape) -> Response:
    """The answer to an HTTP error in a door's own words."""
    body = shape.body(error.status_code, str(error.detail))
    return JSONResponse(body, error.status_code, error.headers)


def _refusal(error: AppError, shape: ErrorShape) -> Response:
    if isinstance(error, Foreign) and shape.foreign is not None:
        error = Forbidden(shape.foreign)
    return JSONResponse(shape.body(error.status, error.message), error.status, error.headers)


def _sentence(error: RequestValidationError) -> str:
    """What is wrong and where; never what was sent."""
    return "; ".join(map(_complaint, error.errors()[:MOST_NAMED]))


def _complaint(details: Mapping[str, Any]) -> str:
    _, *place = details["loc"]
    if not place or isinstance(place[0], int):
        return str(details["msg"])  # about the body as a whole, or a position in its text
    return f"{'.'.join(map(str, place))[:LONGEST_NAME]}: {details['msg']}"
