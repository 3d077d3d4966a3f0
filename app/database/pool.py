"""A pool of connections that lends in turn, at a fraction of the cost of asyncpg's own.

asyncpg's pool lets a newcomer overtake whoever waits, and spends a task and two timers on every
return. This one has no reset to wait for: nothing here sets session state.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from app.errors import SchemaUnusable, Unavailable
from app.metrics import CONNECTIONS
from app.services import Connection

_CANCEL_TIMEOUT = 0.3
_IDLE_SECONDS = 300.0
_RENEWAL_INTERVAL = 5.0

# What breaks one connection and may have broken all: the server is away, restarting or frozen.
_BROKEN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    # It was the primary; a new connection finds the one that is.
    asyncpg.ReadOnlySQLTransactionError,
    # A statement met a connection that the server had just said farewell to.
    asyncpg.InternalClientError,
)
# The connection knows a statement otherwise than the server does now: a pooler has lost or kept it,
# or a table has changed. It was not executed.
_OUTDATED = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.ProtocolViolationError,
    asyncpg.InvalidBinaryRepresentationError,
    BufferError,  # or it was, but its row is not as described
)
# The server answers, but cannot serve now: full, locked, or in a deadlock.
_UNABLE = (
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ProgramLimitExceededError,
)
# After these the server may wait for the rest of a statement, or yet perform it.
_UNFINISHED = (
    TimeoutError,
    asyncio.CancelledError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    asyncpg.DataError,
)
# Not migrated, or without rights on what was.
_LACKING = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InsufficientPrivilegeError,
)


def as_refusal(error: Exception) -> Unavailable | None:
    """What a caller is told of an error of the database; None where it is no such error."""
    if isinstance(error, (*_BROKEN, *_UNABLE, *_OUTDATED)):
        return Unavailable()
    return SchemaUnusable() if isinstance(error, _LACKING) else None


class _Deadline:
    """asyncio.timeout for a known loop: before Python 3.14 a look-up is a system call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop, self._seconds = loop, seconds
        self._is_over = False

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task(self._loop)
        self._timer = self._loop.call_later(self._seconds, self._end)

    def _end(self) -> None:
        if self._task is not None:
            self._is_over = True
            self._task.cancel()

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._timer.cancel()
        ours = self._is_over and self._task is not None and not self._task.uncancel()
        if ours and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error


class Pool:
    """At most `size` connections, made when first needed; the one used last is lent first."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        size: int,
        *,
        on_lacking: Callable[[], None] = lambda: None,
    ) -> None:
        self._connect = connect
        self._on_lacking = on_lacking
        self._size = size
        self._turns = asyncio.Semaphore(size)
        self._loop = asyncio.get_running_loop()
        # Idle ones with the time of their return, the longest idle first.
        self._idle: list[tuple[Connection, float]] = []
        self._current: set[Connection] = set()
        self._renewed_at = -_RENEWAL_INTERVAL
        self._to_forget = 0
        self._reaper: asyncio.TimerHandle | None = None
        self._farewells: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lend(self, seconds: float) -> AsyncIterator[Connection]:
        """Lends a connection; Unavailable when the time is over or the server is away.

        SchemaUnusable when the schema lacks what was asked for.
        """
        try:
            async with _Deadline(self._loop, seconds), self._turns:
                connection = await self._take()
                CONNECTIONS.inc()
                try:
                    yield connection
                except _OUTDATED as error:
                    self._distrust(connection)
                    raise Unavailable from error
                except _UNFINISHED:
                    await self._cancel(connection)
                    raise
                finally:
                    CONNECTIONS.dec()
                    self._put_back(connection)
        except Exception as error:
            if isinstance(error, _BROKEN):
                self._renew()
            if isinstance(error, _LACKING):
                self._on_lacking()
            if (refusal := as_refusal(error)) is None:
                raise
            raise refusal from error

    async def _cancel(self, connection: Connection) -> None:
        """Tells the server to cancel the statement, or it might yet be performed.

        A frozen server never confirms: then the connection is cut.
        """
        with suppress(Exception):
            await connection.close(timeout=_CANCEL_TIMEOUT)

    async def _take(self) -> Connection:
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._current.discard(connection)
        connection = await self._connect()
        if self._to_forget:
            self._to_forget -= 1
            await _forget_statements(connection)
        self._current.add(connection)
        return connection

    def _put_back(self, connection: Connection) -> None:
        if connection not in self._current or connection.is_closed():
            self._dismiss(connection)
            return
        self._idle.append((connection, self._loop.time()))
        if self._reaper is None:
            self._reaper = self._loop.call_later(_IDLE_SECONDS, self._reap)

    def _dismiss(self, connection: Connection) -> None:
        self._current.discard(connection)
        self._in_background(connection.close())

    def _in_background(self, farewell: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(farewell)
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    def _reap(self) -> None:
        """Ends the connections that nobody needed for a while."""
        self._reaper = None
        oldest_allowed = self._loop.time() - _IDLE_SECONDS
        while self._idle and self._idle[0][1] <= oldest_allowed:
            self._dismiss(self._idle.pop(0)[0])
        if self._idle:
            due = self._idle[0][1] + _IDLE_SECONDS
            self._reaper = self._loop.call_at(due, self._reap)

    def _renew(self) -> None:
        """Lets every connection be replaced: the idle now, the lent when they return.

        Otherwise each half-open connection would cost one request its whole deadline. Under
        mere overload reconnecting helps nobody, hence not too often.
        """
        if self._loop.time() - self._renewed_at >= _RENEWAL_INTERVAL:
            self._renewed_at = self._loop.time()
            self._dismiss_all()

    def _distrust(self, connection: Connection) -> None:
        """Lets every connection be replaced by one that begins with making a pooler forget."""
        if connection in self._current:
            self._to_forget = self._size
            self._dismiss_all()

    def _dismiss_all(self) -> None:
        idle, self._idle = self._idle, []
        self._current.clear()
        for connection, _ in idle:
            self._dismiss(connection)

    async def close(self) -> None:
        """Ends all connections, waiting for those still lent; nobody is lent one afterwards."""
        for _ in range(self._size):
            await self._turns.acquire()
        self._size = 0
        if self._reaper is not None:
            self._reaper.cancel()
        self._dismiss_all()
        await asyncio.gather(*self._farewells, return_exceptions=True)


async def _forget_statements(connection: Connection) -> None:
    """Ends the plans of the server process, which a pooler that tracks statements keeps by text."""
    try:
        await connection.execute("DEALLOCATE ALL")
    except BaseException:
        connection.terminate()
        raise
