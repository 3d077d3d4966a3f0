"""Logging in to an account: the password, the lock after failures, the hash kept up to date."""

from typing import NamedTuple

from starlette.requests import Request

from app.auth.passwords import Passwords
from app.database.deadline import on_the_clock
from app.database.requests import get_db
from app.errors import BearerUnauthorized, Locked
from app.models.account import Account, Credentials
from app.services import accounts, refresh_tokens, revocations
from app.state import Exchange, resources_of


class Session(NamedTuple):
    """An account that was let in, its refresh token, and how to verify its address, if it must."""

    account: Account
    refresh_token: str
    verification: str | None


async def log_in(request: Request, given: Credentials) -> Session:
    """Lets an account in by its password; BearerUnauthorized, Locked or Revoked where it cannot.

    A hash that is outdated is replaced, as only now the password is known.
    """
    passwords = resources_of(request.scope)[Passwords]
    account, stored = await _authenticate(request, given, passwords)
    with on_the_clock(Exchange.of(request.scope)):
        upgraded = await passwords.renew(given.password, stored)
    async with get_db(request, transaction=True) as db:
        await accounts.admit(db, account.id, upgraded)
        refresh_token = await refresh_tokens.insert_family(db, account.id)
        verification = None
        if not account.is_active:
            verification = await accounts.insert_verification(db, account.id)
        await revocations.require_unrevoked(db, str(account.id))
    return Session(account, refresh_token, verification)


async def _authenticate(
    request: Request, given: Credentials, passwords: Passwords
) -> tuple[Account, str]:
    """The account whose password it is, and its hash; counts a failure before it is told."""
    async with get_db(request) as db:
        login = await accounts.find_login(db, given.email)
    if login is not None and login.locked_for:
        raise Locked(login.locked_for)
    stored = None if login is None else login.password_hash
    with on_the_clock(Exchange.of(request.scope)):
        matches = await passwords.verify(given.password, stored)
    if login is not None and matches:
        return login.account, login.password_hash
    async with get_db(request) as db:
        counted = await accounts.count_failure(db, given.email)
    if login is not None and not counted:
        raise Locked(accounts.LOCK_SECONDS)
    raise BearerUnauthorized("Invalid email or password")
