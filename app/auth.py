"""Credentials: one function each, which turns a request into a Caller or refuses it."""

import asyncio
import hmac
from time import monotonic
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from app import tokens
from app.config import Settings
from app.database import Database, get_db
from app.errors import BearerUnauthorized, Forbidden, Unauthorized
from app.metrics import KEY_HITS, KEY_MISSES
from app.models.caller import Caller
from app.services import accounts, keys

_LIFETIME = 0.9
_CAPACITY = 1024
_LONGEST_KEY = 255

SERVICE_KEY = APIKeyHeader(name="X-Service-Key", scheme_name="ServiceKey", auto_error=False)
ADMIN_KEY = APIKeyHeader(name="X-Admin-Key", scheme_name="AdminKey", auto_error=False)
ACCOUNT_TOKEN = HTTPBearer(scheme_name="AccountToken", bearerFormat="JWT", auto_error=False)


class ServiceKeys:
    """Callers by the digest of their key, remembered for less than a second.

    A revoked key is therefore refused by every worker within a second, and requests that arrive
    together share one look-up. Unknown keys are not remembered: a new one works at once.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._development = settings.environment == "development"
        self._lookups: dict[str, tuple[float, asyncio.Task[Caller | None]]] = {}

    async def find(self, key: str | None) -> Caller:
        """The key's holder; Unauthorized for a missing, unknown, expired or revoked key."""
        if not key or len(key) > _LONGEST_KEY or not key.isascii():
            raise Unauthorized("Invalid or expired service key")
        caller = await self._remembered(keys.digest(key))
        if caller is None:
            raise Unauthorized("Invalid or expired service key")
        return caller

    async def _remembered(self, digest: str) -> Caller | None:
        now = monotonic()
        expires_at, lookup = self._lookups.get(digest, (0.0, None))
        if lookup is None or expires_at <= now:
            lookup = asyncio.create_task(self._look_up(digest))
            KEY_MISSES.inc()
            self._make_room(now)
            self._lookups[digest] = (now + _LIFETIME, lookup)
        else:
            KEY_HITS.inc()
        if lookup.done() and not lookup.cancelled() and lookup.exception() is None:
            return lookup.result()
        try:
            caller = await asyncio.shield(lookup)
        except BaseException:
            self._forget(digest, lookup)
            raise
        if caller is None:
            self._forget(digest, lookup)
        return caller

    def _forget(self, digest: str, lookup: "asyncio.Task[Caller | None]") -> None:
        if self._lookups.get(digest, (0.0, None))[1] is lookup:
            del self._lookups[digest]

    def _make_room(self, now: float) -> None:
        if len(self._lookups) >= _CAPACITY:
            self._lookups = {
                digest: entry for digest, entry in self._lookups.items() if entry[0] > now
            }
        if len(self._lookups) >= _CAPACITY:
            self._lookups.clear()

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
    expected = settings.admin_api_key.get_secret_value().encode()
    given = request.headers.get("x-admin-key", "").encode("latin-1")
    if not hmac.compare_digest(given, expected):
        raise Unauthorized("Invalid admin key")
    return Caller("admin", "admin")


async def account_token(request: Request) -> Caller:
    """The account whose access token is the bearer token; its name is the user id."""
    settings: Settings = request.app.state.settings
    assert settings.jwt_secret is not None, "the door is closed"  # noqa: S101
    secret = settings.jwt_secret.get_secret_value()
    subject = tokens.verify(secret, bearer_token(request), tokens.ISSUED_CLAIMS)
    try:
        account_id = UUID(subject)
    except ValueError:
        raise BearerUnauthorized from None
    if settings.require_verified_email:
        await _require_verified(request, account_id)
    return Caller("user", str(account_id))


def bearer_token(request: Request) -> str:
    """The token of `Authorization: Bearer`; BearerUnauthorized without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BearerUnauthorized
    return token.strip()


async def _require_verified(request: Request, account_id: UUID) -> None:
    async with get_db(request) as db:
        if not await accounts.is_active(db, account_id):
            raise Forbidden("Email address not verified")


def _authenticated(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _service_caller(
    request: Request, _: Annotated[str | None, Security(SERVICE_KEY)]
) -> Caller:
    return _authenticated(request)


ServiceCaller = Annotated[Caller, Depends(_service_caller)]
"""The caller that a route guarded by `service_key` has authenticated."""
