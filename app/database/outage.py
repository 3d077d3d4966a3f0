"""Whether PostgreSQL is there: what the log says once when it goes, and once when it is back."""

from collections.abc import Awaitable, Callable
from time import monotonic

from app.logs import logger
from app.services import Connection

_QUIET_SECONDS = 5.0


class Outage:
    """The present outage, if there is one.

    A server that comes and goes is not reported more often than every five seconds.
    """

    def __init__(self) -> None:
        self._began_at: float | None = None
        self._ended_at = -_QUIET_SECONDS

    def note_away(self, error: BaseException) -> None:
        """PostgreSQL could not be reached or would not have us."""
        now = monotonic()
        if self._began_at is None and now - self._ended_at >= _QUIET_SECONDS:
            self._began_at = now
            logger.error("database_away", reason=type(error).__name__)

    def note_back(self) -> None:
        """PostgreSQL answered."""
        if self._began_at is not None:
            self._ended_at = monotonic()
            seconds = round(self._ended_at - self._began_at, 1)
            self._began_at = None
            logger.error("database_back", seconds=seconds)

    def watching(
        self, connect: Callable[[], Awaitable[Connection]]
    ) -> Callable[[], Awaitable[Connection]]:
        """The same way to connect, noting how it goes."""

        async def connect_and_note() -> Connection:
            try:
                connection = await connect()
            except Exception as error:
                self.note_away(error)
                raise
            self.note_back()
            return connection

        return connect_and_note
