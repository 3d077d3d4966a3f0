import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from alembic import command
from app.database.migrations import alembic_config, upgrade
from app.errors import Conflict
from tests.support.databases import create_clone

REVISIONS = [
    script.revision
    for script in ScriptDirectory.from_config(alembic_config("postgresql://")).walk_revisions()
]

_LEFT_BEHIND = """
SELECT 'relation ' || relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%'
UNION ALL
SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'type ' || typname FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%alembic_version'
"""

_SCHEMA = """
SELECT format('column %s.%s %s %s', attrelid::regclass,
    row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname, concat_ws(' ',
    format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
    pg_get_expr(adbin, adrelid), attgenerated, attidentity, col_description(attrelid, attnum)))
FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid AND relnamespace = 'public'::regnamespace
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT format('relation %s %s', relname, concat_ws(' ', relkind, relpersistence, reloptions::text,
    relacl::text, relrowsecurity, obj_description(oid, 'pg_class')))
FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT format('%s of %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1
"""


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    with create_clone(server_url, "template0") as url:
        yield url


async def column(url: str, query: str) -> list[str]:
    db = await asyncpg.connect(url)
    rows = [row[0] for row in await db.fetch(query)]
    await db.close()
    return rows


async def migrate(url: str, revision: str) -> None:
    config: Config = alembic_config(url)
    direction = command.downgrade if revision == "base" else command.upgrade
    await asyncio.to_thread(direction, config, revision)


async def test_down_to_base_and_up_again_gives_the_same_schema(empty_url: str) -> None:
    await migrate(empty_url, "head")
    schema = await column(empty_url, _SCHEMA)
    await migrate(empty_url, "base")
    assert await column(empty_url, _LEFT_BEHIND) == []
    assert await column(empty_url, "SELECT version_num FROM alembic_version") == []
    await migrate(empty_url, "head")
    assert await column(empty_url, _SCHEMA) == schema
    assert await column(empty_url, "SELECT version_num FROM alembic_version") == [REVISIONS[0]]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_each_migration_can_be_taken_back(empty_url: str, revision: str) -> None:
    await migrate(empty_url, revision)
    after = await column(empty_url, _SCHEMA)
    config = alembic_config(empty_url)
    await asyncio.to_thread(command.downgrade, config, "-1")
    assert await column(empty_url, _SCHEMA) != after
    await migrate(empty_url, revision)
    assert await column(empty_url, _SCHEMA) == after


async def test_downgrade_works_on_a_database_with_data(empty_url: str) -> None:
    await migrate(empty_url, "head")
    await column(
        empty_url,
        "WITH key AS (INSERT INTO service_api_keys (key_name, api_key) VALUES ('k', 'plain')) "
        "INSERT INTO tasks (user_id, title) VALUES ('u', 't') RETURNING title",
    )
    await migrate(empty_url, "base")
    assert await column(empty_url, _LEFT_BEHIND) == []


_FOREIGN = """
CREATE TABLE user_sessions (
    id text PRIMARY KEY, user_id uuid, token_hash text, expires_at timestamp, revoked boolean,
    created_at timestamp, ip_address text
)
"""


async def test_sessions_table_of_an_auth_server_stays_as_it_is(empty_url: str) -> None:
    await column(empty_url, _FOREIGN)
    schema = await column(empty_url, _SCHEMA)
    await migrate(empty_url, "head")
    assert set(schema) <= set(await column(empty_url, _SCHEMA))
    await migrate(empty_url, "base")
    assert [line for line in await column(empty_url, _SCHEMA) if "user_sessions" in line] == schema


_SESSIONS = """
INSERT INTO user_sessions (user_id, token_hash, expires_at) VALUES ('ann', repeat('a', 64), now());
INSERT INTO user_sessions (id, "userId", token, "expiresAt", "createdAt", "updatedAt")
VALUES ('GGmw3gvHh5t6g7t1', 'bob', 'token', now(), now(), now())
"""


async def test_our_table_of_sessions_takes_those_of_both_kinds_and_no_half_ones(
    empty_url: str,
) -> None:
    await migrate(empty_url, "head")
    db = await asyncpg.connect(empty_url)
    await db.execute(_SESSIONS)
    for half in ("user_id", "token_hash", "token"):
        with pytest.raises(asyncpg.CheckViolationError):
            await db.execute(f"INSERT INTO user_sessions ({half}) VALUES ('x')")
    await asyncio.to_thread(command.downgrade, alembic_config(empty_url), "0010")
    kept = await db.fetch("SELECT user_id, pg_typeof(id)::text AS type FROM user_sessions")
    assert [tuple(row) for row in kept] == [("ann", "uuid")]
    await db.close()


