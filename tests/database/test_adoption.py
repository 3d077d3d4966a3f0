"""Whoever replaces the published original keeps its database."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from app.database.migrations import check, upgrade
from app.database.schema import NEEDED
from app.errors import Conflict
from tests.database.test_migrations import _SCHEMA, column
from tests.support import original
from tests.support.application import talking_to
from tests.support.databases import create_clone

_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' ORDER BY 1"
PLAIN_64 = "0123456789abcdef" * 4


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    with create_clone(server_url, "template0") as url:
        yield url


async def run(url: str, *statements: str) -> None:
    db = await asyncpg.connect(url)
    for statement in statements:
        await db.execute(statement)
    await db.close()


async def adopt(url: str) -> str:
    return await asyncio.to_thread(upgrade, url)


async def everything(url: str) -> list[str]:
    """The schema and all rows."""
    db = await asyncpg.connect(url)
    tables = await db.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    rows = [str(await db.fetch(f"SELECT * FROM {table[0]} ORDER BY 1")) for table in tables]
    await db.close()
    return [*await column(url, _SCHEMA), *rows]


@pytest.mark.parametrize("versioned", [original.ALEMBIC, "SELECT"], ids=["by alembic", "by hand"])
async def test_the_schema_is_the_one_an_empty_database_gets(
    empty_url: str, database_url: str, versioned: str
) -> None:
    await run(empty_url, original.SCHEMA, versioned, original.ROWS)
    said = await adopt(empty_url)
    before = "3d76e0c7a711" if versioned == original.ALEMBIC else "no revision"
    assert said == f"adopted 1 of service_api_keys and 2 of tasks: {before} → {NEEDED}"
    assert await column(empty_url, _SCHEMA) == await column(database_url, _SCHEMA)
    assert await column(empty_url, _SCHEMAS) == await column(database_url, _SCHEMAS)
    assert await column(empty_url, "SELECT version_num FROM alembic_version") == [NEEDED]
    assert await adopt(empty_url) == "up to date"


async def test_every_task_and_key_works_on(empty_url: str) -> None:
    await run(empty_url, original.SCHEMA, original.ALEMBIC, original.ROWS)
    await adopt(empty_url)
    async with talking_to(empty_url) as client:

        async def execute(action: str, **payload: Any) -> Any:
            command = {"action": action, "user_id": "user_123", "payload": payload}
            answer = await client.post(
                "/execute", json=command, headers={"X-Service-Key": original.KEY}
            )
            assert answer.status_code == 200, answer.text
            return answer.json()["data"]

        listed = await execute("list-tasks")
        assert [task["title"] for task in listed["tasks"]] == ["Brush cat", "Feed cat"]
        assert listed["tasks"][1] == {
            "id": original.TASK,
            "user_id": "user_123",
            "title": "Feed cat",
            "description": "Twice",
            "status": "completed",
            "priority": "high",
            "created_at": "2025-11-12T10:30:15Z",
            "completed_at": "2025-11-13T08:00:00Z",
            "due_date": "2025-11-20T10:00:00Z",
        }
        assert (await execute("get-stats"))["completed_tasks"] == 1
        reopened = await execute("update-task", task_id=original.TASK, status="pending")
        assert reopened["completed_at"] is None
        assert (await execute("delete-task", task_id=original.TASK))["success"] is True
    sequences = await column(
        empty_url, "SELECT sequence::text FROM changes WHERE kind = 'task' ORDER BY 1"
    )
    assert sequences == ["1", "2"]


async def test_no_key_rests_in_plain_text(empty_url: str) -> None:
    await run(
        empty_url,
        original.SCHEMA,
        f"""
        INSERT INTO service_api_keys (key_name, api_key) VALUES
            ('documented', '{original.KEY}'), ('hexadecimal', '{PLAIN_64}')
        """,
    )
    await adopt(empty_url)
    stored = await column(empty_url, "SELECT service_api_keys::text FROM service_api_keys")
    assert not [row for row in stored if original.KEY in row or PLAIN_64 in row]
    hints = await column(
        empty_url, "SELECT concat_ws(' ', environment, last_four) FROM service_api_keys ORDER BY 1"
    )
    assert hints == ["cdef", "prod abab"]
    async with talking_to(empty_url) as client:
        for key in (original.KEY, PLAIN_64):
            answer = await client.get("/actions", headers={"X-Service-Key": key})
            assert answer.status_code == 200


async def test_a_revoked_or_expired_key_stays_so(empty_url: str) -> None:
    await run(
        empty_url,
        original.SCHEMA,
        """
        INSERT INTO service_api_keys (key_name, api_key, active, expires_at) VALUES
            ('revoked', 'sk_prod_revoked', false, NULL),
            ('expired', 'sk_prod_expired', true, now() - interval '1 day'),
            ('for-ever', 'sk_prod_for_ever', true, 'infinity')
        """,
    )
    await adopt(empty_url)
    async with talking_to(empty_url) as client:
        answers = {
            key: (await client.get("/actions", headers={"X-Service-Key": key})).status_code
            for key in ("sk_prod_revoked", "sk_prod_expired", "sk_prod_for_ever")
        }
    assert list(answers.values()) == [401, 401, 200]


async def test_of_several_keys_with_one_name_the_newest_is_current(empty_url: str) -> None:
    await run(
        empty_url,
        original.SCHEMA,
        "ALTER TABLE service_api_keys DROP CONSTRAINT service_api_keys_key_name_key",
        """
        INSERT INTO service_api_keys (key_name, api_key, created_at) VALUES
            ('rotated', 'sk_prod_new', '2025-02-01Z'), ('rotated', 'sk_prod_old', '2025-01-01Z')
        """,
    )
    await adopt(empty_url)
    superseded = "SELECT superseded_at::date::text FROM service_api_keys ORDER BY created_at"
    assert await column(empty_url, superseded) == ["2025-02-01", None]
    async with talking_to(empty_url) as client:
        for key in ("sk_prod_new", "sk_prod_old"):
            answer = await client.get("/actions", headers={"X-Service-Key": key})
            assert answer.status_code == 200


async def test_a_time_without_a_zone_is_utc(empty_url: str) -> None:
    [name] = await column(empty_url, "SELECT current_database()")
    await run(empty_url, f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    await run(empty_url, original.SCHEMA.replace("TIMESTAMPTZ", "TIMESTAMP"), original.ROWS)
    await adopt(empty_url)
    db = await asyncpg.connect(empty_url)
    row = await db.fetchrow(
        "SELECT created_at, updated_at, completed_at, due_date FROM tasks WHERE id = $1",
        original.TASK,
    )
    await db.close()
    assert row is not None
    assert [instant.isoformat() for instant in row] == [
        "2025-11-12T10:30:15+00:00",
        "2025-11-13T08:00:00+00:00",
        "2025-11-13T08:00:00+00:00",
        "2025-11-20T10:00:00+00:00",
    ]


async def test_keys_without_tasks_are_adopted_too(empty_url: str) -> None:
    """The original made its tables one after the other."""
    await run(empty_url, original.SCHEMA, original.ALEMBIC, "DROP TABLE tasks")
    assert "adopted 0 of service_api_keys: " in await adopt(empty_url)


IN_THE_WAY = {
    "another column": (
        "ALTER TABLE tasks ADD COLUMN owner TEXT",
        "tasks is in the way: it has a column owner",
    ),
    "a missing column": ("ALTER TABLE tasks DROP COLUMN priority", "it has no column priority"),
    "another type": (
        "ALTER TABLE service_api_keys ALTER COLUMN id TYPE TEXT",
        "service_api_keys is in the way: its id is text",
    ),
    "another length": ("ALTER TABLE tasks ALTER COLUMN title TYPE VARCHAR(900)", "varying(900)"),
    "a table of our name": (
        "CREATE TABLE changes (id INT)",
        'relation "changes" already exists, and this service needs the name: rename it or move it',
    ),
    "a type of our name": (
        "CREATE TYPE accounts AS ENUM ()",
        'type "accounts" already exists, and this service needs the name: rename it',
    ),
    "a function of our name": (
        "CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'",
        'function "uuid_v7"',
    ),
    "a view": ("CREATE VIEW open AS SELECT * FROM tasks", "on view open is in the way"),
    "a foreign key": (
        "CREATE TABLE notes (task_id UUID REFERENCES tasks)",
        "constraint notes_task_id_fkey on table notes is in the way",
    ),
    "a trigger": (
        "CREATE TRIGGER audit BEFORE UPDATE ON tasks FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger audit on table tasks is in the way",
    ),
    "a policy": ("CREATE POLICY own ON tasks USING (true)", "policy own on table tasks"),
    "a status of its own": ("UPDATE tasks SET status = 'done'", "2 of tasks have a status other"),
    "a priority of its own": ("UPDATE tasks SET priority = 'vital'", "have a priority other than"),
    "a date of another age": (
        "UPDATE tasks SET due_date = '0202-01-01Z' WHERE title = 'Feed cat'",
        "1 of tasks have an instant outside the years 1900 to 9998, for example 550e8400",
    ),
    "no date at all": ("UPDATE tasks SET due_date = 'infinity'", "outside the years"),
    "nobody's task": (
        "ALTER TABLE tasks ALTER COLUMN user_id DROP NOT NULL; UPDATE tasks SET user_id = NULL",
        "2 of tasks have no user",
    ),
    "a schema of our name": (
        "CREATE SCHEMA task_manager_original",
        "schema task_manager_original is in the way: rename or remove it, then try again",
    ),
}


@pytest.mark.parametrize(("change", "said"), IN_THE_WAY.values(), ids=IN_THE_WAY)
async def test_whatever_is_in_the_way_is_named_and_nothing_is_changed(
    empty_url: str, change: str, said: str
) -> None:
    await run(empty_url, original.SCHEMA, original.ALEMBIC, original.ROWS, change)
    before = await everything(empty_url)
    with pytest.raises(Conflict) as refused:
        await adopt(empty_url)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert await everything(empty_url) == before


async def test_the_revision_of_another_application_is_refused(empty_url: str) -> None:
    await run(empty_url, original.ALEMBIC, "CREATE TABLE theirs (id INT)")
    before = await everything(empty_url)
    with pytest.raises(Conflict, match="alembic_version is at 3d76e0c7a711, which is not"):
        await adopt(empty_url)
    assert await everything(empty_url) == before


@pytest.mark.parametrize("lost", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
async def test_whoever_lost_the_revision_of_our_schema_is_told_to_write_it_again(
    database_url: str, lost: str
) -> None:
    await run(database_url, lost)
    before = await everything(database_url)
    with pytest.raises(Conflict, match="does not say of which revision: write it there again"):
        await adopt(database_url)
    assert await everything(database_url) == before


async def test_a_foreign_revision_may_have_the_name_of_ours(empty_url: str) -> None:
    await run(empty_url, original.SCHEMA, original.ALEMBIC.replace("3d76e0c7a711", NEEDED))
    with pytest.raises(Conflict, match="python -m app migrate"):
        await asyncio.to_thread(check, empty_url)
    assert "adopted" in await adopt(empty_url)


async def test_a_table_in_use_is_named(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.database.adoption._LOCK_TIMEOUT", "100ms")
    await run(empty_url, original.SCHEMA, original.ROWS)
    user = await asyncpg.connect(empty_url)
    transaction = user.transaction()
    await transaction.start()
    await user.execute("SELECT FROM tasks")
    with pytest.raises(Conflict, match="tasks is in use"):
        await adopt(empty_url)
    await transaction.rollback()
    await user.close()
