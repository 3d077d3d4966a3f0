"""/api/v1/auth: accounts are registered, verified and logged in to."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints

from app.auth import logins, tokens
from app.auth.passwords import Passwords
from app.config import Settings
from app.database.deadline import on_the_clock
from app.database.requests import get_db
from app.doors.accounts.mail import Mailer
from app.errors import BearerUnauthorized, InvalidPayload, Revoked, Taken
from app.http.examples import refuses
from app.http.guard import guarded
from app.http.rate_limits import Limit, address, count, standard_headers
from app.models.account import (
    Account,
    Credentials,
    LoggedIn,
    NewAccount,
    RefreshRequest,
    Registered,
)
from app.models.error import REVOKED, refusals
from app.models.text import STORABLE
from app.services import accounts, refresh_tokens, revocations
from app.state import Exchange, resources_of

_LIMITS = {
    f"/api/v1/auth/{path}": Limit(name, "100/minute", standard_headers)
    for path, name in (
        ("register", "registrations"),
        ("login", "logins"),
        ("refresh", "refreshes"),
        ("verify", "verifications"),
    )
}
_WRONG = "Invalid email or password"
_INVALID_REFRESH = "Invalid or expired refresh token"
_INVALID_LINK = "Invalid or expired verification token"
_TOO_LARGE = "The body is larger than 8 KiB."
_BUSY = "The database, or the hashing of passwords, is too busy; try again."


async def _count(request: Request) -> None:
    """Counts what anybody may ask, by the address that it comes from."""
    exchange = Exchange.of(request.scope)
    exchange.headers[b"cache-control"] = b"no-store"
    await count(exchange, _LIMITS[exchange.label], address(request.scope))


router = APIRouter(
    prefix="/api/v1/auth",
    route_class=guarded(None, _count),
    tags=["accounts"],
)


@router.post(
    "/register",
    status_code=201,
    summary="Register",
    responses=refusals(
        *(400, 408, 409, 413, 415, 429),
        status_409="The address has an account.",
        status_413=_TOO_LARGE,
        status_503=_BUSY,
    ),
)
@refuses(on_409=Taken("Email already registered"))
async def register(request: Request, new: NewAccount) -> Registered:
    """Creates an account, logs in, and mails a link that verifies the address."""
    with on_the_clock(Exchange.of(request.scope)):
        password_hash = await resources_of(request.scope)[Passwords].hash(new.password)
    async with get_db(request, transaction=True) as db:
        account = await accounts.insert_account(db, new.email, password_hash, new.full_name)
        verification = await accounts.insert_verification(db, account.id)
        refresh_token = await refresh_tokens.insert_family(db, account.id)
    _send_verification(request, account, verification)
    return Registered(
        access_token=_access_token(request, account), refresh_token=refresh_token, user=account
    )


@router.post(
    "/login",
    summary="Log in",
    responses=refusals(
        *(400, 401, 403, 408, 413, 415, 423, 429),
        status_401="Address or password is wrong.",
        status_403=REVOKED,
        status_413=_TOO_LARGE,
        status_503=_BUSY,
    ),
)
@refuses(on_401=BearerUnauthorized(_WRONG), on_403=Revoked())
async def log_in(request: Request, given: Credentials) -> LoggedIn:
    """Exchanges address and password for tokens. Five failures lock the account for 15 minutes.

    An account that is not verified yet gets another mail, once an hour at most.
    """
    account, refresh_token, verification = await logins.log_in(request, given)
    _send_verification(request, account, verification)
    return _logged_in(request, account, refresh_token)


@router.post(
    "/refresh",
    summary="Refresh",
    responses=refusals(
        *(400, 401, 403, 408, 413, 415, 429),
        status_401="The refresh token is unknown, expired or used before.",
        status_403=REVOKED,
        status_413=_TOO_LARGE,
    ),
)
@refuses(on_401=BearerUnauthorized(_INVALID_REFRESH), on_403=Revoked())
async def refresh(request: Request, given: RefreshRequest) -> LoggedIn:
    """Exchanges a refresh token for fresh tokens, once.

    One that is used again ends the whole chain of tokens that came from the same login.
    """
    async with get_db(request, transaction=True) as db:
        rotated = await refresh_tokens.rotate(db, given.refresh_token)
        if rotated is not None:
            await revocations.require_unrevoked(db, str(rotated[0].id))
    if rotated is None:
        raise BearerUnauthorized(_INVALID_REFRESH)
    return _logged_in(request, *rotated)


@router.get(
    "/verify",
    summary="Verify the address",
    responses=refusals(400, 429, status_400="The token is unknown, expired or used before."),
)
@refuses(on_400=InvalidPayload(_INVALID_LINK))
async def verify(
    request: Request,
    token: Annotated[
        str,
        StringConstraints(max_length=255),
        STORABLE,
        Query(
            description="From the mail.", examples=["XYdhPBDJUtw4zz-qwmqEZHLa93NwamH3zQzFNcMQ91c"]
        ),
    ],
) -> Account:
    """Where the link in the mail leads: the account becomes active. Works once, for a day."""
    async with get_db(request) as db:
        account = await accounts.verify_email(db, token)
    if account is None:
        raise InvalidPayload(_INVALID_LINK)
    return account


def _logged_in(request: Request, account: Account, refresh_token: str) -> LoggedIn:
    return LoggedIn(
        access_token=_access_token(request, account),
        refresh_token=refresh_token,
        expires_in=int(tokens.LIFETIME.total_seconds()),
    )


def _access_token(request: Request, account: Account) -> str:
    settings = resources_of(request.scope)[Settings]
    assert settings.jwt_secret is not None, "the door is closed"  # noqa: S101
    return tokens.issue(settings.jwt_secret.get_secret_value(), str(account.id), account.email)


def _send_verification(request: Request, account: Account, token: str | None) -> None:
    mailer = resources_of(request.scope)[Mailer]
    if token is not None:
        mailer.send_verification(account.email, token)
