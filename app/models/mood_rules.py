"""Why the cat looks like that: what is known of a user's tasks in, the mood out, nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.models.calendar import Calendar, date_of
from app.models.mood import Label, Mood, MoodReport, ReasonCode
from app.models.streak import Run, streak

WEEK = 7
_BASE = 50
_LABELS: dict[int, Label] = {
    85: "ecstatic",
    70: "happy",
    50: "content",
    35: "bored",
    20: "worried",
    0: "sad",
}
"""Each with the lowest score that it is for."""
_PATIENCE = 2  # whole days without a completion that nobody minds

_Reason = tuple[ReasonCode, int, str]


class Facts(NamedTuple):
    """What is known of one user's tasks and completions at an instant.

    `runs` has all days with a completion. `week` has the tasks done on each of the last seven days
    that has any; of them `dated` had a due date, and `on_time` were done by it.
    """

    runs: Iterable[Run] = ()
    week: Mapping[int, int] = {}
    dated: int = 0
    on_time: int = 0
    last_completion: datetime | None = None
    oldest_task: datetime | None = None
    due_today: int = 0
    overdue: int = 0
    oldest_overdue: datetime | None = None
    next_due: datetime | None = None


class Signs(NamedTuple):
    """What the points are given for. Ages are in whole days of 24 hours."""

    done_today: int = 0
    dated: int = 0
    on_time: int = 0
    streak: int = 0
    overdue: int = 0
    oldest_overdue: int = 0
    silence: int | None = 0  # since the last completion, else the oldest task; None: neither


def report(facts: Facts, calendar: Calendar, now: datetime) -> MoodReport:
    """The mood at an instant, with what it rests on."""
    today = calendar.today(now.timestamp())
    ends = datetime.fromtimestamp(calendar.start_of(today + 1), UTC)
    row, done = streak(facts.runs, calendar, today), facts.week.get(today, 0)
    return MoodReport.model_validate(
        {
            "mood": mood(_signs(facts, done, row.current, now)),
            "streak": {
                "current": row.current,
                "longest": row.longest,
                "last_day": None if row.last_day is None else date_of(row.last_day),
                "at_risk_until": ends if row.current and not done else None,
                "freezes_left": row.freezes,
            },
            "today": {
                "date": date_of(today),
                "completed": done,
                "due": facts.due_today,
                "overdue": facts.overdue,
            },
            "week": [
                {"date": date_of(day), "completed": facts.week.get(day, 0)}
                for day in range(today - WEEK + 1, today + 1)
            ],
            "next_due": facts.next_due,
            "computed_at": now,
            "valid_until": min(_changes(facts, ends, now)),
        }
    )


def mood(signs: Signs) -> Mood:
    """The score, its label, and the reasons, which add up to it."""
    reasons: list[_Reason] = [("base", _BASE, "Every mood begins here"), *_reasons(signs)]
    raw = sum(points for _, points, _ in reasons)
    score = min(max(raw, 0), 100)
    if score != raw:
        reasons.append(("clamp", score - raw, "No mood is below 0 or above 100"))
    label = next(label for least, label in _LABELS.items() if score >= least)
    shown = [{"code": code, "points": points, "text": text} for code, points, text in reasons]
    return Mood.model_validate({"score": score, "label": label, "reasons": shown})


def _reasons(signs: Signs) -> Iterator[_Reason]:
    if signs.silence is None:
        yield "new_user", 0, "Nothing to do yet, and nothing done"
    else:
        yield from (reason for reason in _weighed(signs, signs.silence) if reason[1])


def _weighed(signs: Signs, silence: int) -> Iterator[_Reason]:
    done, dated, row, overdue = signs.done_today, signs.dated, signs.streak, signs.overdue
    yield "done_today", min(6 * done, 18), f"{_count(done, 'task')} done today"
    # Ten times the share, rounded half up, in whole numbers.
    on_time = (20 * signs.on_time + dated) // (2 * dated) if dated else 0
    text = f"{signs.on_time} of {_count(dated, 'task')} with a due date done in time this week"
    yield "on_time_week", on_time, text
    yield "streak", min(2 * row, 20), f"{_count(row, 'day')} in a row"
    yield "overdue", -min(5 * overdue, 30), f"{_count(overdue, 'task')} overdue"
    age = signs.oldest_overdue
    text = f"The oldest overdue task has waited for {_count(age, 'day')}"
    yield "oldest_overdue", -min(2 * age, 14), text
    beyond = max(silence - _PATIENCE, 0)
    yield "silence", -min(3 * beyond, 21), f"Nothing done for {_count(silence, 'day')}"


def _signs(facts: Facts, done_today: int, row: int, now: datetime) -> Signs:
    since = facts.last_completion or facts.oldest_task
    return Signs(
        done_today,
        facts.dated,
        facts.on_time,
        row,
        facts.overdue,
        0 if facts.oldest_overdue is None else _whole_days(facts.oldest_overdue, now),
        None if since is None else _whole_days(since, now),
    )


def _changes(facts: Facts, ends: datetime, now: datetime) -> Iterator[datetime]:
    """The instants at which the answer changes without a write: today's end, or earlier."""
    yield ends
    if facts.next_due is not None:
        yield facts.next_due
    if facts.oldest_overdue is not None:
        yield facts.oldest_overdue + timedelta(_whole_days(facts.oldest_overdue, now) + 1)
    since = facts.last_completion or facts.oldest_task
    if since is not None:
        yield since + timedelta(max(_whole_days(since, now), _PATIENCE) + 1)


def _whole_days(since: datetime, now: datetime) -> int:
    return max(0, (now - since) // timedelta(1))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
