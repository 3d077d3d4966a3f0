"""Revocations: users, installations and keys that are refused, alone or together."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record
from pydantic_core import from_json

from app.errors import Full, NotFound, Revoked
from app.models.audit import Author
from app.models.revocation import NewRevocation, Revocation, RevocationList
from app.services import Connection

MOST_LIVE = 10_000
"""Every worker holds them all."""
UNKNOWN = -1
"""The version that nothing has."""
_KEPT_DAYS = 400

Rule = tuple[str | None, str | None, str | None]
"""User, installation and key; None where any will do."""


class News(NamedTuple):
    """The version of the revocations, and those that are live, where the version was not known.

    A rule holds until a number of seconds since 1970, or for good.
    """

    version: int
    rules: Mapping[Rule, float | None] | None


_LIVE = "(until IS NULL OR until > now())"

# One row whatever happens: a look-up that carries it must never fail for want of it.
NEWS = f"""
SELECT version, CASE WHEN version <> {{known}}::bigint THEN (
    SELECT coalesce(json_agg(json_build_array(
        user_id, installation_id, key_name, extract(epoch FROM until)
    )), '[]')::text
    FROM revocations WHERE {_LIVE}
) END AS rules
FROM (SELECT coalesce(max(version), 0) AS version FROM revocation_version) AS current
"""
"""A row of News in SQL; `known` is the number of the parameter with the version known before."""


def read_news(row: Record) -> News:
    """What a row says that has the columns of NEWS."""
    if row["rules"] is None:
        return News(row["version"], None)
    rules: dict[Rule, float | None] = {}
    for user_id, installation_id, key_name, until in from_json(row["rules"]):
        rule = (user_id, installation_id, key_name)
        # Of two that say the same the longer one counts.
        if until is None or rules.get(rule, 0.0) is not None:
            rules[rule] = until and max(until, rules.get(rule) or 0.0)
    return News(row["version"], rules)


_FETCH_NEWS = NEWS.format(known="$1")


async def fetch_news(db: Connection, known: int) -> News:
    """What is new since a version."""
    row = await db.fetchrow(_FETCH_NEWS, known)
    assert row is not None  # noqa: S101 - an aggregate without groups returns its row
    return read_news(row)


_IS_REVOKED = f"""
SELECT EXISTS (
    SELECT 1 FROM revocations
    WHERE user_id = $1 AND installation_id IS NULL AND key_name IS NULL AND {_LIVE}
)
"""


async def require_unrevoked(db: Connection, user_id: str | None) -> None:
    """Revoked where a revocation, however new, names nothing but this user, if it is anybody.

    For users of whom the request does not tell, and for what outlasts it: that is rolled back.
    """
    if user_id and await db.fetchval(_IS_REVOKED, user_id):
        raise Revoked


_COLUMNS = "id, user_id, installation_id, key_name, reason, until, created_at, created_by"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('revocations', 0))"
_COUNT = f"SELECT count(*) FROM revocations WHERE {_LIVE}"
_INSERT = f"""
INSERT INTO revocations (user_id, installation_id, key_name, reason, until, created_by)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING {_COLUMNS}
"""


async def insert_revocation(db: Connection, new: NewRevocation, author: Author) -> Revocation:
    """Refuses from now on what matches, inside the caller's transaction.

    Full where there are too many already.
    """
    await db.execute(_LOCK)
    if await db.fetchval(_COUNT) >= MOST_LIVE:
        raise Full(f"There are {MOST_LIVE} revocations; lift some first")
    row = await db.fetchrow(
        _INSERT,
        new.user_id,
        new.installation_id,
        new.key_name,
        new.reason,
        new.until,
        author.name,
    )
    assert row is not None  # noqa: S101 - an insert without a condition returns its row
    return Revocation.model_construct(**row)


_FETCH = f"SELECT {_COLUMNS} FROM revocations WHERE id = $1"
_DELETE = f"DELETE FROM revocations WHERE id = $1 RETURNING {_COLUMNS}"


async def fetch_revocation(db: Connection, revocation_id: UUID) -> Revocation:
    """One revocation; NotFound when there is none."""
    return _found(await db.fetchrow(_FETCH, revocation_id))


async def delete_revocation(db: Connection, revocation_id: UUID) -> Revocation:
    """Lifts a revocation and returns what it was; NotFound when there is none."""
    return _found(await db.fetchrow(_DELETE, revocation_id))


def _found(row: Record | None) -> Revocation:
    if row is None:
        raise NotFound("Revocation not found")
    return Revocation.model_construct(**row)


_LIST = f"""
SELECT {_COLUMNS} FROM revocations
WHERE id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY id DESC LIMIT $2
"""


async def list_revocations(db: Connection, cursor: UUID | None, limit: int) -> RevocationList:
    """A page of revocations, newest first, from those before the cursor's."""
    rows = await db.fetch(_LIST, cursor, limit)
    listed = [Revocation.model_construct(**row) for row in rows]
    last = listed[-1].id if len(listed) == limit else None
    return RevocationList.model_construct(revocations=listed, next_cursor=last)


_PURGE = "DELETE FROM revocations WHERE until < now() - make_interval(days => $1)"


async def purge_revocations(db: Connection) -> None:
    """Removes those that ended long ago."""
    await db.execute(_PURGE, _KEPT_DAYS)
