from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.calendar import Calendar
from app.models.mood import MoodReport
from app.models.mood_rules import Signs, mood
from tests.support.mood import NOW, Completion, OpenTask, ago, days_of, mood_of, preference

ORDER = ["base", "new_user", "done_today", "on_time_week", "streak", "overdue"]
ORDER += ["oldest_overdue", "silence", "clamp"]
LABELS = {85: "ecstatic", 70: "happy", 50: "content", 35: "bored", 20: "worried", 0: "sad"}

AGES = st.floats(0, 40).map(ago)
INSTANTS = st.floats(-20, 40).map(ago)
DAYS = st.sampled_from(
    [
        days_of(),
        days_of(preference("Europe/Berlin", "04:00")),
        days_of(preference("Asia/Tokyo"), preference("Pacific/Honolulu", since=ago(6))),
    ]
)


@st.composite
def completion(draw: st.DrawFn) -> Completion:
    at = draw(AGES)
    reopened = draw(st.none() | st.floats(0, 30).map(lambda days: at + timedelta(days)))
    due = draw(st.none() | INSTANTS)
    return Completion(at, draw(st.integers(0, 5)), due, reopened)


COMPLETIONS = st.lists(completion(), max_size=15)
TASKS = st.lists(st.builds(OpenTask, AGES, st.none() | INSTANTS), max_size=8)
properties = settings(max_examples=30, deadline=None)


def timeless(report: MoodReport) -> dict[str, object]:
    return report.model_dump(exclude={"computed_at"})


@given(completions=COMPLETIONS, tasks=TASKS, days=DAYS)
@properties
def test_the_reasons_add_up_in_their_order_and_the_label_fits(
    completions: list[Completion], tasks: list[OpenTask], days: Calendar
) -> None:
    shown = mood_of(completions, tasks, days).mood
    codes = [reason.code for reason in shown.reasons]
    assert sum(reason.points for reason in shown.reasons) == shown.score
    assert codes == sorted(codes, key=ORDER.index)
    assert codes[0] == "base"
    assert [r.code for r in shown.reasons if not r.points] in ([], ["new_user"])
    assert shown.label == next(label for least, label in LABELS.items() if shown.score >= least)


@given(completions=COMPLETIONS, tasks=TASKS, days=DAYS, seed=st.integers(0, 999))
@properties
def test_the_order_of_requests_does_not_matter(
    completions: list[Completion], tasks: list[OpenTask], days: Calendar, seed: int
) -> None:
    shuffled = Random(seed).sample(completions, len(completions))
    again = mood_of(shuffled, tasks[::-1], days)
    assert again == mood_of(completions, tasks, days)


@given(completions=COMPLETIONS, tasks=TASKS, days=DAYS, due=st.floats(0, 30))
@properties
def test_completing_a_task_in_time_never_lowers_the_score(
    completions: list[Completion], tasks: list[OpenTask], days: Calendar, due: float
) -> None:
    task = OpenTask(ago(1), NOW + timedelta(due))
    before = mood_of(completions, [*tasks, task], days)
    after = mood_of([*completions, Completion(NOW, 99, task.due_date)], tasks, days)
    assert after.mood.score >= before.mood.score
    assert after.streak.current >= before.streak.current


@given(completions=COMPLETIONS, days=DAYS, later=st.floats(0.1, 9), which=st.integers(0, 14))
@properties
def test_reopening_on_a_later_day_breaks_no_row(
    completions: list[Completion], days: Calendar, later: float, which: int
) -> None:
    lived = [done._replace(reopened_at=None) for done in completions]
    reopened = [
        done._replace(reopened_at=_next_day(done.completed_at, days) + timedelta(later))
        if index == which
        else done
        for index, done in enumerate(lived)
    ]
    assert mood_of(reopened, days=days) == mood_of(lived, days=days)


