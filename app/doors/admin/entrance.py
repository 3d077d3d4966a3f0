"""The entrance of administrators: their key, and a pause for whoever guesses it."""

import asyncio
from typing import Any
from weakref import WeakValueDictionary

from fastapi import APIRouter, Request, Security

from app.auth.shared_keys import ADMIN_KEY, admin_key
from app.errors import TooManyRequests, Unauthorized
from app.http.guard import guarded
from app.http.rate_limits import Limit, Limiter, address, standard_headers
from app.models.caller import Caller
from app.models.error import documented
from app.state import resources_of

_WRONG_KEYS = Limit("admin-keys", "5/minute", standard_headers)
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def administrator(request: Request) -> Caller:
    """The administrator; TooManyRequests after five wrong keys from the address in a minute."""
    limiter, subject = resources_of(request.scope)[Limiter], address(request.scope)
    turn = _turns.setdefault(subject, asyncio.Lock())
    # Sent in parallel, guesses would all be judged before the first one is counted.
    async with turn:
        if limiter.has_counted:
            standing = await limiter.look(_WRONG_KEYS, subject)
            if standing is not None and not standing.allowed:
                raise TooManyRequests(standing.seconds)
        try:
            return await admin_key(request)
        except Unauthorized:
            if request.headers.get("x-admin-key"):
                await limiter.hit(_WRONG_KEYS, subject)
            raise


def admin_router(prefix: str = "/admin", tag: str = "admin") -> APIRouter:
    """A router that only administrators get into."""
    return APIRouter(
        prefix=prefix,
        route_class=guarded(administrator),
        dependencies=[Security(ADMIN_KEY)],
        tags=[tag],
    )


def answers(*statuses: int, **descriptions: Any) -> dict[int | str, dict[str, Any]]:
    """The `responses` of such a route, besides those that all of them have."""
    return documented(
        *(401, 429, *statuses),
        status_401="X-Admin-Key is missing or wrong.",
        status_429="Five wrong keys came from the address within a minute.",
        **descriptions,
    )
