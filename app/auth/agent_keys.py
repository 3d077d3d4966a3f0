"""Service keys as agents show them: MCP clients can be told a bearer token everywhere."""

from fastapi import Request

from app.auth.people import bearer_token
from app.auth.service_keys import ServiceKeys
from app.errors import BearerUnauthorized, Unauthorized
from app.models.caller import Caller
from app.state import resources_of


async def agent_key(request: Request) -> Caller:
    """The holder of `X-Service-Key`, else of the service key that is the bearer token."""
    key = request.headers.get("x-service-key") or bearer_token(request)
    try:
        return await resources_of(request.scope)[ServiceKeys].find(key)
    except Unauthorized as error:
        raise BearerUnauthorized(error.message) from None
