"""Which schema the database has, and whether this version of the service can work on it."""

import re
from pathlib import Path
from typing import NamedTuple

import asyncpg

from app.services import Connection

_VERSIONS = Path(__file__).parents[2] / "alembic" / "versions"

NEEDED = max(path.name[:4] for path in _VERSIONS.glob("[0-9]*.py"))
"""The latest revision that this version knows, and the earliest that it can work on."""
_OLDEST_POSTGRESQL = 16


class Schema(NamedTuple):
    """What is found in a database."""

    revision: str | None
    is_ours: bool
    missing: str | None

    @property
    def is_newer(self) -> bool:
        """Whether a later version of this service migrated it, which suits this one too."""
        revision = self.revision or ""
        return self.is_ours and bool(re.fullmatch(r"\d{4}", revision)) and revision > NEEDED

    @property
    def summary(self) -> str:
        """What to say where nothing is to be done."""
        if self.is_newer:
            return f"schema is at {self}, which is newer than {NEEDED} and suits it"
        return "up to date"

    @property
    def fault(self) -> str | None:
        """Why this version cannot work on it, if so."""
        if not self.is_newer and (self.revision, self.is_ours) != (NEEDED, True):
            return f"schema is at {self}, needs {NEEDED}: python -m app migrate"
        if self.missing is not None:
            return f"schema is at {self}, but has no {self.missing}"
        return None

    def __str__(self) -> str:
        return self.revision or "no revision"


# Ours has this trigger from its first revision on. Another application's revisions may have the
# same names. The tables are not touched: whoever asks must not wait for one that is being altered.
_FIND = """
SELECT to_regclass('alembic_version') IS NOT NULL AS versioned,
    EXISTS (
        SELECT 1 FROM pg_trigger
        WHERE tgrelid = to_regclass('service_api_keys') AND tgname = 'seal'
    ) AS is_ours,
    (
        SELECT string_agg(name, ', ')
        FROM unnest(ARRAY['tasks', 'changes', 'change_counts', 'replays']) AS name
        WHERE to_regclass(name) IS NULL
    ) AS missing
"""

_REVISION = "SELECT string_agg(version_num, ', ') FROM alembic_version"


async def fetch_schema(db: Connection) -> Schema:
    """The schema of the connection's database."""
    row = await db.fetchrow(_FIND)
    assert row is not None  # noqa: S101 - a select without a condition returns its row
    revision = await db.fetchval(_REVISION) if row["versioned"] else None
    return Schema(revision, row["is_ours"], row["missing"])


async def find_fault(db: Connection) -> str | None:
    """Why this version cannot work on the connection's database, if so."""
    try:
        return (await fetch_schema(db)).fault
    except asyncpg.SyntaxOrAccessError as error:
        return f"schema cannot be read: {error}"


def find_age(db: Connection) -> str | None:
    """Why the connection's PostgreSQL is too old, if so."""
    version = db.get_server_version()
    if version.major >= _OLDEST_POSTGRESQL:
        return None
    return f"PostgreSQL {version.major} is too old: {_OLDEST_POSTGRESQL} or later is needed"
