"""What list-tasks and get-stats cost on 100,000 tasks of 1,000 users."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import uuid4

import asyncpg
import pytest

from app.models.calendar import calendar
from app.models.task_list import TaskSort
from app.services import Connection, mood, stats
from app.services.task_lists import page_statement
from tests.conftest import MISSING_ID
from tests.support.databases import clone_statement, named

_FILL = """
INSERT INTO tasks (user_id, title, status, priority, created_at, due_date)
SELECT 'user_' || n % 1000, 'Task ' || n,
    (ARRAY['pending', 'in_progress', 'completed', 'cancelled'])[1 + n / 1000 % 4],
    (ARRAY['low', 'medium', 'high', NULL])[1 + n / 4000 % 4],
    now() - n * interval '1 minute', now() + (n % 60 - 30) * interval '1 day'
FROM generate_series(1, 100000) AS n
"""

USER, SIZE = "user_7", 100
MONTH_AGO = datetime.now(UTC) - timedelta(days=35)
FILTERS = {
    "status": "pending",
    "priority": "low",
    "tags": ["home"],
    "due_from": MONTH_AGO,
    "due_to": datetime.now(UTC),
    "search": "%task%",
}
POSITIONS: dict[str, Any] = {"priority": 2, "title": "task 5"}
MOOD_ARGUMENTS = mood._arguments(calendar((), 2030), datetime.now(UTC))
STATEMENTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "list of nobody": (page_statement(), ("nobody", SIZE)),
    "stats": (stats._COUNT, (USER,)),
    "stats of nobody": (stats._COUNT, ("nobody",)),
    "mood": (mood._FACTS, (USER, *MOOD_ARGUMENTS)),
    "mood of nobody": (mood._FACTS, ("nobody", *MOOD_ARGUMENTS)),
    "total": (page_statement(with_total=True), (USER, 0)),
    **{
        f"list by {', '.join(names) or 'nothing'}": (
            page_statement(names),
            (USER, SIZE, *(FILTERS[name] for name in names)),
        )
        for names in [(), *((name,) for name in FILTERS), tuple(FILTERS)]
    },
    **{
        f"list sorted by {sort}, next page": (
            page_statement(sort=sort, following=True),
            (USER, SIZE, POSITIONS.get(sort.strip("-"), MONTH_AGO), MISSING_ID),
        )
        for sort in get_args(TaskSort)
    },
    "list, page by number": (page_statement(skipping=True), (USER, SIZE, 20)),
}
each_statement = pytest.mark.parametrize(
    ("statement", "arguments"), STATEMENTS.values(), ids=STATEMENTS.keys()
)


@pytest.fixture(scope="module")
async def filled(server_url: str, template: str) -> AsyncIterator[Connection]:
    """A database of this file's own, because filling one takes a second or two."""
    name = f"plans_{uuid4().hex}"
    admin = await asyncpg.connect(server_url)
    await admin.execute(clone_statement(name, template))
    db: Connection = await asyncpg.connect(named(server_url, name))
    await db.execute(_FILL)
    await db.execute("VACUUM ANALYZE tasks")
    yield db
    await db.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def assert_reads_tasks_through_an_index(explained: str) -> None:
    plan = json.loads(explained)[0]["Plan"]
    on_tasks = [node for node in nodes(plan) if node.get("Relation Name") == "tasks"]
    assert on_tasks
    assert "Seq Scan" not in {node["Node Type"] for node in on_tasks}
    assert any("Index" in node["Node Type"] for node in nodes(plan))
    read = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in on_tasks
    )
    assert read <= 100


def _literal(value: object) -> str:
    return "'{home}'" if isinstance(value, list) else f"'{value}'"


@each_statement
async def test_plan_for_the_arguments_at_hand_uses_an_index(
    filled: Connection, statement: str, arguments: tuple[Any, ...]
) -> None:
    explained = await filled.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    assert_reads_tasks_through_an_index(explained)


@each_statement
async def test_generic_plan_uses_an_index(
    filled: Connection, statement: str, arguments: tuple[Any, ...]
) -> None:
    given = ", ".join(map(_literal, arguments))
    async with filled.transaction():
        await filled.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await filled.execute(f"PREPARE planned AS {statement}")
        explained = await filled.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE planned({given})"
        )
        await filled.execute("DEALLOCATE planned")
    assert "$1" in explained
    assert_reads_tasks_through_an_index(explained)


async def test_stats_are_counted_from_the_index_alone(filled: Connection) -> None:
    explained = await filled.fetchval(f"EXPLAIN (FORMAT JSON) {stats._COUNT}", "user_7")
    assert "Index Only Scan" in {
        node["Node Type"] for node in nodes(json.loads(explained)[0]["Plan"])
    }
