"""Rate limits: how often each subject may ask, counted over a moving window.

What counts them is `app.rate_limiter`, which a worker without limits does not load.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import time
from typing import TYPE_CHECKING

from starlette.types import Scope

from app.errors import TooManyRequests

if TYPE_CHECKING:
    from limits import RateLimitItem

    from app.rate_limiter import RateLimiter


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands with a limit, this request included."""

    allowed: bool
    remaining: int
    resets_at: float

    @property
    def seconds(self) -> int:
        """Whole seconds until the subject may do more than now."""
        return max(1, ceil(self.resets_at - time()))


@dataclass(frozen=True, slots=True)
class Limit:
    """How often each subject may ask, and the headers in which answers tell how it stands."""

    name: str
    rate: "RateLimitItem"
    headers: Callable[["Limit", Standing], dict[str, str]]


def standard_headers(limit: Limit, standing: Standing) -> dict[str, str]:
    """RateLimit and RateLimit-Policy, as draft-ietf-httpapi-ratelimit-headers-10 has them."""
    return {
        "RateLimit-Policy": f'"{limit.name}";q={limit.rate.amount};w={limit.rate.get_expiry()}',
        "RateLimit": f'"{limit.name}";r={standing.remaining};t={standing.seconds}',
    }


def x_headers(limit: Limit, standing: Standing) -> dict[str, str]:
    """X-RateLimit-Limit, -Remaining and -Reset, the last in seconds since 1970."""
    return {
        "X-RateLimit-Limit": str(limit.rate.amount),
        "X-RateLimit-Remaining": str(standing.remaining),
        "X-RateLimit-Reset": str(ceil(standing.resets_at)),
    }


async def count(scope: Scope, limit: Limit, subject: str) -> None:
    """Counts the request for this subject; TooManyRequests where it is one too many.

    The answer, whatever it will be, says how the subject stands.
    """
    limiter: RateLimiter = scope["app"].state.limiter
    standing = await limiter.hit(limit, subject)
    if standing is None:
        return
    for name, value in limit.headers(limit, standing).items():
        scope["answer_headers"][name.lower().encode()] = value.encode()
    if not standing.allowed:
        raise TooManyRequests(standing.seconds)
