"""Rows of days as people know them from other systems, with what those get wrong."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.calendar import Preference, date_of
from app.models.mood import MoodReport
from tests.models.test_calendar import HISTORIES, STARTS, ZONES
from tests.support.mood import NOW, Completion, ago, days_of, mood_of, preference


def done_on(days_ago: Iterable[int]) -> list[Completion]:
    return [Completion(ago(days), days) for days in days_ago]


def figures(report: MoodReport) -> tuple[int, int, int]:
    """Current, longest, freezes left."""
    shown = report.streak
    return shown.current, shown.longest, shown.freezes_left


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [
        ([], (0, 0, 0)),
        ([0], (1, 1, 0)),
        ([1], (1, 1, 0)),
        ([2], (0, 1, 0)),
        ([0, 1, 2], (3, 3, 0)),
        ([1, 2, 3], (3, 3, 0)),
        ([0, 2, 3], (1, 2, 0)),
        # A week earns a freeze, which bridges one missed day: also one that is just over.
        (range(7), (7, 7, 1)),
        (range(1, 8), (7, 7, 1)),
        (range(2, 9), (7, 7, 0)),
        (range(3, 10), (0, 7, 0)),
        ([0, *range(2, 9)], (8, 8, 0)),
        ([0, *range(3, 10)], (1, 7, 0)),
        # Two are kept at most; each bridges one day.
        (range(30), (30, 30, 2)),
        ([0, 2, *range(4, 25)], (23, 23, 0)),
        ([0, 2, 4, *range(6, 27)], (1, 23, 0)),
        # The bridged day counts in nothing, so the next freeze is earned on the 14th counted.
        ([*range(6), *range(7, 14)], (13, 13, 0)),
        ([*range(7), *range(8, 15)], (14, 14, 1)),
        # The freezes of a row end with it.
        ([0, *range(3, 24)], (1, 21, 0)),
    ],
)
def test_rows_and_freezes(days_ago: Iterable[int], expected: tuple[int, int, int]) -> None:
    assert figures(mood_of(done_on(days_ago))) == expected


def test_the_last_day_of_a_broken_row_is_told() -> None:
    shown = mood_of(done_on([5, 6])).streak
    assert (shown.current, shown.last_day) == (0, ago(5).date())
    assert mood_of().streak.last_day is None


@pytest.mark.parametrize(("days_ago", "is_at_risk"), [([1], True), ([0, 1], False), ([4], False)])
def test_a_row_is_at_risk_until_the_day_ends_that_has_none(
    days_ago: list[int], is_at_risk: bool
) -> None:
    shown = mood_of(done_on(days_ago), days=days_of(preference("Europe/Berlin", "04:00"))).streak
    expected = datetime(2026, 11, 26, 3, tzinfo=UTC) if is_at_risk else None
    assert shown.at_risk_until == expected


@given(zone=ZONES, day_start=STARTS, year=st.integers(2020, 2026), data=st.data())
@settings(max_examples=12, deadline=None)
def test_both_changes_of_daylight_saving_keep_every_day(
    zone: str, day_start: str, year: int, data: st.DataObject
) -> None:
    """Once on each day of a year, at any moment of it."""
    days = days_of(preference(zone, day_start))
    first = days.day_of(datetime(year, 1, 1, 12, tzinfo=UTC).timestamp())
    moment = data.draw(st.floats(0, 0.999))
    completions, numbers = [], []
    for number in range(first, first + 365):
        start, end = days.start_of(number), days.start_of(number + 1)
        if start < end:
            numbers.append(number)
            at = datetime.fromtimestamp(start + moment * (end - start), UTC)
            completions.append(Completion(at, number))
    report = mood_of(completions, days=days, now=completions[-1].completed_at)
    assert figures(report) == (len(numbers), len(numbers), 2)
    assert report.streak.last_day == date_of(numbers[-1])


@given(history=HISTORIES)
@settings(max_examples=15, deadline=None)
def test_no_journey_loses_a_day(history: list[Preference]) -> None:
    """Something is done every hour, when a zone or day start changes, and just before."""
    changes = [NOW - timedelta(10 * later) for later in range(len(history))][::-1]
    days = days_of(
        history[0],
        *(
            preference._replace(since=at.timestamp())
            for preference, at in zip(history[1:], changes[1:], strict=True)
        ),
    )
    instants = [ago(hours=hour) for hour in range(60 * 24)]
    instants += [at - timedelta(microseconds=1) for at in changes]
    lived = {days.day_of(at.timestamp()) for at in instants}
    report = mood_of([Completion(at, number) for number, at in enumerate(instants)], days=days)
    assert report.streak.current == report.streak.longest == len(lived)


def test_a_journey_around_the_world_keeps_every_day() -> None:
    """East across the date line and home again, a task each noon of the place."""
    stops = ["Europe/Berlin", "Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Honolulu"]
    stops += ["America/New_York", "Europe/Berlin"]
    start = datetime(2026, 10, 1, tzinfo=UTC)
    flights = [start + timedelta(days=4 * leg, hours=1) for leg in range(len(stops))]
    stays = [preference(stops[0])]
    stays += [preference(z, since=at) for z, at in zip(stops[1:], flights[1:], strict=True)]
    days = days_of(*stays)
    hours = [start + timedelta(hours=hour) for hour in range(24 * 4 * len(stops))]
    first_of_day = {days.day_of(at.timestamp()): at for at in reversed(hours)}
    report = mood_of(map(Completion, first_of_day.values()), days=days, now=hours[-1])
    assert report.streak.current == len(first_of_day)
    assert report.streak.freezes_left == 2
