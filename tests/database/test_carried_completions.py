"""What was completed before completions were kept."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from alembic import command
from app.database.migrations import alembic_config
from tests.support.databases import create_clone


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    with create_clone(server_url, "template0") as url:
        yield url


_INSERT = """
INSERT INTO tasks (user_id, title, status, completed_at, due_date)
SELECT 'user_' || n % 3, 'Task', CASE WHEN n % 2 = 0 THEN 'completed' ELSE 'pending' END,
    CASE WHEN n % 2 = 0 THEN now() - n * interval '1 hour' END, now() FROM generate_series(1, 60) n
"""
_MISSING = """
SELECT count(*) FROM tasks FULL JOIN completions USING (user_id, completed_at)
WHERE (id IS NULL OR task_id IS NULL OR completions.due_date <> tasks.due_date)
    AND status IS DISTINCT FROM 'pending'
"""
# As the code before the migration completes and reopens.
_AS_BEFORE = """
UPDATE tasks SET updated_at = now(),
    status = CASE WHEN status = 'completed' THEN 'pending' ELSE 'completed' END,
    completed_at = CASE WHEN status = 'completed' THEN NULL ELSE now() END
"""


async def test_completions_are_carried_over_and_the_code_before_goes_on(empty_url: str) -> None:
    await asyncio.to_thread(command.upgrade, alembic_config(empty_url), "0010")
    db = await asyncpg.connect(empty_url)
    await db.execute(_INSERT)
    await asyncio.to_thread(command.upgrade, alembic_config(empty_url), "head")
    assert await db.fetchval("SELECT count(*) FROM completions") == 30
    assert await db.fetchval(_MISSING) == 0
    await db.execute(_AS_BEFORE)
    standing = "SELECT count(*) FROM completions WHERE reopened_at IS {} NULL"
    assert await db.fetchval(standing.format("NOT")) == 30
    assert await db.fetchval(standing.format("")) == 30
    await db.close()
