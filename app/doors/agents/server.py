"""The SDK's server: what it offers, and to whom."""

from typing import Any

from mcp.server import CacheHint, Server, ServerRequestContext
from mcp_types import (
    CallToolRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from app import __version__
from app.commands.catalogue import permitted
from app.doors.agents import guide
from app.doors.agents.calls import call
from app.doors.agents.results import refusal
from app.doors.agents.tools import names_its_user, tools_of
from app.commands.perform import told
from app.http.rate_limits import Limit, count
from app.models.caller import Caller
from app.state import Exchange, resources_of

_Context = ServerRequestContext[Any]
_TTL = CacheHint(ttl_ms=60_000, scope="private")
_INSTRUCTIONS = (
    "Tasks, categories and moods of the users of Cat House. Read the resource guide://planning "
    "before planning somebody's day. An error's sentence says what to do otherwise."
)


async def _admit(context: _Context) -> Caller:
    """The caller, whose request is counted."""
    scope = context.request.scope
    caller = Exchange.of(scope).caller
    if (limit := resources_of(scope).get(Limit)) is not None:
        await count(scope, limit, caller.name)
    return caller


async def _list_tools(context: _Context, _: PaginatedRequestParams | None) -> ListToolsResult:
    caller = await _admit(context)
    return tools_of(permitted(caller), names_user=not names_its_user(context.request, caller))


async def _call_tool(context: _Context, params: CallToolRequestParams) -> Any:
    """The result of the call; a refusal, and a fault, is one too."""
    try:
        await _admit(context)
        meta = (context.params or {}).get("_meta") or {}
        return await call(context.request, params.name, params.arguments or {}, meta)
    except Exception as error:  # noqa: BLE001 - told is what is known, logged what is not
        exchange = Exchange.of(context.request.scope)
        return refusal(exchange, told(exchange, error))
