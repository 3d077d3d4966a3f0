"""What counts rate limits: in Redis for all workers together, else in this process.

While Redis is away nobody is refused.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache, partial
from time import monotonic
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from limits.util import WindowStats

from app.config import Settings
from app.http.rate_limits import Limit, Limiter, Standing
from app.logs import logger

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

_Question = Callable[[], Awaitable[Standing]]
_TIMEOUT = 0.1
"""Seconds a request waits for Redis."""
_SLICES = 10
_PAUSE = 1.0
_SOCKET_TIMEOUT = 1.0
_CONNECTIONS = 16
_WARNING_INTERVAL = 60.0


class RateLimiter(Limiter):
    """Counts requests. Making one needs no reachable Redis."""

    def __init__(self, settings: Settings) -> None:
        self._redis = None
        storage: Storage = MemoryStorage()
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
            self._redis = _connect(url)
            storage = _storage(url, self._redis)
        self._window = MovingWindowRateLimiter(storage)
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._resumes_at = 0.0
        self._warned_at = -_WARNING_INTERVAL

    async def close(self) -> None:
        """Ends the connections to Redis."""
        if self._redis is not None:
            await self._redis.aclose()

    async def hit(self, limit: Limit, subject: str, cost: int = 1) -> Standing | None:
        """Counts so many, which refused ones are not; None while Redis is away."""
        return await self._ask(partial(self._count, limit, subject, cost))

    async def look(self, limit: Limit, subject: str) -> Standing | None:
        """How the subject would stand with one more; None while Redis is away."""
        return await self._ask(partial(self._look, limit, subject))

    async def _ask(self, question: _Question) -> Standing | None:
        if self._redis is None:
            return await question()
        async with self._turns:
            if not self._may_try():
                return None
            attempt = asyncio.create_task(self._attempt(question))
            if await _is_done_in_time(attempt):
                return attempt.result()
            # It goes on for a while: a connection that it still makes serves the next one.
            self._pause("timeout")
            return None

    async def _count(self, limit: Limit, subject: str, cost: int) -> Standing:
        rate = _read(limit.rate)
        allowed = await self._window.hit(rate, limit.name, subject, cost=cost)
        stats = await self._window.get_window_stats(rate, limit.name, subject)
        return _standing(rate, stats, allowed=allowed)

    async def _look(self, limit: Limit, subject: str) -> Standing:
        rate = _read(limit.rate)
        stats = await self._window.get_window_stats(rate, limit.name, subject)
        return _standing(rate, stats, allowed=stats.remaining > 0)

    async def _attempt(self, question: _Question) -> Standing | None:
        try:
            standing = await question()
        except (StorageError, OSError) as error:
            self._pause(type(error.__cause__ or error).__name__)
            return None
        self._resumes_at = 0.0
        return standing

    def _may_try(self) -> bool:
        """After a pause only one request at a time finds out whether Redis is back."""
        now = monotonic()
        if now < self._resumes_at:
            return False
        if self._resumes_at:
            self._resumes_at = now + _PAUSE
        return True

    def _pause(self, reason: str) -> None:
        now = monotonic()
        self._resumes_at = now + _PAUSE
        if now - self._warned_at >= _WARNING_INTERVAL:
            self._warned_at = now
            logger.warning("rate_limits_are_off", reason=reason, remedy="REDIS_URL")


_read = cache(parse)


def _standing(rate: RateLimitItem, stats: WindowStats, *, allowed: bool) -> Standing:
    remaining = max(0, stats.remaining)
    return Standing(rate.amount, rate.get_expiry(), allowed, remaining, stats.reset_time)


def _connect(url: str) -> "ConnectionPool":
    # A quarter of a second and 23 MB that a worker without Redis does not need.
    from redis.asyncio import ConnectionPool  # noqa: PLC0415
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        max_connections=2 * _CONNECTIONS,  # those in turn, and those whose turn ended in vain
        socket_timeout=_SOCKET_TIMEOUT,
        socket_connect_timeout=_SOCKET_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    return pool


def _storage(url: str, pool: "ConnectionPool") -> RedisStorage:
    return RedisStorage(
        url,
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="task-manager-api",
        connection_pool=pool,  # type: ignore[arg-type]  # documented, but not in the signature
    )


async def _is_done_in_time(attempt: "asyncio.Task[object]") -> bool:
    """Waits in slices, so that a worker that is busy itself does not take Redis for absent."""
    for _ in range(_SLICES):
        done, _pending = await asyncio.wait({attempt}, timeout=_TIMEOUT / _SLICES)
        if done:
            return True
    return False
