"""Users' secrets, one for each provider; encrypted before they come here."""

from typing import NamedTuple

from app.errors import NotFound
from app.models.secret import Provider, UserSecret, ValidationStatus
from app.services import Connection
from app.services.changes import TAKE_TURN

_COLUMNS = "provider, masked_key, validation_status, last_validated_at, created_at, updated_at"


class StoredSecret(NamedTuple):
    """What may be shown of a secret, and its encrypted value."""

    secret: UserSecret
    encrypted_value: bytes


_UPSERT = f"""
WITH turn AS ({TAKE_TURN})
INSERT INTO user_api_keys (user_id, provider, encrypted_value, masked_key)
SELECT user_id, $2, $3, $4 FROM turn
ON CONFLICT (user_id, provider) DO UPDATE SET
    encrypted_value = excluded.encrypted_value,
    masked_key = excluded.masked_key,
    validation_status = NULL,
    last_validated_at = NULL,
    updated_at = excluded.updated_at
RETURNING {_COLUMNS}
"""


async def upsert_secret(
    db: Connection, user_id: str, provider: Provider, encrypted_value: bytes, masked_key: str
) -> UserSecret:
    """Stores a secret, untested, in place of the one before."""
    row = await db.fetchrow(_UPSERT, user_id, provider, encrypted_value, masked_key)
    assert row is not None  # noqa: S101 - an upsert without a condition returns its row
    return UserSecret.model_construct(**row)


_FETCH = f"""
SELECT encrypted_value, {_COLUMNS} FROM user_api_keys WHERE user_id = $1 AND provider = $2
"""


async def fetch_secret(db: Connection, user_id: str, provider: Provider) -> StoredSecret:
    """The user's secret; NotFound when there is none."""
    row = await db.fetchrow(_FETCH, user_id, provider)
    if row is None:
        raise NotFound("No API key is stored")
    return StoredSecret(UserSecret.model_construct(**row), row["encrypted_value"])


# Unless another secret was stored while the provider was asked about this one.
_RECORD = """
UPDATE user_api_keys SET
    encrypted_value = $4,
    validation_status = $5,
    last_validated_at = now()
WHERE user_id = $1 AND provider = $2 AND encrypted_value = $3
RETURNING provider
"""


async def record_test(
    db: Connection,
    user_id: str,
    provider: Provider,
    tested: bytes,
    encrypted_anew: bytes,
    status: ValidationStatus,
) -> None:
    """Notes how the test of this very secret ended, and stores it encrypted anew."""
    await db.fetchrow(_RECORD, user_id, provider, tested, encrypted_anew, status)


_DELETE = "DELETE FROM user_api_keys WHERE user_id = $1 AND provider = $2 RETURNING provider"


async def delete_secret(db: Connection, user_id: str, provider: Provider) -> None:
    """Removes the user's secret; NotFound when there is none."""
    if await db.fetchrow(_DELETE, user_id, provider) is None:
        raise NotFound("No API key is stored")