def _next_day(at: datetime, days: Calendar) -> datetime:
    day = days.day_of(at.timestamp())
    while days.day_of(at.timestamp()) <= day:
        at += timedelta(hours=1)
    return at


@given(completions=COMPLETIONS, days=DAYS)
@properties
def test_what_is_taken_back_within_its_day_never_was(
    completions: list[Completion], days: Calendar
) -> None:
    taken_back = [done._replace(reopened_at=done.completed_at) for done in completions]
    assert mood_of(taken_back, days=days) == mood_of(days=days)


@given(completions=COMPLETIONS, tasks=TASKS, days=DAYS, share=st.floats(0, 1))
@properties
def test_nothing_changes_before_valid_until(
    completions: list[Completion], tasks: list[OpenTask], days: Calendar, share: float
) -> None:
    now = mood_of(completions, tasks, days)
    assert now.valid_until > NOW
    last = now.valid_until - timedelta(microseconds=1)
    later = mood_of(completions, tasks, days, NOW + share * (last - NOW))
    assert timeless(later) == timeless(now)


def points(report: MoodReport) -> dict[str, int]:
    return {reason.code: reason.points for reason in report.mood.reasons}


def test_a_new_user_is_content() -> None:
    report = mood_of()
    assert points(report) == {"base": 50, "new_user": 0}
    assert (report.mood.score, report.mood.label, report.next_due) == (50, "content", None)
    assert [day.completed for day in report.week] == [0] * 7


def test_a_task_counts_once_a_day_and_again_on_another() -> None:
    twice_today = [Completion(ago(hours=1)), Completion(ago(hours=2), reopened_at=ago(hours=1.5))]
    report = mood_of([*twice_today, Completion(ago(1), reopened_at=ago(hours=3))])
    assert [day.completed for day in report.week[-2:]] == [1, 1]
    assert report.today.completed == 1


def test_in_time_is_by_the_due_date_that_the_task_had_at_its_completion() -> None:
    at = ago(2)
    in_time, late = Completion(at, 1, at), Completion(at, 2, at - timedelta(microseconds=1))
    assert points(mood_of([in_time]))["on_time_week"] == 10
    assert "on_time_week" not in points(mood_of([late]))
    assert points(mood_of([in_time, late, Completion(at, 3)]))["on_time_week"] == 5


def test_silence_is_counted_from_the_last_completion_else_from_the_oldest_task() -> None:
    assert "silence" not in points(mood_of([Completion(ago(2.99))]))
    assert points(mood_of([Completion(ago(3))]))["silence"] == -3
    assert points(mood_of(tasks=[OpenTask(ago(5)), OpenTask(ago(1))]))["silence"] == -9
    assert points(mood_of([Completion(ago(30))], [OpenTask(ago(90))]))["silence"] == -21


def test_due_today_is_open_and_of_the_users_own_day() -> None:
    days = days_of(preference("Asia/Tokyo"))  # where it is 03:00 on the 26th
    dues = [ago(hours=3.1), ago(hours=2.9), ago(hours=-20.9), ago(hours=-21)]
    report = mood_of(tasks=[OpenTask(ago(0), due) for due in dues], days=days)
    assert (report.today.due, report.today.overdue) == (2, 2)
    assert report.today.date.isoformat() == "2026-11-26"
    assert report.next_due == dues[2]


@pytest.mark.parametrize(("on_time", "dated", "expected"), [(1, 4, 3), (1, 8, 1), (3, 20, 2)])
def test_shares_round_half_up(on_time: int, dated: int, expected: int) -> None:
    reasons = {r.code: r.points for r in mood(Signs(dated=dated, on_time=on_time)).reasons}
    assert reasons["on_time_week"] == expected


def test_the_worst_is_clamped_and_says_so() -> None:
    worst = mood(Signs(overdue=99, oldest_overdue=99, silence=99))
    assert (worst.score, worst.label) == (0, "sad")
    assert [(r.code, r.points) for r in worst.reasons][-1] == ("clamp", 15)
