"""Which tables are divided by user where one machine is not enough, and how Citus divides them."""

from asyncpg import Record

from app.database.marking import mark
from app.database.schema import find_fault
from app.errors import Conflict
from app.services import Connection

OWNED = (
    "change_counts",
    "changes",
    "contacts",
    "calls",
    "tasks",
    "categories",
    "task_categories",
    "completions",
    "user_preferences",
    "user_moods",
    "user_api_keys",
    "replays",
)
"""Tables of what belongs to users, each row to one; what refers to another comes after it."""

NOT_OWNED = {
    "webhook_deliveries": "a queue of the worker by endpoint, which holds what many users did",
    "refresh_tokens": "found by a token, before anybody knows whose it is",
    "verification_tokens": "found by a token, before anybody knows whose it is",
    "revocations": "few, and every worker holds them all",
    "user_sessions": "the auth server's, found by a token",
}
"""Tables with a user that stay in one place, and why."""

# With the first, triggers that touch rows of their own user are divided along. Without the second
# PostgreSQL looks through all parts of all tables whenever a driver asks for a type.
_SETTINGS = {"citus.enable_unsafe_triggers": "on", "citus.override_table_visibility": "off"}

_HAS_CITUS = "SELECT to_regproc('citus_version') IS NOT NULL"
_IS_COORDINATOR = "SELECT groupid = 0 FROM pg_dist_local_group"
_COUNT_WORKERS = "SELECT count(*) FROM pg_dist_node WHERE isactive AND shouldhaveshards"
_WITHOUT_USER = """
SELECT conrelid::regclass::text AS table, conname AS name
FROM pg_constraint
WHERE conrelid = ANY ($1::text[]::regclass[]) AND contype IN ('p', 'u', 'f') AND NOT EXISTS (
    SELECT 1 FROM pg_attribute
    WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = 'user_id'
)
ORDER BY 1, 2
"""
_UNKNOWN = """
SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE attname = 'user_id' AND relkind IN ('r', 'p') AND NOT relispartition
    AND relnamespace = current_schema()::regnamespace
    AND attrelid <> ALL ($1::text[]::regclass[])
ORDER BY 1
"""


async def find_obstacles(db: Connection) -> list[str]:
    """What stands in the way of dividing the tables, a sentence each."""
    if fault := await find_fault(db):
        return [fault]
    if not await db.fetchval(_HAS_CITUS):
        return ["the extension citus is not in this database: CREATE EXTENSION citus"]
    if not await db.fetchval(_IS_COORDINATOR):
        return ["this is a worker: connect to the coordinator"]
    obstacles = []
    if not await db.fetchval(_COUNT_WORKERS):
        obstacles.append("no node takes parts of tables: SELECT citus_add_node(…)")
    for table, name in await db.fetch(_WITHOUT_USER, OWNED):
        obstacles.append(f"{name} of {table} does not name the user")
    known = [*OWNED, *(await db.fetchval(_PRESENT, list(NOT_OWNED)))]
    for (table,) in await db.fetch(_UNKNOWN, known):
        obstacles.append(f"nobody knows whether {table}, which has a user_id, is to be divided")
    return obstacles


_PRESENT = """
SELECT array_agg(name) FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL
"""
_DIVIDED = """
SELECT name FROM unnest($1::text[]) AS name
WHERE name::regclass IN (SELECT logicalrelid FROM pg_dist_partition)
"""
_LINKS = """
SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE contype = 'f' AND conrelid = ANY ($1::text[]::regclass[])
    AND confrelid = ANY ($1::text[]::regclass[])
"""
_DIVIDE = "SELECT create_distributed_table($1::text::regclass, 'user_id', colocate_with => $2)"


async def find_undivided(db: Connection) -> list[str]:
    """The tables that are not as they should be yet, where there is nothing in the way."""
    divided = {row["name"] for row in await db.fetch(_DIVIDED, OWNED)}
    return [table for table in OWNED if table not in divided]


async def distribute(db: Connection) -> list[str]:
    """Divides among the nodes, by user, what is not divided yet, and returns which tables.

    In a transaction. Conflict says what stands in the way. Rows of one user are on one node,
    whatever the table; other tables stay where they are.
    """
    if obstacles := await find_obstacles(db):
        raise Conflict("; ".join(obstacles))
    undivided = await find_undivided(db)
    await _set(db)
    # Tables that refer to one another cannot be divided one by one.
    links = await db.fetch(_LINKS, OWNED) if undivided else []
    for link in links:
        await db.execute(f"ALTER TABLE {link['table']} DROP CONSTRAINT {link['name']}")
    for table in undivided:
        await db.execute(_DIVIDE, table, "none" if table == OWNED[0] else OWNED[0])
    for link in links:
        await _link(db, link)
    await mark(db)  # afterwards, or what is copied would pass for new
    return undivided


async def _set(db: Connection) -> None:
    database = await db.fetchval("SELECT quote_ident(current_database())")
    await db.execute("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
    for name, value in _SETTINGS.items():
        await db.execute(f"ALTER DATABASE {database} SET {name} = {value}")
        await db.execute(f"SET LOCAL {name} = {value}")


async def _link(db: Connection, link: Record) -> None:
    await db.execute(
        f"ALTER TABLE {link['table']} ADD CONSTRAINT {link['name']} {link['definition']}"
    )
