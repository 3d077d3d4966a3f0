"""Accounts: registered, looked up by address, locked after failures, verified."""

import secrets
from typing import NamedTuple
from uuid import UUID

from app.errors import Locked, Taken
from app.models.account import Account
from app.services import Connection
from app.services.keys import digest
from app.services.violations import violating

LOCK_SECONDS = 15 * 60
_MOST_FAILURES = 5

_COLUMNS = "id, email, full_name, is_active"


class Login(NamedTuple):
    """What logging in needs to know of an account."""

    account: Account
    password_hash: str
    locked_for: int
    """Seconds; zero when it is not locked."""


_INSERT = f"""
INSERT INTO accounts (email, password_hash, full_name) VALUES ($1, $2, $3) RETURNING {_COLUMNS}
"""


async def insert_account(db: Connection, email: str, password_hash: str, full_name: str) -> Account:
    """Stores a new account; Taken when the address, in whatever case, has one."""
    with violating("accounts_email", Taken("Email already registered")):
        row = await db.fetchrow(_INSERT, email, password_hash, full_name)
    assert row is not None  # noqa: S101 - an insert without a condition returns its row
    return Account.model_construct(**row)


_FIND = f"""
SELECT {_COLUMNS}, password_hash,
    ceil(greatest(extract(epoch FROM locked_until - now()), 0))::int AS locked_for
FROM accounts WHERE lower(email) = lower($1) AND deactivated_at IS NULL
"""


async def find_login(db: Connection, email: str) -> Login | None:
    """The account with this address, if there is one and it was not deactivated."""
    row = await db.fetchrow(_FIND, email)
    if row is None:
        return None
    return Login(Account.model_construct(**row), row["password_hash"], row["locked_for"])


# A locked account neither counts nor lets in. Attempts made side by side take turns on the row,
# so that no more than five of them learn whether their password was right.
_NOT_LOCKED = "(locked_until IS NULL OR locked_until <= now())"

_COUNT_FAILURE = f"""
UPDATE accounts SET
    failed_logins = (failed_logins + 1) % {_MOST_FAILURES},
    locked_until = CASE WHEN failed_logins + 1 = {_MOST_FAILURES}
        THEN now() + $2 * interval '1 second' END
WHERE lower(email) = lower($1) AND {_NOT_LOCKED}
RETURNING true
"""


async def count_failure(db: Connection, email: str) -> bool:
    """Whether the failure counts; not where the account is locked or does not exist."""
    return bool(await db.fetchval(_COUNT_FAILURE, email, LOCK_SECONDS))


_ADMIT = f"""
UPDATE accounts SET
    failed_logins = 0, locked_until = NULL, password_hash = coalesce($2, password_hash)
WHERE id = $1 AND {_NOT_LOCKED}
RETURNING true
"""


async def admit(db: Connection, account_id: UUID, upgraded_hash: str | None) -> None:
    """Forgets failures and stores the upgraded hash, if any; Locked if it was locked meanwhile."""
    if await db.fetchval(_ADMIT, account_id, upgraded_hash) is None:
        raise Locked(LOCK_SECONDS)


_INSERT_VERIFICATION = """
WITH expired AS (
    DELETE FROM verification_tokens WHERE user_id = $1 AND expires_at <= now()
)
INSERT INTO verification_tokens (user_id, token_hash, expires_at)
SELECT $1, $2, now() + interval '1 day'
WHERE NOT EXISTS (
    SELECT 1 FROM verification_tokens WHERE user_id = $1 AND created_at > now() - interval '1 hour'
)
RETURNING true
"""


async def insert_verification(db: Connection, account_id: UUID) -> str | None:
    """A token that verifies the address, for a day; None while the last is not an hour old."""
    token = secrets.token_urlsafe(32)
    inserted = await db.fetchval(_INSERT_VERIFICATION, account_id, digest(token))
    return token if inserted else None


_VERIFY = f"""
WITH used AS (
    DELETE FROM verification_tokens WHERE token_hash = $1 AND expires_at > now() RETURNING user_id
)
UPDATE accounts SET is_active = true, updated_at = now() FROM used
WHERE id = user_id AND deactivated_at IS NULL
RETURNING {_COLUMNS}
"""


async def verify_email(db: Connection, token: str) -> Account | None:
    """The account, now active, if the token is good; it is good once."""
    row = await db.fetchrow(_VERIFY, digest(token))
    return None if row is None else Account.model_construct(**row)


_IS_ACTIVE = "SELECT is_active FROM accounts WHERE id = $1 AND deactivated_at IS NULL"


async def is_active(db: Connection, account_id: UUID) -> bool | None:
    """Whether the account's address is verified; None where it was deleted or deactivated."""
    verified: bool | None = await db.fetchval(_IS_ACTIVE, account_id)
    return verified
