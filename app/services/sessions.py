"""Sessions, made by an auth server and only read here, from a table of any shape that is known."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import asyncpg

from app.errors import SessionTableUnusable
from app.services import Connection


class SessionTable(NamedTuple):
    """How sessions are looked up in the auth server's table: by what, and with which statement."""

    by_hash: bool
    by_token: bool
    columns: Sequence[str]
    statement: str

    @property
    def shape(self) -> str:
        """Whose shape it has, in words for the log."""
        if self.by_hash and self.by_token:
            return "both"
        return "ours" if self.by_hash else "better_auth"


# What a column is for, how it may be called, and the category of types that it has to be of.
_ROLES = {
    "hash": (("token_hash", "tokenHash"), "S"),
    "token": (("token",), "S"),
    "user": (("user_id", "userId"), "SU"),
    "end": (("expires_at", "expiresAt"), "D"),
    "revoked": (("revoked",), "B"),
}

_COLUMNS = """
SELECT attname, typcategory
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
    AND has_column_privilege(attrelid, attnum, 'SELECT')
"""


async def describe(db: Connection, name: str, *, hashes: bool) -> SessionTable:
    """How to look sessions up in the table; SessionTableUnusable, with the reason, if one cannot.

    Without `hashes` nobody knows how tokens are hashed, and a column of hashes is passed over.
    """
    table = ".".join(f'"{part}"' for part in name.split("."))
    try:
        rows = await db.fetch(_COLUMNS, table)
    except asyncpg.SyntaxOrAccessError as error:
        raise SessionTableUnusable(str(error)) from error
    if not rows:
        raise SessionTableUnusable("it does not exist, or may not be read")
    types = {column: category.decode() for column, category in rows}
    found = {
        role: [column for column in names if types.get(column, "-") in categories]
        for role, (names, categories) in _ROLES.items()
    }
    if not hashes:
        found["hash"] = []
    _require_enough(found, types)
    columns = [column for columns in found.values() for column in columns]
    return SessionTable(bool(found["hash"]), bool(found["token"]), columns, _compose(table, found))


def _require_enough(found: Mapping[str, Sequence[str]], types: Mapping[str, str]) -> None:
    if not found["hash"] and not found["token"]:
        raise SessionTableUnusable("it has no token, and no token_hash with SESSION_HASH_SECRET")
    if not found["user"]:
        raise SessionTableUnusable("it has neither user_id nor userId, as text or a UUID")
    if not found["end"]:
        raise SessionTableUnusable("it has neither expires_at nor expiresAt, as an instant")
    if "revoked" in types and not found["revoked"]:
        raise SessionTableUnusable("its revoked is not a boolean")


def _compose(table: str, found: Mapping[str, Sequence[str]]) -> str:
    keys = [role for role in ("hash", "token") if found[role]]
    matches = [f'"{column}" = ${n}' for n, role in enumerate(keys, 1) for column in found[role]]
    user = ", ".join(f'"{column}"::text' for column in found["user"])
    # The epoch of a timestamp without a zone is the one it has in UTC, whatever the time zone of
    # this connection.
    end = ", ".join(f'extract(epoch FROM "{column}")' for column in found["end"])
    revoked = "".join(f' AND "{column}" IS NOT TRUE' for column in found["revoked"])
    return f"""
SELECT coalesce({user}) FROM {table}
WHERE ({" OR ".join(matches)}){revoked} AND coalesce({end}) > extract(epoch FROM now())
"""


async def find_user(
    db: Connection, table: SessionTable, token_hash: str | None, token: str | None
) -> str | None:
    """Whose session has this hash or this token, if it is neither revoked nor expired.

    SessionTableUnusable where the table is not any more as it was described.
    """
    keys = [token_hash] * table.by_hash + [token] * table.by_token
    try:
        user_id: str | None = await db.fetchval(table.statement, *keys)
    except asyncpg.SyntaxOrAccessError as error:
        raise SessionTableUnusable(str(error)) from error
    return user_id
