"""What a mood rests on, in one statement.

PostgreSQL is told the calendar as arrays: from which instants on the days of the user are how far
from those of UTC. It needs no time zones of its own, which may be older than ours.
"""

from asyncio import to_thread
from datetime import UTC, datetime
from functools import lru_cache
from math import isinf

from asyncpg import Record

from app.models.calendar import DAY, Calendar, Preference, calendar
from app.models.mood import MoodReport
from app.models.mood_rules import WEEK, Facts, report
from app.services import Connection
from app.services.preferences import HISTORY, history

_EPOCH = "DATE '1970-01-01'"


def _day(instant: str) -> str:
    """The day in which an instant was lived."""
    shift = f"(SELECT shifts FROM calendar)[width_bucket({instant}, (SELECT steps FROM calendar))]"
    return f"({instant} AT TIME ZONE {shift})::date"


def _counted(columns: str, condition: str = "") -> str:
    """The completions that count: not those taken back within the day in which they were lived."""
    # OFFSET keeps PostgreSQL from working out the day wherever it is spoken of.
    return f"""
        SELECT {columns}, day FROM (
            SELECT {columns}, reopened_at, {_day("completed_at")} AS day
            FROM completions WHERE user_id = $1 {condition} OFFSET 0
        ) AS lived
        WHERE reopened_at IS NULL OR {_day("reopened_at")} > day
    """


# The first and the last of days that follow one another.
_RUNS = f"""
    SELECT array_agg(day) FILTER (WHERE before IS DISTINCT FROM day - 1) AS starts,
        array_agg(day) FILTER (WHERE after IS DISTINCT FROM day + 1) AS ends,
        max(last_completion) AS last_completion
    FROM (
        SELECT day, last_completion,
            lag(day) OVER (ORDER BY day) AS before, lead(day) OVER (ORDER BY day) AS after
        FROM (
            SELECT day - {_EPOCH} AS day, max(completed_at) AS last_completion
            FROM ({_counted("completed_at")}) AS counted GROUP BY day
        ) AS days
        ORDER BY day
    ) AS days
"""

# A task counts once a day, as done in time if it once was.
_THIS_WEEK = f"""
    SELECT array_agg(day) AS days, array_agg(done) AS done,
        coalesce(sum(dated), 0)::int AS dated, coalesce(sum(on_time), 0)::int AS on_time
    FROM (
        SELECT day - {_EPOCH} AS day, count(*)::int AS done,
            count(*) FILTER (WHERE dated) AS dated, count(*) FILTER (WHERE on_time) AS on_time
        FROM (
            SELECT day, bool_or(due_date IS NOT NULL) AS dated,
                bool_or(completed_at <= due_date) AS on_time
            FROM ({_counted("task_id, completed_at, due_date", "AND completed_at >= $5")})
                AS counted
            GROUP BY day, task_id
        ) AS tasks_done
        WHERE day - {_EPOCH} BETWEEN $4::int - {WEEK - 1} AND $4::int
        GROUP BY day
    ) AS days
"""

_OPEN = """
    SELECT count(*) FILTER (WHERE due_date >= $7 AND due_date < $8)::int AS due_today,
        count(*) FILTER (WHERE due_date <= $6)::int AS overdue,
        min(due_date) FILTER (WHERE due_date <= $6) AS oldest_overdue,
        min(due_date) FILTER (WHERE due_date > $6) AS next_due
    FROM tasks
    WHERE user_id = $1 AND status IN ('pending', 'in_progress') AND deleted_at IS NULL
"""

_OLDEST_TASK = """
    SELECT created_at FROM tasks
    WHERE user_id = $1 AND deleted_at IS NULL AND status <> 'cancelled'
    ORDER BY created_at LIMIT 1
"""

_FACTS = f"""
WITH calendar AS MATERIALIZED (
    SELECT $2::text::timestamptz[] AS steps, $3::text::interval[] AS shifts
)
SELECT starts, ends, last_completion, days, done, dated, on_time,
    due_today, overdue, oldest_overdue, next_due, since, time_zones, day_starts,
    CASE WHEN last_completion IS NULL THEN ({_OLDEST_TASK}) END AS oldest_task
FROM ({_RUNS}) AS all_days, ({_THIS_WEEK}) AS this_week, ({_OPEN}) AS open_tasks,
    ({HISTORY}) AS preferences
"""


async def fetch_mood(
    db: Connection, user_id: str, time_zone: str | None, now: datetime
) -> MoodReport:
    """The mood of a user, who lives in the zone unless they have a preference."""
    while True:
        preferences = _known.get(user_id, ())
        days = calendar(preferences or (Preference(time_zone=time_zone or "UTC"),), now.year + 1)
        row = await db.fetchrow(_FACTS, user_id, *_arguments(days, now))
        assert row is not None  # noqa: S101 - aggregates always return one row
        if (found := history(row)) == preferences:
            return report(_facts(row), days, now)
        _remember(user_id, found)
        # Zones that nobody has asked about yet take a while, and others are served meanwhile.
        await to_thread(calendar, found, now.year + 1)


# A guess that saves a statement: the statement itself says whether it was right.
_known: dict[str, tuple[Preference, ...]] = {}
_MOST_KNOWN = 10_000


def _remember(user_id: str, preferences: tuple[Preference, ...]) -> None:
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[user_id] = preferences


def _arguments(days: Calendar, now: datetime) -> tuple[object, ...]:
    seconds = now.timestamp()
    today = days.today(seconds)
    # No day begins or ends further than a day from its date in UTC.
    recent = (today - WEEK) * DAY
    starts, ends = (_instant(days.start_of(day)) for day in (today, today + 1))
    return *_arrays(days), today, _instant(recent), now, starts, ends


@lru_cache(1024)
def _arrays(days: Calendar) -> tuple[str, str]:
    """The calendar as PostgreSQL spells arrays: to encode lists each time would take longer."""
    steps = ["-infinity" if isinf(at) else _instant(at).isoformat() for at in days.instants]
    shifts = [f"{shift:.0f} seconds" for shift in days.shifts]
    return f"{{{','.join(steps)}}}", f"{{{','.join(shifts)}}}"


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _facts(row: Record) -> Facts:
    return Facts(
        runs=zip(row["starts"] or (), row["ends"] or (), strict=True),
        week=dict(zip(row["days"] or (), row["done"] or (), strict=True)),
        dated=row["dated"],
        on_time=row["on_time"],
        last_completion=row["last_completion"],
        oldest_task=row["oldest_task"],
        due_today=row["due_today"],
        overdue=row["overdue"],
        oldest_overdue=row["oldest_overdue"],
        next_due=row["next_due"],
    )
