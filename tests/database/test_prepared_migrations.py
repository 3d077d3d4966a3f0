"""What a migration of large tables does beforehand, while everybody reads and writes."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import asyncpg
import pytest

from alembic import command
from app.database.migrations import alembic_config, upgrade
from app.database.schema import NEEDED
from app.models.call import CallFields
from app.models.contact import ContactFields
from app.services import Connection, calls, contacts
from tests.support.databases import create_clone

_BEFORE = "0016"
CALL = CallFields(title="Onboarding", scheduled_for=datetime(2026, 12, 20, tzinfo=UTC))
_FILL = """
WITH made AS (
    INSERT INTO tasks (user_id, title) SELECT 'ann', 'Task' FROM generate_series(1, 100)
    RETURNING id, user_id
), category AS (
    INSERT INTO categories (user_id, name, color) VALUES ('ann', 'Litter', '#000000') RETURNING id
)
INSERT INTO task_categories (user_id, task_id, category_id)
SELECT made.user_id, made.id, category.id FROM made, category
"""
# As the version before writes.
_WRITE_AS_BEFORE = """
WITH contact AS (
    INSERT INTO contacts (name, email, company, user_type)
    VALUES ('María', 'maria@example.com', 'Azollon', 'client') RETURNING id, user_id
)
INSERT INTO calls (user_id, title, scheduled_for, duration_minutes)
SELECT user_id, 'Onboarding', now(), 30 FROM contact RETURNING user_id
"""


@pytest.fixture
def filled_url(server_url: str) -> Iterator[str]:
    """A database of the version before, with a hundred tasks in a category."""
    with create_clone(server_url, "template0") as url:
        command.upgrade(alembic_config(url), _BEFORE)
        asyncio.run(_run(url, _FILL))
        yield url


async def _run(url: str, statement: str) -> None:
    db = await asyncpg.connect(url)
    await db.execute(statement)
    await db.close()


async def test_indexes_are_built_while_somebody_writes(filled_url: str) -> None:
    writer = await asyncpg.connect(filled_url)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("INSERT INTO tasks (user_id, title) VALUES ('ann', 'Task')")
    other = await asyncpg.connect(filled_url)
    upgrading = asyncio.create_task(asyncio.to_thread(upgrade, filled_url))
    await _until(other, "SELECT count(*) FROM pg_stat_progress_create_index")
    async with asyncio.timeout(2):
        await other.execute("UPDATE tasks SET title = 'Other' WHERE title = 'Task'")
    await writing.commit()
    assert (await upgrading).endswith(NEEDED)
    assert await other.fetchval(_WRITE_AS_BEFORE) is not None
    await other.close()
    await writer.close()


async def _until(db: Connection, question: str) -> None:
    async with asyncio.timeout(10):
        while not await db.fetchval(question):
            await asyncio.sleep(0.02)


async def test_what_was_broken_off_begins_again(filled_url: str) -> None:
    reader = await asyncpg.connect(filled_url)
    reading = reader.transaction(isolation="repeatable_read")
    await reading.start()
    await reader.fetchval("SELECT count(*) FROM tasks")
    builder = await asyncpg.connect(filled_url)
    await builder.execute("SET statement_timeout = '200ms'")
    with pytest.raises(asyncpg.QueryCanceledError):
        await builder.execute("CREATE UNIQUE INDEX CONCURRENTLY tasks_key ON tasks (id, user_id)")
    await reading.rollback()
    await asyncio.to_thread(upgrade, filled_url)
    assert await builder.fetchval("SELECT bool_and(indisvalid) FROM pg_index")
    await builder.close()
    await reader.close()


async def test_contacts_survive_the_way_back_and_are_written_as_before(filled_url: str) -> None:
    await asyncio.to_thread(upgrade, filled_url)
    db = await asyncpg.connect(filled_url)
    ada = ContactFields(name="Ada", email="ada@example.com", company="Azollon")
    contact = await contacts.insert_contact(db, ada)
    await calls.insert_call(db, contact.id, None, CALL)
    assert contact.id.version == 7
    await asyncio.to_thread(command.downgrade, alembic_config(filled_url), _BEFORE)
    assert await db.fetchval("SELECT user_id FROM contacts") == str(contact.id)
    assert await db.fetchval(_WRITE_AS_BEFORE) is not None
    assert await db.fetchval("SELECT count(*) FROM calls JOIN contacts USING (user_id)") == 2
    await db.close()


async def test_two_upgrades_of_a_filled_database_take_turns(filled_url: str) -> None:
    said = await asyncio.gather(*(asyncio.to_thread(upgrade, filled_url) for _ in range(2)))
    assert sum(one.startswith(_BEFORE) for one in said) == 1
    assert all(one == "up to date" or one.endswith(NEEDED) for one in said)
