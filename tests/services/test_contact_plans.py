"""What the lists of contacts' tasks and calls cost among 100,000 tasks of other users."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from app.services import Connection, calls, contact_tasks, contacts
from tests.services.test_plans import nodes
from tests.support.databases import create_clone

LIMIT = 500
_FILL = """
WITH users AS (
    INSERT INTO contacts (name, email, company, user_type, created_at)
    SELECT 'User ' || n, 'user@example.com', 'Company', 'client', now() - n * interval '1 minute'
    FROM generate_series(1, 2000) AS n
    RETURNING user_id, created_at
), planned AS (
    INSERT INTO calls (user_id, title, scheduled_for, duration_minutes, created_at)
    SELECT user_id, 'Call', now(), 30, created_at - n * interval '1 hour'
    FROM users, generate_series(1, 5) AS n
)
INSERT INTO tasks (user_id, title, created_at)
SELECT user_id, 'Task', created_at - n * interval '1 hour' FROM users, generate_series(1, 5) AS n
UNION ALL
SELECT 'user_' || n % 1000, 'Task', now() - n * interval '1 minute'
FROM generate_series(1, 100000) AS n
"""

_MIDDLE = """
SELECT created_at, id, user_id FROM {0} ORDER BY created_at DESC, id DESC OFFSET 999 LIMIT 1
"""

STATEMENTS = {
    "contacts": (contacts._LIST, "contacts", "'{0}', '{1}', 500"),
    "calls": (calls._LIST, "calls", "NULL, '{0}', '{1}', 500"),
    "calls with one contact": (calls._LIST_OF, "calls", "NULL, '{0}', '{1}', 500, '{2}'"),
    "tasks": (contact_tasks._LIST, "tasks", "NULL, '{0}', '{1}', 500"),
    "tasks of one contact": (contact_tasks._LIST_OF, "tasks", "NULL, '{0}', '{1}', 500, '{2}'"),
}


@pytest.fixture(scope="module")
def filled_url(server_url: str, template: str) -> Iterator[str]:
    with create_clone(server_url, template) as url:
        yield url


@pytest.fixture(scope="module")
async def filled(filled_url: str) -> AsyncIterator[Connection]:
    db: Connection = await asyncpg.connect(filled_url)
    await db.execute(_FILL)
    await db.execute("VACUUM ANALYZE")
    yield db
    await db.close()


def rows_read(plan: dict[str, Any], table: str) -> float:
    return float(
        sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            for node in nodes(plan)
            if node.get("Relation Name") == table
        )
    )


@pytest.mark.parametrize(
    ("statement", "table", "arguments"), STATEMENTS.values(), ids=STATEMENTS.keys()
)
async def test_a_page_far_down_reads_little_more_than_itself(
    filled: Connection, statement: str, table: str, arguments: str
) -> None:
    created_at, entry_id, user_id = await filled.fetchrow(_MIDDLE.format(table))  # type: ignore[misc]
    given = arguments.format(created_at, entry_id, user_id)
    async with filled.transaction():
        await filled.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await filled.execute(f"PREPARE planned AS {statement}")
        explained = await filled.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE planned({given})"
        )
        await filled.execute("DEALLOCATE planned")
    plan = json.loads(explained)[0]["Plan"]
    assert "Seq Scan" not in {
        node["Node Type"] for node in nodes(plan) if node.get("Relation Name") == table
    }
    assert 0 < rows_read(plan, table) <= LIMIT
