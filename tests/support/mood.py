"""What PostgreSQL finds out about tasks and completions, said once more in the plainest words."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from typing import NamedTuple

from app.models.calendar import Calendar, Preference, calendar
from app.models.mood import MoodReport
from app.models.mood_rules import Facts, report
from app.models.streak import Run

NOW = datetime(2026, 11, 25, 18, tzinfo=UTC)


class Completion(NamedTuple):
    """A transition to completed, of the task with this number."""

    completed_at: datetime
    task: int = 0
    due_date: datetime | None = None
    reopened_at: datetime | None = None


class OpenTask(NamedTuple):
    """A task that is to be done."""

    created_at: datetime
    due_date: datetime | None = None


def preference(zone: str, day_start: str = "00:00", since: datetime | None = None) -> Preference:
    start = datetime.strptime(day_start, "%H:%M").time()  # noqa: DTZ007 - a wall time
    return Preference(-inf if since is None else since.timestamp(), zone, start)


def days_of(*preferences: Preference) -> Calendar:
    return calendar(preferences, 2030)


UTC_DAYS = days_of()


def mood_of(
    completions: Iterable[Completion] = (),
    tasks: Iterable[OpenTask] = (),
    days: Calendar = UTC_DAYS,
    now: datetime = NOW,
) -> MoodReport:
    """The mood that follows from what was completed when and what is still to be done."""
    return report(facts(list(completions), list(tasks), days, now), days, now)


def facts(
    completions: list[Completion], tasks: list[OpenTask], days: Calendar, now: datetime
) -> Facts:
    counted = [done for done in completions if _counts(done, days)]
    by_day: dict[int, dict[int, list[Completion]]] = {}
    for done in counted:
        by_day.setdefault(_day(done.completed_at, days), {}).setdefault(done.task, []).append(done)
    today = days.today(now.timestamp())
    week = {day: done for day, done in by_day.items() if today - 7 < day <= today}
    in_time = [
        [done.completed_at <= done.due_date for done in of_task if done.due_date is not None]
        for of_day in week.values()
        for of_task in of_day.values()
    ]
    dues = [task.due_date for task in tasks if task.due_date is not None]
    starts, ends = (datetime.fromtimestamp(days.start_of(day), UTC) for day in (today, today + 1))
    return Facts(
        runs=_runs(sorted(by_day)),
        week={day: len(done) for day, done in week.items()},
        dated=sum(bool(of_task) for of_task in in_time),
        on_time=sum(any(of_task) for of_task in in_time),
        last_completion=max((done.completed_at for done in counted), default=None),
        oldest_task=min((task.created_at for task in tasks), default=None),
        due_today=sum(starts <= due < ends for due in dues),
        overdue=sum(due <= now for due in dues),
        oldest_overdue=min((due for due in dues if due <= now), default=None),
        next_due=min((due for due in dues if due > now), default=None),
    )


def _day(instant: datetime, days: Calendar) -> int:
    return days.day_of(instant.timestamp())


def _counts(done: Completion, days: Calendar) -> bool:
    if done.reopened_at is None:
        return True
    return _day(done.reopened_at, days) > _day(done.completed_at, days)


def _runs(days: list[int]) -> list[Run]:
    starts = days[:1] + [after for before, after in pairwise(days) if after > before + 1]
    ends = [before for before, after in pairwise(days) if after > before + 1] + days[-1:]
    return list(zip(starts, ends, strict=True))


def ago(days: float = 0, *, hours: float = 0) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(days, hours=hours)
