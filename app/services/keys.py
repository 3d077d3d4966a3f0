"""Service keys: minted, found by digest, rotated, revoked. A value is known only when minted."""

import hmac
import secrets
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from app.errors import AlreadyExists, NotFound
from app.models.caller import Caller
from app.models.key import KeyEnvironment, KeyRotation, ListedKey, MintedKey, NewKey, RotatedKey
from app.services import Connection
from app.services.revocations import NEWS, UNKNOWN, News, read_news
from app.services.violations import violating

DEVELOPMENT_KEY_NAME = "cat-house-dev"
DEVELOPMENT_KEY = "sk_dev_test_key_12345678901234567890123456789012"


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256, 64 lower-case hex digits."""
    return sha256(key.encode()).hexdigest()


def generate(environment: KeyEnvironment, secret: str | None) -> str:
    """A new value, `sk_<environment>_` and 64 hex digits.

    Keyed with the deployment's secret where there is one, so that the values stay unguessable
    even if the machine's random source is not.
    """
    noise = secrets.token_bytes(32)
    return f"sk_{environment}_{hmac.digest((secret or '').encode(), noise, 'sha256').hex()}"


WORKS = "active AND (expires_at IS NULL OR expires_at > now())"


class FoundKey(NamedTuple):
    """Who holds a key, and what is new of revocations."""

    caller: Caller
    news: News


# The use is noted at most once a minute, and never waits: not for whoever holds the row, and not
# for a synchronous replica, without which nobody could so much as read.
_FIND = f"""
WITH asynchronous_commit AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
used AS (
    UPDATE service_api_keys SET last_used_at = now()
    FROM asynchronous_commit
    WHERE id = (
        SELECT id FROM service_api_keys
        WHERE api_key = $1 AND {WORKS}
            AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        FOR UPDATE SKIP LOCKED
    )
)
SELECT id, key_name, scopes, enforce_ownership, rate_limit, user_ids, version, rules
FROM service_api_keys CROSS JOIN ({NEWS.format(known="$2")}) AS news
WHERE api_key = $1 AND {WORKS}
"""


async def find_key(db: Connection, key_digest: str, known: int = UNKNOWN) -> FoundKey | None:
    """The key with this digest, if it is active and not expired.

    In the same statement, what is new of revocations since the version that is known.
    """
    row = await db.fetchrow(_FIND, key_digest, known)
    if row is None:
        return None
    user_ids = _set(row["user_ids"])
    caller = Caller(
        "service",
        row["key_name"],
        _set(row["scopes"]),
        # Who acts for some users only must not reach what belongs to others.
        enforce_ownership=row["enforce_ownership"] or user_ids is not None,
        key_id=row["id"],
        rate_limit=row["rate_limit"],
        user_ids=user_ids,
    )
    return FoundKey(caller, read_news(row))


def _set(texts: list[str] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)


# A lock on the name, not on a row: a row lock would miss the successor another rotation made.
LOCK_NAME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"

_IS_TAKEN = f"""
SELECT EXISTS (SELECT 1 FROM service_api_keys WHERE key_name = $1 AND {WORKS})
"""

_FREE_NAME = """
UPDATE service_api_keys SET superseded_at = now() WHERE key_name = $1 AND superseded_at IS NULL
"""

_INSERT = """
INSERT INTO service_api_keys
    (key_name, api_key, environment, last_four, enforce_ownership, scopes, expires_at, note,
     rate_limit, user_ids)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING id, key_name, created_at, scopes, enforce_ownership, expires_at, note, rate_limit,
    user_ids
