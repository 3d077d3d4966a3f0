"""What `database distribute` asks of Citus, of which a database here has the names only."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.database.distribution import OWNED, distribute, find_obstacles, find_undivided
from app.errors import Conflict
from app.services import Connection
from app.services.log import MarkedLog, follow
from app.services.webhook_deliveries import TAKING
from tests.support.one_user import make_world

_NAMES = """
CREATE TABLE pg_dist_local_group AS SELECT 0 AS groupid;
CREATE TABLE pg_dist_node AS SELECT true AS isactive, true AS shouldhaveshards;
CREATE TABLE pg_dist_partition (number SERIAL, logicalrelid regclass, colocated TEXT);
CREATE FUNCTION citus_version() RETURNS text RETURN 'Citus';
CREATE FUNCTION create_distributed_table(name regclass, by text, colocate_with text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ASSERT by = 'user_id';
    ASSERT NOT EXISTS (
        SELECT 1 FROM pg_constraint WHERE contype = 'f' AND name IN (conrelid, confrelid)
    ), 'a table that refers to another cannot be divided';
    ASSERT NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'mark_change'),
        'what is copied would pass for new';
    INSERT INTO pg_dist_partition (logicalrelid, colocated) VALUES (name, colocate_with);
END
$$;
"""
_LINKS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
_DIVIDED = "SELECT logicalrelid::text, colocated FROM pg_dist_partition ORDER BY number"


@pytest.fixture
async def coordinator(database_url: str) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(database_url)
    await connection.execute(_NAMES)
    yield connection
    await connection.close()


async def test_without_citus_one_line_says_so(db: Connection) -> None:
    with pytest.raises(Conflict, match=r"^the extension citus is not in this database: CREATE"):
        await distribute(db)


async def test_a_schema_that_is_behind_is_migrated_first(coordinator: Connection) -> None:
    await coordinator.execute("UPDATE alembic_version SET version_num = '0016'")
    with pytest.raises(Conflict, match=r"^schema is at 0016, needs .*: python -m app migrate$"):
        await distribute(coordinator)


async def test_owned_tables_are_divided_together_and_their_links_stay(
    coordinator: Connection,
) -> None:
    links = await coordinator.fetch(_LINKS)
    async with coordinator.transaction():
        divided = await distribute(coordinator)
    first = OWNED[0]
    assert divided == list(OWNED)
    assert [tuple(row) for row in await coordinator.fetch(_DIVIDED)] == [
        (first, "none"),
        *((table, first) for table in OWNED[1:]),
    ]
    assert await coordinator.fetch(_LINKS) == links
    async with coordinator.transaction():
        assert await distribute(coordinator) == []
    assert isinstance(await follow(coordinator, TAKING), MarkedLog)
    await make_world(coordinator, "user_123")


async def test_what_was_divided_before_stays(coordinator: Connection) -> None:
    await coordinator.execute("INSERT INTO pg_dist_partition (logicalrelid) VALUES ('tasks')")
    assert "tasks" not in await find_undivided(coordinator)


async def test_check_names_what_is_in_the_way(coordinator: Connection) -> None:
    await coordinator.execute("""
        UPDATE pg_dist_node SET isactive = false;
        ALTER TABLE replays DROP CONSTRAINT replays_pkey,
            ADD CONSTRAINT replays_pkey PRIMARY KEY (key_name, idempotency_key);
        CREATE TABLE cats (user_id VARCHAR(255))
    """)
    assert await find_obstacles(coordinator) == [
        "no node takes parts of tables: SELECT citus_add_node(…)",
        "replays_pkey of replays does not name the user",
        "nobody knows whether cats, which has a user_id, is to be divided",
    ]
    await coordinator.execute("UPDATE pg_dist_local_group SET groupid = 1")
    assert await find_obstacles(coordinator) == ["this is a worker: connect to the coordinator"]
