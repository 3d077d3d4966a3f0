"""Sessions, made by an auth server and only read here."""

from app.services import Connection

# The auth server's table may have other types. The epoch of a timestamp without a zone is the
# one it has in UTC, whatever the time zone of this connection.
_FIND = """
SELECT user_id::text FROM user_sessions
WHERE token_hash = $1 AND revoked IS NOT TRUE
    AND extract(epoch FROM expires_at) > extract(epoch FROM now())
"""


async def find_user(db: Connection, token_hash: str) -> str | None:
    """Whose session has this hash, if it is neither revoked nor expired."""
    user_id: str | None = await db.fetchval(_FIND, token_hash)
    return user_id
