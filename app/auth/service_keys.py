"""Service keys, looked up and remembered for less than a second."""

from time import monotonic

from fastapi import Request
from fastapi.security import APIKeyHeader

from app.auth.lookups import Lookups
from app.config import Settings
from app.database import Database
from app.database.revocations import Revocations
from app.errors import Unauthorized
from app.metrics import KEY_HITS, KEY_MISSES
from app.models.caller import Caller
from app.services import keys
from app.state import Exchange, Resources

_LONGEST_KEY = 255
DEVELOPMENT_VALUE = keys.DEVELOPMENT_KEY
"""What works in development, and nowhere else."""

SERVICE_KEY = APIKeyHeader(
    name="X-Service-Key",
    scheme_name="ServiceKey",
    description="A service key, minted by `POST /admin/service-keys`.",
    auto_error=False,
)


class ServiceKeys:
    """Callers by their key; a revoked one is refused by every worker within a second."""

    def __init__(
        self, database: Database, settings: Settings, revocations: Revocations | None = None
    ) -> None:
        self._database = database
        self._revocations = revocations or Revocations(Resources(database))
        self._development = settings.environment == "development"
        self._callers = Lookups(self._look_up, KEY_HITS, KEY_MISSES)

    async def find(self, key: str | None) -> Caller:
        """The key's holder; Unauthorized for a missing, unknown, expired or revoked key."""
        if not key or len(key) > _LONGEST_KEY or not key.isascii():
            raise Unauthorized("Invalid or expired service key")
        caller = await self._callers.find(keys.digest(key))
        if caller is None:
            raise Unauthorized("Invalid or expired service key")
        return caller

    async def _look_up(self, digest: str) -> Caller | None:
        is_development_key = digest == keys.digest(keys.DEVELOPMENT_KEY)
        if is_development_key and not self._development:
            return None  # the whole world knows it
        asked_at, known = monotonic(), self._revocations.version
        async with self._database.connection() as db:
            found = await keys.find_key(db, digest, known)
            if found is None and is_development_key:
                await keys.ensure_development_key(db)
                found = await keys.find_key(db, digest, known)
        if found is None:
            return None
        self._revocations.note(found.news, asked_at)
        return found.caller


async def service_key(request: Request) -> Caller:
    """The holder of `X-Service-Key`."""
    exchange = Exchange.of(request.scope)
    return await exchange.resources[ServiceKeys].find(exchange.header(b"x-service-key"))