"""


async def insert_key(db: Connection, new: NewKey, value: str) -> MintedKey:
    """Stores a key inside the caller's transaction.

    AlreadyExists when the name is taken: as long as any of its keys works.
    """
    await db.execute(LOCK_NAME, new.key_name)
    if await db.fetchval(_IS_TAKEN, new.key_name):
        raise AlreadyExists("Key name already exists")
    await db.execute(_FREE_NAME, new.key_name)
    taken = AlreadyExists("Key name already exists")
    with violating("service_api_keys_current_name", taken):  # by somebody who takes no lock
        row = await db.fetchrow(
            _INSERT,
            new.key_name,
            digest(value),
            new.environment,
            value[-4:],
            new.enforce_ownership,
            new.scopes,
            new.expires_at,
            new.note,
            new.rate_limit,
            new.user_ids,
        )
    assert row is not None  # noqa: S101 - an insert without a condition returns its row
    return MintedKey(service_key=value, **row)


_ENSURE_DEVELOPMENT_KEY = """
INSERT INTO service_api_keys (key_name, api_key, environment, last_four)
VALUES ($1, $2, 'dev', $3)
ON CONFLICT DO NOTHING
"""


async def ensure_development_key(db: Connection) -> None:
    """Creates the documented key unless its name was ever taken: a revoked one stays revoked."""
    await db.execute(
        _ENSURE_DEVELOPMENT_KEY, DEVELOPMENT_KEY_NAME, digest(DEVELOPMENT_KEY), DEVELOPMENT_KEY[-4:]
    )


# The name's own expiry, from before a grace period cut it short; of a name whose current key has
# expired while one of an earlier rotation works, what is left to that one.
_PREDECESSOR = f"""
SELECT id, environment, CASE WHEN lifetime <= now() THEN expires_at ELSE lifetime END AS lifetime
FROM service_api_keys, (
    SELECT max(expires_at) AS lifetime FROM service_api_keys
    WHERE key_name = $1 AND superseded_at IS NULL
) AS current
WHERE key_name = $1 AND {WORKS}
ORDER BY superseded_at IS NULL DESC, created_at DESC
LIMIT 1
"""

_SUPERSEDE = """
UPDATE service_api_keys SET
    superseded_at = now(),
    expires_at = least(expires_at, now() + $2 * interval '1 second')
WHERE key_name = $1 AND superseded_at IS NULL
"""

_SUCCEED = """
INSERT INTO service_api_keys
    (key_name, api_key, environment, last_four, expires_at, enforce_ownership, scopes, note,
     rate_limit, user_ids)
SELECT key_name, $2, environment, $3, $4, coalesce($5, enforce_ownership), coalesce($6, scopes),
    coalesce($7, note), coalesce($8, rate_limit), coalesce($9, user_ids)
FROM service_api_keys WHERE id = $1
"""

_EXPIRY = "SELECT expires_at FROM service_api_keys WHERE id = $1"


async def find_predecessor(db: Connection, key_name: str) -> Record:
    """The key that the next rotation of a name replaces, which no other can until the caller ends.

    NotFound when the name is unknown or none of its keys works any more.
    """
    await db.execute(LOCK_NAME, key_name)
    predecessor = await db.fetchrow(_PREDECESSOR, key_name)
    if predecessor is None:
        raise NotFound("Key name not found or no active key")
    return predecessor


async def rotate_key(
    db: Connection, rotation: KeyRotation, secret: str | None = None
) -> RotatedKey:
    """Replaces a key inside the caller's transaction; the old one works through its grace.

    NotFound when the name is unknown or none of its keys works any more.
    """
    predecessor = await find_predecessor(db, rotation.key_name)
    await db.execute(_SUPERSEDE, rotation.key_name, rotation.grace_seconds)
    value = generate(predecessor["environment"] or "prod", secret)
    expires_at = rotation.expires_at or predecessor["lifetime"]
    await db.execute(
        _SUCCEED,
        predecessor["id"],
        digest(value),
        value[-4:],
        expires_at,
        rotation.enforce_ownership,
        rotation.scopes,
        rotation.note,
        rotation.rate_limit,
        rotation.user_ids,
    )
    old_expiry = await db.fetchval(_EXPIRY, predecessor["id"])
    return RotatedKey(new_key=value, old_key_expires_at=old_expiry)


INFO = f"""id, key_name, environment, last_four, enforce_ownership, scopes, created_at, expires_at,
    last_used_at, {WORKS} AS active,
    CASE
        WHEN NOT active THEN 'revoked'
        WHEN expires_at <= now() THEN 'expired'
        WHEN superseded_at IS NOT NULL THEN 'superseded'
        WHEN expires_at <= now() + interval '7 days' THEN 'expiring'
        ELSE 'active'
    END AS state"""
"""The columns of KeyInfo."""

_LIST = f"SELECT {INFO} FROM service_api_keys ORDER BY created_at DESC, id DESC"


async def list_keys(db: Connection) -> list[ListedKey]:
    """Every key ever minted, newest first, without its value."""
    return [ListedKey.model_construct(**row) for row in await db.fetch(_LIST)]


_REVOKE = "UPDATE service_api_keys SET active = false WHERE id = $1 RETURNING key_name"


async def revoke_key(db: Connection, key_id: UUID) -> str:
    """Ends a key at once and returns its name; NotFound when there is none."""
    key_name: str | None = await db.fetchval(_REVOKE, key_id)
    if key_name is None:
        raise NotFound("Key not found")
    return key_name
