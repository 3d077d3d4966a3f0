"""The SDK's server: what it offers, and to whom."""

from typing import Any

from fastapi import Request
from mcp.server import CacheHint, Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    GetPromptRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
)

from app import __version__
from app.commands.catalogue import permitted
from app.commands.perform import told
from app.commands.router import note_action
from app.doors.agents import guide
from app.doors.agents.calls import call
from app.doors.agents.results import refusal
from app.doors.agents.tools import tools_of
from app.doors.agents.users import own_user
from app.http.rate_limits import count_command
from app.models.caller import Caller
from app.state import Exchange

_Context = ServerRequestContext[Any, Request]
_TTL = CacheHint(ttl_ms=60_000, scope="private")
_INSTRUCTIONS = (
    "Tasks, categories and moods of the users of Cat House. Read the resource guide://planning "
    "before planning somebody's day. An error's sentence says what to do otherwise."
)


async def _admit(context: _Context) -> tuple[Request, Caller]:
    """The request, which is counted, and whose it is."""
    request = _request(context)
    exchange = Exchange.of(request.scope)
    await count_command(exchange)
    return request, exchange.caller


def _request(context: _Context) -> Request:
    assert context.request is not None, "a message came in one"  # noqa: S101
    return context.request


def _require_first_page(params: PaginatedRequestParams | None) -> None:
    """A list has one page, so that nobody was told a cursor."""
    if params is not None and params.cursor is not None:
        raise MCPError(INVALID_PARAMS, "There is no such cursor")


async def _list_tools(context: _Context, params: PaginatedRequestParams | None) -> ListToolsResult:
    request, caller = await _admit(context)
    _require_first_page(params)
    return tools_of(permitted(caller), names_user=own_user(request, caller) is None)


async def _call_tool(context: _Context, params: CallToolRequestParams) -> Any:
    """The result of the call; a refusal, and a fault, is one too."""
    exchange = Exchange.of(_request(context).scope)
    note_action(exchange, params.name)
    try:
        request, _ = await _admit(context)
        meta = (context.params or {}).get("_meta") or {}
        return await call(request, params.name, params.arguments or {}, meta)
    except Exception as error:
        return refusal(exchange, told(exchange, error))


async def _list_resources(context: _Context, params: PaginatedRequestParams | None) -> Any:
    await _admit(context)
    _require_first_page(params)
    return ListResourcesResult(resources=[guide.RESOURCE])


async def _read_resource(context: _Context, params: ReadResourceRequestParams) -> Any:
    _, caller = await _admit(context)
    return guide.read(str(params.uri), permitted(caller))


async def _list_prompts(context: _Context, params: PaginatedRequestParams | None) -> Any:
    await _admit(context)
    _require_first_page(params)
    return ListPromptsResult(prompts=[guide.PROMPT])


async def _get_prompt(context: _Context, params: GetPromptRequestParams) -> Any:
    _, caller = await _admit(context)
    return guide.prompt(params.name, (params.arguments or {}).get("day"), permitted(caller))


SERVER = Server(
    "task-manager-api",
    title="Task Manager API",
    version=__version__,
    instructions=_INSTRUCTIONS,
    cache_hints={"tools/list": _TTL, "prompts/list": _TTL, "resources/list": _TTL},
    on_list_tools=_list_tools,
    on_call_tool=_call_tool,
    on_list_resources=_list_resources,
    on_read_resource=_read_resource,
    on_list_prompts=_list_prompts,
    on_get_prompt=_get_prompt,
)
SERVER.middleware.clear()  # FastAPI's telemetry has a span for the request already
