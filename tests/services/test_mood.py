"""What PostgreSQL finds out is what the plain words of tests/support/mood.py say."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from time import process_time
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings

from app.models.calendar import Preference, calendar
from app.services import Connection, mood
from app.services.mood import fetch_mood
from app.services.stats import count_tasks
from tests.conftest import Figure
from tests.models.test_calendar import HISTORIES
from tests.models.test_mood_rules import COMPLETIONS, TASKS
from tests.support.mood import NOW, Completion, OpenTask, ago, days_of, mood_of

_COMPLETE = """
INSERT INTO completions (user_id, task_id, completed_at, due_date, reopened_at)
VALUES ($1, $2, $3, $4, $5)
"""
_OPEN = "INSERT INTO tasks (user_id, title, created_at, due_date) VALUES ($1, 't', $2, $3)"
_PREFER = "INSERT INTO user_preferences VALUES ($1, $2, $3, $4)"


async def store(
    db: Connection, user: str, completions: list[Completion], tasks: list[OpenTask]
) -> None:
    await db.executemany(
        _COMPLETE,
        [(user, UUID(int=c.task), c.completed_at, c.due_date, c.reopened_at) for c in completions],
    )
    await db.executemany(_OPEN, [(user, *task) for task in tasks])


async def prefer(db: Connection, user: str, history: list[Preference]) -> None:
    for index, preference in enumerate(history):
        since = datetime.fromtimestamp(preference.since, UTC) if index else ago(9999)
        await db.execute(_PREFER, user, since, preference.time_zone, preference.day_start)


@given(completions=COMPLETIONS, tasks=TASKS, history=HISTORIES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_postgresql_finds_what_the_plain_words_say(
    db: Connection, completions: list[Completion], tasks: list[OpenTask], history: list[Preference]
) -> None:
    history = [one for one in history if one.since <= NOW.timestamp()]
    completions = list({(c.task, c.completed_at): c for c in completions}.values())
    async with db.transaction():
        for table in ("completions", "tasks", "user_preferences"):
            await db.execute(f"DELETE FROM {table}")
        await store(db, "user_123", completions, tasks)
        await prefer(db, "user_123", history)
        found = await fetch_mood(db, "user_123", None, NOW)
    assert found == mood_of(completions, tasks, days_of(*history))


async def test_nobody_sees_what_others_do(db: Connection) -> None:
    await store(db, "other", [Completion(ago(1))], [OpenTask(ago(9), ago(3))])
    assert await fetch_mood(db, "user_123", None, NOW) == mood_of()


@pytest.mark.parametrize("change", ["status = 'cancelled'", "deleted_at = now()"])
async def test_who_has_only_cancelled_or_deleted_tasks_is_new(db: Connection, change: str) -> None:
    await store(db, "user_123", [], [OpenTask(ago(9), ago(3))])
    await db.execute(f"UPDATE tasks SET {change}")
    assert await fetch_mood(db, "user_123", None, NOW) == mood_of()


async def test_what_was_done_outlives_its_task(db: Connection) -> None:
    await store(db, "user_123", [Completion(ago(1))], [])
    assert (await fetch_mood(db, "user_123", None, NOW)).streak.current == 1


class Counting:
    """A connection that counts what is fetched through it."""

    def __init__(self, db: Connection) -> None:
        self.db, self.statements = db, 0

    async def fetchrow(self, *arguments: Any) -> Any:
        self.statements += 1
        return await self.db.fetchrow(*arguments)


async def statements(db: Connection, user: str, zone: str | None = None) -> int:
    counting: Any = Counting(db)
    await fetch_mood(counting, user, zone, NOW)
    return int(counting.statements)


async def test_it_takes_one_statement_and_another_where_a_preference_is_news(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mood, "_known", {})
    assert await statements(db, "nobody", "Asia/Tokyo") == 1
    await prefer(db, "user_123", [Preference(0, "Europe/Berlin")])
    assert [await statements(db, "user_123") for _ in range(3)] == [2, 1, 1]
    await db.execute(_PREFER, "user_123", ago(1), "Asia/Tokyo", datetime.min.time())
    assert [await statements(db, "user_123") for _ in range(2)] == [2, 1]


async def test_what_is_remembered_of_preferences_is_bounded(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mood, "_known", {f"user {n}": () for n in range(10_000)})
    await prefer(db, "user_123", [Preference(0, "Europe/Berlin")])
    await fetch_mood(db, "user_123", None, NOW)
    assert list(mood._known) == ["user_123"]


_FILL = """
INSERT INTO tasks (user_id, title, status, due_date, created_at)
SELECT 'myriad', 't', (ARRAY['pending', 'in_progress', 'completed'])[1 + n % 3],
    now() + (n % 60 - 30) * interval '1 day', now() - n * interval '1 hour'
FROM generate_series(1, 10000) AS n
"""
_LIVE = """
INSERT INTO completions (user_id, task_id, completed_at, due_date)
SELECT user_id, id, now() - row_number() OVER () * interval '163 minutes', due_date FROM tasks

"""


async def _worker_ms(question: Any) -> float:
    """CPU of this process for one answer: the least of several rounds, free of the neighbours'."""
    rounds = []
    for _ in range(5):
        started = process_time()
        for _ in range(10):
            await question()
        rounds.append((process_time() - started) * 100)
    return min(rounds)


async def _database_ms(db: Connection, statement: str, *arguments: object) -> float:
    explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
    plans = [json.loads(await db.fetchval(explain, *arguments))[0] for _ in range(5)]
    return float(min(plan["Execution Time"] + plan["Planning Time"] for plan in plans))


@pytest.fixture
async def myriad(database_url: str) -> AsyncIterator[Connection]:
    """A database of the test's own, where a user has 10,000 tasks and completions in 3 years."""
    db: Connection = await asyncpg.connect(database_url)
    await db.execute(f"ALTER TABLE tasks DISABLE TRIGGER USER; {_FILL}; {_LIVE}")
    await db.execute("VACUUM ANALYZE")
    yield db
    await db.close()


async def test_ten_thousand_tasks_and_completions_cost_little(
    myriad: Connection, figure: Figure
) -> None:
    now, zone = datetime.now(UTC), "America/New_York"
    report = await fetch_mood(myriad, "myriad", zone, now)
    assert report.streak.current > 1000
    arguments = mood._arguments(calendar((Preference(time_zone=zone),), now.year + 1), now)
    in_database = await _database_ms(myriad, mood._FACTS, "myriad", *arguments)
    worker = await _worker_ms(lambda: fetch_mood(myriad, "myriad", zone, now))
    stats = await _worker_ms(lambda: count_tasks(myriad, "myriad"))
    figure(f"PostgreSQL {in_database:.1f} ms, worker {worker:.2f} ms, get-stats {stats:.2f} ms")
    assert in_database < 100
    assert worker < 10 * stats
