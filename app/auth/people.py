"""What people show: one function each, which turns a request into a Caller or refuses it."""

from uuid import UUID

from fastapi import Request
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import TypeAdapter, ValidationError

from app.auth import tokens
from app.auth.lookups import Lookups
from app.auth.sessions import Sessions
from app.auth.shared_keys import is_secret
from app.config import Settings
from app.database import Database
from app.errors import BearerUnauthorized, Forbidden, InvalidSession
from app.metrics import ACCOUNT_HITS, ACCOUNT_MISSES
from app.models.caller import Caller
from app.models.text import UserId
from app.services import accounts
from app.state import Resources, resources_of

SESSION = HTTPBearer(
    scheme_name="Session",
    description="The token of a session that the auth server keeps; without one, use ServiceAuth.",
    auto_error=False,
)
SERVICE_AUTH = APIKeyHeader(
    name="X-Service-Auth",
    scheme_name="ServiceAuth",
    description="A service that acts for the user whom X-User-ID names.",
    auto_error=False,
)
ACCOUNT_TOKEN = HTTPBearer(
    scheme_name="AccountToken",
    bearerFormat="JWT",
    description="The `access_token` of `POST /api/v1/auth/register` or `…/login`.",
    auto_error=False,
)
_USER_ID = TypeAdapter(UserId)


def bearer_token(request: Request) -> str | None:
    """What follows `Authorization: Bearer`; None where another scheme or none is named."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def person(request: Request) -> Caller:
    """A service in a user's name, or whoever holds the session of a bearer token."""
    token = bearer_token(request)
    given = request.headers.get("x-service-auth", "") if token is None else token
    if is_secret(resources_of(request.scope)[Settings].service_auth_token, given):
        return Caller("delegate", "service-auth", user_id=_represented_user(request))
    if token is None:
        raise InvalidSession("Not authenticated")
    user_id = await resources_of(request.scope)[Sessions].find_user(token)
    return Caller("user", "session", user_id=_usable(user_id))


def _represented_user(request: Request) -> str:
    try:
        user_id = request.headers.get("x-user-id", "").encode("latin-1").decode()
    except UnicodeDecodeError:
        user_id = None
    return _usable(user_id, "X-User-ID must name a user")


def _usable(user_id: str | None, complaint: str | None = None) -> str:
    try:
        return _USER_ID.validate_python(user_id)
    except ValidationError:
        raise InvalidSession(complaint) from None


async def account_token(request: Request) -> Caller:
    """The account whose access token is the bearer token."""
    settings = resources_of(request.scope)[Settings]
    assert settings.jwt_secret is not None, "the door is closed"  # noqa: S101
    secret = settings.jwt_secret.get_secret_value()
    subject = tokens.verify(secret, bearer_token(request) or "", tokens.ISSUED_CLAIMS)
    try:
        account_id = UUID(subject)
    except ValueError:
        raise BearerUnauthorized from None
    caller = await resources_of(request.scope)[AccountHolders].find(str(account_id))
    if caller is None:
        raise BearerUnauthorized
    return caller


class AccountHolders(Lookups[Caller]):
    """The holders of accounts by their ids; nobody where one was deleted or deactivated."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(self._look_up, ACCOUNT_HITS, ACCOUNT_MISSES)
        self._resources = resources

    async def _look_up(self, account_id: str) -> Caller | None:
        async with self._resources[Database].connection() as db:
            is_active = await accounts.is_active(db, UUID(account_id))
        if is_active is None:
            return None
        if self._resources[Settings].require_verified_email and not is_active:
            raise Forbidden("Email address not verified")
        return Caller("user", "account", user_id=account_id)
