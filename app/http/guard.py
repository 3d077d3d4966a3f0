"""Route classes: what FastAPI documents, compiled once into what answers.

FastAPI reads a route's declaration, documents it and makes its validators. Its own layers would
cost a request twice what a command does, so the validators are called directly.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.dependencies.utils import (
    get_flat_params,
    request_body_to_args,
    request_params_to_args,
)
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import PydanticUndefined
from starlette.responses import Response
from starlette.types import ASGIApp

from app.database.deadline import on_the_clock
from app.database.revocations import Revocations
from app.http.answers import Answer
from app.http.body import MAX_BODY_BYTES, OPEN_BODY_BYTES, LimitedBody
from app.http.strict_json import parse_json, require_json
from app.models.caller import PEOPLE, SERVICES, Caller
from app.state import Exchange

Credential = Callable[[Request], Awaitable[Caller]]
Allowance = Callable[[Request], Awaitable[None]]
Handle = Callable[[Request], Awaitable[ASGIApp]]

_REVOCABLE = PEOPLE | SERVICES
_MOST_VALUES = 2000
"""A task has 100 tags; who sends 1,000 is told that they are too many."""


class Route(APIRoute):
    """A route that answers as it is declared; its dependencies only document."""

    most_body_bytes = OPEN_BODY_BYTES

    def compile(self) -> Handle:
        """What makes the answer to a request that matches."""
        endpoint, read = self.endpoint, self._reader()
        status, field = self.status_code or 200, self.response_field

        async def handle(request: Request) -> ASGIApp:
            result = await endpoint(**await read(request))
            if isinstance(result, Response | Answer):
                return result
            body = b"" if field is None else field.serialize_json(result)
            return Answer(body, status)

        return handle

    def complaint(self) -> RequestValidationError | None:
        """What is told who sends nothing, or nonsense; None where anything will do."""
        declared = self.dependant
        paths = dict.fromkeys((field.alias for field in declared.path_params), "1")
        queries = [field.alias for field in get_flat_params(declared) if field.alias not in paths]
        found = (
            *(field.validate({}, loc=("body",)) for field in declared.body_params),
            *(field.validate([], loc=("body",)) for field in declared.body_params),
            request_params_to_args(declared.query_params, {}),
            request_params_to_args(declared.path_params, paths),
            *(
                request_params_to_args(declared.query_params, dict.fromkeys(queries[:1], nonsense))
                for nonsense in ("1", "x", "\0")
            ),
        )
        errors = next((wrong for _, wrong in found if wrong), None)
        return RequestValidationError(errors) if errors else None

    def _reader(self) -> Callable[[Request], Awaitable[dict[str, Any]]]:
        """What makes the endpoint's arguments of a request; RequestValidationError says no."""
        declared, embeds = self.dependant, self._embed_body_fields
        parts = (
            (declared.path_params, "path_params"),
            (declared.query_params, "query_params"),
            (declared.header_params, "headers"),
        )
        request_name, most = declared.request_param_name, self.most_body_bytes
        required = any(field.field_info.is_required() for field in declared.body_params)

        async def read(request: Request) -> dict[str, Any]:
            arguments: dict[str, Any] = {request_name: request} if request_name else {}
            errors: list[Any] = []
            if declared.body_params:
                body = await _read(request, most, required=required)
            for fields, given in parts:
                if fields:
                    values, wrong = request_params_to_args(fields, getattr(request, given))
                    arguments |= values
                    errors += wrong
            if declared.body_params:
                values, wrong = await request_body_to_args(declared.body_params, body, embeds)
                arguments |= values
                errors += wrong
            if errors:
                raise RequestValidationError(errors)
            return arguments

        return read


async def _read(request: Request, most_bytes: int, *, required: bool) -> Any:
    body = await LimitedBody(request.scope, request.receive, most_bytes).read()
    if not body and not required:
        return PydanticUndefined
    require_json(Exchange.of(request.scope).header(b"content-type"))
    return parse_json(body, _MOST_VALUES)


def guarded(credential: Credential | None, allowance: Allowance | None = None) -> type[Route]:
    """A route class that asks for the credential, where there is one, before anything else.

    `allowance` counts the request against a rate limit.
    """

    class GuardedRoute(Route):
        most_body_bytes = OPEN_BODY_BYTES if credential is None else MAX_BODY_BYTES

        def compile(self) -> Handle:
            handle = super().compile()

            async def admit_and_handle(request: Request) -> ASGIApp:
                if credential is not None:
                    await admit(request, credential)
                if allowance is not None:
                    await allowance(request)
                return await handle(request)

            return admit_and_handle

    return GuardedRoute


async def admit(request: Request, credential: Credential) -> Caller:
    """The caller, known to the log from here on.

    One deadline for the request: what the credential took is not left for the action.
    """
    exchange = Exchange.of(request.scope)
    # What one credential opens, no cache may show to another.
    exchange.headers[b"cache-control"] = b"no-store"
    with on_the_clock(exchange):
        caller = await credential(request)
        exchange.identify(caller)
        await require_unrevoked(exchange, caller)
    return caller


async def require_unrevoked(exchange: Exchange, caller: Caller, user_id: str | None = None) -> None:
    """Revoked where an administrator said so: of the key, the user or the installation.

    Whom a key acts for is known only later; then the user is given.
    """
    if caller.kind not in _REVOCABLE:
        return
    revocations = exchange.resources[Revocations]
    if revocations.is_due:
        await revocations.refresh()
    revocations.check(
        user_id or caller.user_id or None,
        exchange.installation_id,
        caller.name if caller.kind == "service" else None,
    )
