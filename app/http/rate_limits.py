"""Rate limits: how often each subject may ask, counted over a moving window.

What counts them is `app.http.rate_limiter`, which a worker without limits does not load.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import ceil
from time import time

from starlette.types import Scope

from app.config import Settings
from app.errors import TooManyRequests
from app.state import Exchange

_LONGEST_HOST = 255


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands with a limit, this request included: so many in a window of seconds."""

    quota: int
    window: int
    allowed: bool
    remaining: int
    resets_at: float

    @property
    def seconds(self) -> int:
        """Whole seconds until the subject may do more than now."""
        return max(1, ceil(self.resets_at - time()))


@dataclass(frozen=True, slots=True)
class Limit:
    """How often each subject may ask, in words, and the headers in which answers tell of it."""

    name: str
    rate: str
    headers: Callable[["Limit", Standing], dict[str, str]]


def standard_headers(limit: Limit, standing: Standing) -> dict[str, str]:
    """RateLimit and RateLimit-Policy, as draft-ietf-httpapi-ratelimit-headers-10 has them."""
    return {
        "RateLimit-Policy": f'"{limit.name}";q={standing.quota};w={standing.window}',
        "RateLimit": f'"{limit.name}";r={standing.remaining};t={standing.seconds}',
    }


def x_headers(_: Limit, standing: Standing) -> dict[str, str]:
    """X-RateLimit-Limit, -Remaining and -Reset, the last in seconds since 1970."""
    return {
        "X-RateLimit-Limit": str(standing.quota),
        "X-RateLimit-Remaining": str(standing.remaining),
        "X-RateLimit-Reset": str(ceil(standing.resets_at)),
    }


def address(scope: Scope) -> str:
    """Whoever asks, as far as an address tells: one may have all of an IPv6 /64."""
    host: str = (scope.get("client") or ("",))[0]
    try:
        return str(_holder(ip_address(host)))
    except ValueError:
        return host[:_LONGEST_HOST]  # a socket's path, or what a proxy made of it


def _holder(given: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(given, IPv4Address):
        return given
    return given.ipv4_mapped or IPv6Address(int(given) >> 64 << 64)


class Limiter:
    """What counts requests; `app.http.rate_limiter` has the one there is."""

    has_counted = True
    """Whether it can know of anybody."""

    async def hit(self, limit: Limit, subject: str, cost: int = 1) -> Standing | None:
        """Counts so many, all or none of them; None where that cannot be done now."""
        raise NotImplementedError

    async def look(self, limit: Limit, subject: str) -> Standing | None:
        """How the subject would stand, uncounted; None where nobody knows."""
        raise NotImplementedError

    async def close(self) -> None:
        """Ends what has to be ended."""


class LateLimiter(Limiter):
    """One that is made, with the libraries it brings along, when a key has a limit of its own."""

    def __init__(self, make: Callable[[], Limiter]) -> None:
        self._make = make
        self._making: asyncio.Task[Limiter] | None = None

    @property
    def has_counted(self) -> bool:  # type: ignore[override] # as good as a constant
        """Whether it has been made."""
        return self._making is not None

    async def hit(self, limit: Limit, subject: str, cost: int = 1) -> Standing | None:
        """Counts so many, all or none of them; None where that cannot be done now."""
        if self._making is None:
            # In a thread: to load them takes longer than a request may hold the loop.
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
        return await (await asyncio.shield(self._making)).hit(limit, subject, cost)

    async def look(self, limit: Limit, subject: str) -> Standing | None:
        """How the subject would stand; None as long as this has counted nothing."""
        if self._making is None:
            return None
        return await (await asyncio.shield(self._making)).look(limit, subject)

    async def close(self) -> None:
        """Ends the one that was made, if any was."""
        if self._making is not None:
            await (await self._making).close()


async def count_command(exchange: Exchange) -> None:
    """Counts a command against the key's own limit, else EXECUTE_RATE_LIMIT, if there is one."""
    if (limit := _commands_limit(exchange)) is not None:
        await count(exchange, limit, exchange.caller.name)


async def count_batch(exchange: Exchange, commands: int) -> None:
    """Counts the commands of a batch that was counted as one; if too many, none of the others."""
    limit = _commands_limit(exchange)
    if limit is None or commands == 1:
        return
    standing = await _hit(exchange, limit, exchange.caller.name, commands - 1)
    if standing is not None and not standing.allowed:
        # Before that, what becomes free is taken by this one, or by the next attempt.
        raise TooManyRequests(standing.window)


def _commands_limit(exchange: Exchange) -> Limit | None:
    rate = exchange.caller.rate_limit or exchange.resources[Settings].execute_rate_limit
    return None if rate is None else Limit("commands", rate, standard_headers)


async def count(exchange: Exchange, limit: Limit, subject: str) -> None:
    """Counts the request for this subject; TooManyRequests where it is one too many.

    The answer, whatever it will be, says how the subject stands.
    """
    standing = await _hit(exchange, limit, subject)
    if standing is not None and not standing.allowed:
        raise TooManyRequests(standing.seconds)


async def _hit(exchange: Exchange, limit: Limit, subject: str, cost: int = 1) -> Standing | None:
    standing = await exchange.resources[Limiter].hit(limit, subject, cost)
    if standing is not None:
        for name, value in limit.headers(limit, standing).items():
            exchange.headers[name.lower().encode()] = value.encode()
    return standing