_OLD_UPSERT = """
INSERT INTO user_secrets (user_id, provider, encrypted_value, masked_key)
VALUES ('ann', 'gemini', $1, 'mask')
ON CONFLICT (user_id, provider) DO UPDATE SET
    encrypted_value = excluded.encrypted_value, updated_at = now()
RETURNING provider, masked_key, created_at
"""


async def test_users_keys_are_reached_under_their_old_name_by_the_version_before(
    empty_url: str,
) -> None:
    db = await asyncpg.connect(empty_url)
    role = f"service_{uuid4().hex}"
    await migrate(empty_url, "0010")
    await db.execute(f"CREATE ROLE {role}; GRANT ALL ON user_secrets TO {role}")
    await migrate(empty_url, "head")
    await db.execute(f"SET ROLE {role}")
    for value in (b"first", b"second"):
        row = await db.fetchrow(_OLD_UPSERT, value)
        assert row is not None
        assert row["created_at"] is not None
    await db.execute("UPDATE user_secrets SET masked_key = 'other' WHERE user_id = 'ann'")
    found = await db.fetch("SELECT encrypted_value, masked_key FROM user_api_keys")
    assert [tuple(row) for row in found] == [(b"second", "other")]
    await db.execute("DELETE FROM user_secrets WHERE user_id = 'ann'")
    assert await db.fetchval("SELECT count(*) FROM user_api_keys") == 0
    await db.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
    await db.close()


async def test_migrating_again_changes_nothing(empty_url: str) -> None:
    await migrate(empty_url, "head")
    schema = await column(empty_url, _SCHEMA)
    await asyncio.to_thread(upgrade, empty_url)
    assert await column(empty_url, _SCHEMA) == schema


async def test_upgrade_that_waits_holds_up_nobody_by_what_it_did_before(empty_url: str) -> None:
    await migrate(empty_url, "0010")
    reader, writer = await asyncpg.connect(empty_url), await asyncpg.connect(empty_url)
    reading = reader.transaction()
    await reading.start()
    await reader.execute("SELECT FROM service_api_keys")  # which 0015 alters
    upgrading = asyncio.create_task(asyncio.to_thread(upgrade, empty_url))
    while not await writer.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        await asyncio.sleep(0.05)
    assert await writer.fetchval("SELECT version_num FROM alembic_version") == "0014"
    await writer.execute(
        "SET lock_timeout = '1s'; INSERT INTO tasks (user_id, title) VALUES ('u', 't')"
    )
    await reading.rollback()
    assert await upgrading == f"0010 → {REVISIONS[0]}"
    await reader.close()
    await writer.close()


async def test_upgrade_goes_on_where_it_was_interrupted(empty_url: str) -> None:
    await migrate(empty_url, "0010")
    await column(empty_url, "CREATE TABLE key_notices ()")  # which 0016 would make
    with pytest.raises(Conflict, match='relation "key_notices" already exists'):
        await asyncio.to_thread(upgrade, empty_url)
    assert await column(empty_url, "SELECT version_num FROM alembic_version") == ["0015"]
    await column(empty_url, "DROP TABLE key_notices")
    assert await asyncio.to_thread(upgrade, empty_url) == f"0015 → {REVISIONS[0]}"


_LONGEST_TRANSACTION = """
SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float FROM pg_stat_activity
WHERE datname = current_database() AND pid <> ALL ($1)
"""


async def test_who_waits_for_its_turn_keeps_no_transaction_open(empty_url: str) -> None:
    """An index that the other one builds beside everybody might wait for it for ever."""
    await migrate(empty_url, "0010")
    other, watcher = await asyncpg.connect(empty_url), await asyncpg.connect(empty_url)
    turn = other.transaction()
    await turn.start()
    await other.execute("SELECT pg_advisory_xact_lock(7237121049)")
    upgrading = asyncio.create_task(asyncio.to_thread(upgrade, empty_url))
    await asyncio.sleep(1.5)
    known = [db.get_server_pid() for db in (other, watcher)]
    assert await watcher.fetchval(_LONGEST_TRANSACTION, known) < 1
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0010"
    await turn.rollback()
    assert await upgrading == f"0010 → {REVISIONS[0]}"
    await other.close()
    await watcher.close()


async def test_two_upgrades_at_the_same_time_both_succeed(empty_url: str) -> None:
    program = f"from app.database.migrations import upgrade; upgrade({empty_url!r})"
    folder = Path(__file__).parents[2]
    upgrades = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, cwd=folder, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    errors = await asyncio.gather(*(process.communicate() for process in upgrades))
    assert [process.returncode for process in upgrades] == [0, 0], errors
    assert await column(empty_url, "SELECT version_num FROM alembic_version") == [REVISIONS[0]]
