"""POST /mcp: one message of the Model Context Protocol a request, without a session.

The SDK checks, dispatches and serializes; between HTTP and its `serve_one` stands only this.
"""

from collections.abc import Mapping
from json import dumps, loads
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from mcp.server.connection import Connection
from mcp.server.runner import serve_one
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
)
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp_types import (
    DEFAULT_NEGOTIATED_VERSION,
    HEADER_MISMATCH,
    INVALID_REQUEST,
    PARSE_ERROR,
    JSONRPCNotification,
    JSONRPCRequest,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.types import ASGIApp

from app.auth.agent_keys import agent_key
from app.config import Settings
from app.doors.agents.incoming import Incoming
from app.doors.agents.server import SERVER
from app.doors.shapes import MESSAGE
from app.errors import Forbidden
from app.http.answers import Answer, error_answer
from app.http.body import LimitedBody
from app.http.guard import Handle, Route, admit
from app.http.strict_json import parse_json, require_json
from app.state import Exchange, resources_of

_LONGEST_METHOD = 100
_NOT_ONE_MESSAGE = "The body must be one JSON-RPC request or notification"


class MessageRoute(Route):
    """Answers messages; what they may be, the protocol says and not the declaration."""

    def compile(self) -> Handle:
        """What answers a message."""
        return _receive


router = APIRouter(route_class=MessageRoute)


@router.post("/mcp", include_in_schema=False)
async def receive_message() -> None:
    """Never called: MessageRoute answers."""
    raise NotImplementedError


async def _receive(request: Request) -> ASGIApp:
    exchange = Exchange.of(request.scope)
    exchange.log["door"] = "agents"
    _require_known_origin(request)
    await admit(request, agent_key)
    require_json(request.headers.get("content-type"))
    try:
        message = parse_json(await LimitedBody(request.scope, request.receive).read())
    except RequestValidationError as error:
        return _rejection(None, PARSE_ERROR, error.errors()[0]["msg"])
    if not isinstance(message, dict):
        return _rejection(None, INVALID_REQUEST, _NOT_ONE_MESSAGE)
    return await _answer(request, message) if "id" in message else _acknowledge(request, message)


def _require_known_origin(request: Request) -> None:
    """A page must not use a browser's way to this service, unless its origin may call it."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in resources_of(request.scope)[Settings].cors_origins:
        raise Forbidden("This origin may not call the service")


def _acknowledge(request: Request, message: Mapping[str, Any]) -> Answer:
    """Nothing follows from a notification where there are no sessions."""
    try:
        JSONRPCNotification.model_validate(message)
    except ValidationError:
        return _rejection(None, INVALID_REQUEST, _NOT_ONE_MESSAGE)
    version = request.headers.get(MCP_PROTOCOL_VERSION_HEADER)
    if _begins_with_handshake(version):
        return Answer(status=202)
    unsupported = unsupported_protocol_version_rejection(version or "")
    return Answer(status=202) if unsupported is None else _rejected(None, unsupported)


def _begins_with_handshake(version: str | None) -> bool:
    return version is None or version in HANDSHAKE_PROTOCOL_VERSIONS


async def _answer(request: Request, message: Mapping[str, Any]) -> Answer:
    try:
        sent = JSONRPCRequest.model_validate(message)
    except ValidationError:
        return _rejection(_id_in(message), INVALID_REQUEST, _NOT_ONE_MESSAGE)
    if len(sent.method) > _LONGEST_METHOD:
        return _rejection(sent.id, INVALID_REQUEST, "There is no such method")
    connection = _connect(request, message)
    if isinstance(connection, InboundLadderRejection):
        return _rejected(sent.id, connection)
    incoming = Incoming(request, sent.id)
    try:
        result = await serve_one(
            SERVER, incoming, sent.method, sent.params, connection=connection, lifespan_state=None
        )
    except Exception as error:
        told = handler_exception_to_error_data(error)
        if told is None:
            return _addressed(error_answer(Exchange.of(request.scope), error, MESSAGE), sent.id)
        modern = not _begins_with_handshake(connection.protocol_version)
        return _rejection(sent.id, told.code, told.message, told.data, modern=modern)
    return Answer(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (_id(sent.id), to_json(result)))


def _connect(request: Request, message: Mapping[str, Any]) -> Connection | InboundLadderRejection:
    """What the request tells of its client: nothing is known from before."""
    headers = request.headers
    if (twice := find_duplicated_routing_header(headers.items())) is not None:
        return InboundLadderRejection(HEADER_MISMATCH, f"{twice} header appears more than once")
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    if _begins_with_handshake(version):
        return Connection.from_envelope(version or DEFAULT_NEGOTIATED_VERSION, None, None)
    route = classify_inbound_request(message, headers=headers)
    if isinstance(route, InboundLadderRejection):
        return route
    return Connection.from_envelope(
        route.protocol_version, route.client_info, route.client_capabilities
    )


def _rejected(message_id: int | str | None, rejection: InboundLadderRejection) -> Answer:
    return _rejection(message_id, rejection.code, rejection.message, rejection.data)


def _rejection(
    message_id: int | str | None, code: int, sentence: str, data: Any = None, *, modern: bool = True
) -> Answer:
    """An error of the protocol, with a status of its own but for clients of the first era."""
    error = {"code": code, "message": sentence} | ({} if data is None else {"data": data})
    body = {"jsonrpc": "2.0", "id": message_id, "error": error}
    return Answer(dumps(body).encode(), ERROR_CODE_HTTP_STATUS.get(code, 200) if modern else 200)


def _id_in(message: Mapping[str, Any]) -> int | str | None:
    """The id of what is no request, if it has one."""
    given = message["id"]
    return given if isinstance(given, str) or type(given) is int else None


def _addressed(answer: Answer, message_id: int | str) -> Answer:
    """The same error, of this message."""
    body = loads(answer.body) | {"id": message_id}
    return Answer(dumps(body).encode(), answer.status, *answer.headers)


def _id(message_id: int | str) -> bytes:
    return dumps(message_id).encode()  # unlike to_json lets lone surrogates through
