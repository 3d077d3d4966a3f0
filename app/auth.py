"""Keys: one function each, which turns a request into a Caller or refuses it."""

import hmac
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import SecretStr

from app.config import Settings
from app.database import Database
from app.errors import Forbidden, Unauthorized
from app.lookups import Lookups
from app.metrics import KEY_HITS, KEY_MISSES
from app.models.caller import Caller
from app.services import keys

_LONGEST_KEY = 255

SERVICE_KEY = APIKeyHeader(name="X-Service-Key", scheme_name="ServiceKey", auto_error=False)
ADMIN_KEY = APIKeyHeader(name="X-Admin-Key", scheme_name="AdminKey", auto_error=False)
PARTNER_KEY = APIKeyHeader(name="X-API-Key", scheme_name="PartnerKey", auto_error=False)


class ServiceKeys:
    """Callers by their key; a revoked one is refused by every worker within a second."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
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
        async with self._database.connection() as db:
            caller = await keys.find_caller(db, digest)
            if caller is None and is_development_key:
                await keys.ensure_development_key(db)
                caller = await keys.find_caller(db, digest)
            return caller


async def service_key(request: Request) -> Caller:
    """The holder of `X-Service-Key`."""
    known: ServiceKeys = request.app.state.service_keys
    return await known.find(request.headers.get("x-service-key"))


async def admin_key(request: Request) -> Caller:
    """The administrator, by `X-Admin-Key`, compared in constant time."""
    settings: Settings = request.app.state.settings
    if not _is(settings.admin_api_key, request.headers.get("x-admin-key", "")):
        raise Unauthorized("Invalid admin key")
    return Caller("admin", "admin")


async def partner_key(request: Request) -> Caller:
    """The partner, by `X-API-Key`; a missing key is Unauthorized, a wrong one Forbidden."""
    settings: Settings = request.app.state.settings
    given = request.headers.get("x-api-key", "")
    if not given:
        raise Unauthorized("Missing API key")
    if not _is(settings.task_api_key, given):
        raise Forbidden("Invalid API key")
    return Caller("partner", "partner")


def _is(secret: SecretStr | None, given: str) -> bool:
    """Compares in constant time, and bytes: text must be ASCII for that."""
    if secret is None:
        return False
    return hmac.compare_digest(given.encode("latin-1"), secret.get_secret_value().encode())


def _authenticated(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _service_caller(
    request: Request, _: Annotated[str | None, Security(SERVICE_KEY)]
) -> Caller:
    return _authenticated(request)


ServiceCaller = Annotated[Caller, Depends(_service_caller)]
"""The caller that a route guarded by `service_key` has authenticated."""
