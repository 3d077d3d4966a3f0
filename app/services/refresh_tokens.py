"""Refresh tokens: one row for a login and its descendants, which holds the digest of the latest.

A token names its family, so that one which is not the latest gives itself away as used before.
"""

import re
import secrets
from uuid import UUID, uuid4

from app.models.account import Account
from app.services import Connection
from app.services.keys import digest

_TOKEN = re.compile("[0-9a-f]{96}")


def generate(family: UUID) -> str:
    """A new token of the family: its id and 256 random bits, in hex."""
    return family.hex + secrets.token_hex(32)


_INSERT = """
WITH expired AS (
    DELETE FROM refresh_tokens WHERE user_id = $2 AND expires_at <= now()
)
INSERT INTO refresh_tokens (family, user_id, token_hash, expires_at)
VALUES ($1, $2, $3, now() + interval '7 days')
"""


async def insert_family(db: Connection, account_id: UUID) -> str:
    """The first token of a new family; also forgets the account's expired ones."""
    family = uuid4()
    token = generate(family)
    await db.execute(_INSERT, family, account_id, digest(token))
    return token


# Whoever is second waits for the row, sees that the token is no longer the latest, and so ends
# the family: the successor that the first one got included.
_ROTATE = """
UPDATE refresh_tokens SET
    token_hash = CASE WHEN token_hash = $2 THEN $3 ELSE token_hash END,
    expires_at = CASE WHEN token_hash = $2 THEN now() + interval '7 days' ELSE expires_at END,
    revoked_at = CASE WHEN token_hash <> $2 THEN now() END
FROM accounts
WHERE family = $1 AND revoked_at IS NULL AND expires_at > now() AND accounts.id = user_id
    AND deactivated_at IS NULL
RETURNING revoked_at IS NULL AS rotated, id, email, full_name, is_active
"""


async def rotate(db: Connection, token: str) -> tuple[Account, str] | None:
    """The account and the successor of its token; None for an unknown, expired or revoked one.

    None also for a token used before: then its family is revoked, for somebody stole one of them.
    """
    if _TOKEN.fullmatch(token) is None:
        return None
    family = UUID(token[:32])
    successor = generate(family)
    row = await db.fetchrow(_ROTATE, family, digest(token), digest(successor))
    if row is None or not row["rotated"]:
        return None
    return Account.model_construct(**row), successor
