"""The database of the published original, taken over with every task and key.

Its tables are moved out of the way, our migrations run as on an empty database, then the rows are
copied: so the schema is the same by construction. All in the transaction of the migration.
"""

from collections.abc import Sequence

import asyncpg

from app.errors import Conflict
from app.services import Connection

_ASIDE = "task_manager_original"
_LOCK_TIMEOUT = "10s"

# What the original's documentation prints; an instant may also be without a zone.
_COLUMNS = {
    "service_api_keys": {
        "id": "uuid",
        "key_name": "character varying(100)",
        "api_key": "character varying(255)",
        "active": "boolean",
        "created_at": "timestamp",
        "expires_at": "timestamp",
    },
    "tasks": {
        "id": "uuid",
        "user_id": "character varying(255)",
        "title": "character varying(500)",
        "description": "text",
        "status": "character varying(50)",
        "priority": "character varying(50)",
        "created_at": "timestamp",
        "completed_at": "timestamp",
        "due_date": "timestamp",
    },
}

# Rows that this service could neither have written nor show.
_UNFIT = {
    "service_api_keys": {
        "no name, value, state or creation": "num_nulls(key_name, api_key, active, created_at) > 0",
    },
    "tasks": {
        "no user, title, status or creation": "num_nulls(user_id, title, status, created_at) > 0",
        "a status other than pending, in_progress, completed and cancelled": (
            "status NOT IN ('pending', 'in_progress', 'completed', 'cancelled')"
        ),
        "a priority other than low, medium, high and urgent": (
            "priority NOT IN ('low', 'medium', 'high', 'urgent')"
        ),
        "an instant outside the years 1900 to 9998": (
            "least(created_at, completed_at, due_date) < '1900-01-01 00:00:00Z'"
            " OR greatest(created_at, completed_at, due_date) >= '9999-01-01 00:00:00Z'"
        ),
    },
}


async def set_aside(db: Connection) -> Sequence[str]:
    """Moves the original's tables out of the way and returns their names.

    Conflict, naming it, for the first thing that would not come over.
    """
    # An instant without a zone is UTC.
    await db.execute(f"SET LOCAL TIME ZONE 'UTC'; SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    tables = [name for name in _COLUMNS if await db.fetchval("SELECT to_regclass($1)", name)]
    for table in tables:
        await _require_original(db, table)
    if tables:
        await _make_room(db)
        for table in tables:
            await db.execute(f"ALTER TABLE {table} SET SCHEMA {_ASIDE}")
        await db.execute("DROP TABLE IF EXISTS alembic_version")
    return tables


async def _make_room(db: Connection) -> None:
    try:
        await db.execute(f"CREATE SCHEMA {_ASIDE}")
    except asyncpg.DuplicateSchemaError:
        raise Conflict(
            f"schema {_ASIDE} is in the way: rename or remove it, then try again"
        ) from None


_FIND_COLUMNS = """
SELECT attname AS name, CASE
    WHEN atttypid IN ('timestamp'::regtype, 'timestamptz'::regtype) THEN 'timestamp'
    ELSE format_type(atttypid, atttypmod)
END AS type
FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""


async def _require_original(db: Connection, table: str) -> None:
    """Locks the table; Conflict when it is not the original's, or something depends on it."""
    expected = _COLUMNS[table]
    found = {row["name"]: row["type"] for row in await db.fetch(_FIND_COLUMNS, table)}
    for column in [*expected, *found]:
        if column not in found:
            raise Conflict(f"{table} is in the way: it has no column {column}")
        if column not in expected:
            raise Conflict(f"{table} is in the way: it has a column {column}")
        if found[column] != expected[column]:
            raise Conflict(f"{table} is in the way: its {column} is {found[column]}")
    await _lock(db, table)
    await _require_independence(db, table)
    for fault, condition in _UNFIT[table].items():
        await _require_none(db, table, fault, condition)


async def _lock(db: Connection, table: str) -> None:
    try:
        await db.execute(f"LOCK TABLE {table}")
    except asyncpg.LockNotAvailableError:
        raise Conflict(f"{table} is in use: stop whoever uses it, then try again") from None


# All but its own indexes, defaults, row type, keys and checks: views, foreign keys, triggers,
# policies, partitions, publications.
_FIND_DEPENDENT = """
SELECT pg_describe_object(classid, objid, 0)
FROM pg_depend
LEFT JOIN pg_class AS relation ON classid = 'pg_class'::regclass AND relation.oid = objid
LEFT JOIN pg_constraint AS rule ON classid = 'pg_constraint'::regclass AND rule.oid = objid
WHERE refclassid = 'pg_class'::regclass AND refobjid = $1::regclass
    AND classid NOT IN ('pg_attrdef'::regclass, 'pg_type'::regclass)
    AND coalesce(relation.relkind, 'r') NOT IN ('i', 't')
    AND coalesce(rule.contype, 'f') = 'f'
LIMIT 1
"""


async def _require_independence(db: Connection, table: str) -> None:
    if dependent := await db.fetchval(_FIND_DEPENDENT, table):
        raise Conflict(f"{dependent} is in the way: remove it and make it again afterwards")


async def _require_none(db: Connection, table: str, fault: str, condition: str) -> None:
    count, example = await db.fetchrow(  # type: ignore[misc]
        f"SELECT count(*), min(id::text) FROM {table} WHERE {condition}"
    )
    if count:
        raise Conflict(f"{count} of {table} have {fault}, for example {example}")


# Of several keys with one name the newest is current. A value is sealed whatever it looks like,
# where the trigger would take one of 64 hex digits for a sealed one.
_COPY_KEYS = f"""
INSERT INTO service_api_keys
    (id, key_name, api_key, active, created_at, expires_at, environment, last_four, superseded_at)
SELECT id, key_name, encode(sha256(convert_to(api_key, 'UTF8')), 'hex'), active, created_at,
    nullif(expires_at, 'infinity'), substring(api_key FROM '^sk_([a-z]{{1,20}})_'),
    right(api_key, 4), lead(created_at) OVER (PARTITION BY key_name ORDER BY created_at, id)
FROM {_ASIDE}.service_api_keys
"""

# In the order of the indexes, which takes half the time.
_COPY_TASKS = f"""
INSERT INTO tasks
    (id, user_id, title, description, status, priority, created_at, updated_at, completed_at,
    due_date)
SELECT id, user_id, title, description, status, priority, created_at,
    greatest(created_at, completed_at), completed_at, due_date
FROM {_ASIDE}.tasks
ORDER BY user_id, created_at
"""

_COPY = {"service_api_keys": _COPY_KEYS, "tasks": _COPY_TASKS}


async def bring_over(db: Connection, tables: Sequence[str]) -> str:
    """Copies the rows that were set aside into our tables, and returns how many of what."""
    if not tables:
        return ""
    counts = []
    for table in tables:
        inserted = await db.execute(_COPY[table])
        counts.append(f"{inserted.split()[-1]} of {table}")
        await db.execute(f"DROP TABLE {_ASIDE}.{table}")
        await db.execute(f"ANALYZE {table}")
    await db.execute(f"DROP SCHEMA {_ASIDE}")
    return f"adopted {' and '.join(counts)}: "
