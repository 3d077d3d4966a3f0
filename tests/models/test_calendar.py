from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.calendar import DAY, Calendar, Preference, date_of
from app.models.time_zone import TIME_ZONES, time_zone
from tests.support.mood import days_of, preference

ZONES = st.sampled_from(sorted(TIME_ZONES))
STARTS = st.integers(0, 12 * 60).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
INSTANTS = st.datetimes(datetime(2000, 1, 2), datetime(2030, 12, 30)).map(  # noqa: DTZ001
    lambda wall: wall.replace(tzinfo=UTC)
)
HISTORIES = st.lists(
    st.builds(preference, ZONES, STARTS, INSTANTS), min_size=1, max_size=6, unique_by=lambda p: p[0]
).map(lambda preferences: [preferences[0]._replace(since=float("-inf")), *sorted(preferences[1:])])


def day(days: Calendar, instant: str) -> date:
    return date_of(days.day_of(datetime.fromisoformat(instant).timestamp()))


@given(zone=ZONES, day_start=STARTS, instant=INSTANTS)
@settings(max_examples=40, deadline=None)
def test_an_instant_lies_in_the_day_that_has_begun_last(
    zone: str, day_start: str, instant: datetime
) -> None:
    days, at = days_of(preference(zone, day_start)), instant.timestamp()
    today = days.day_of(at)
    assert days.start_of(today) <= at < days.start_of(today + 1)


@given(zone=ZONES, day_start=STARTS, instant=INSTANTS)
@settings(max_examples=40, deadline=None)
def test_a_day_begins_at_its_wall_time_where_there_is_one(
    zone: str, day_start: str, instant: datetime
) -> None:
    days = days_of(preference(zone, day_start))
    start = days.start_of(days.day_of(instant.timestamp()))
    wall = datetime.fromtimestamp(start, time_zone(zone))
    just_before = datetime.fromtimestamp(start - 0.001, time_zone(zone))
    is_skipped = wall.utcoffset() != just_before.utcoffset() and wall.strftime("%H:%M") != day_start
    assert wall.fold == 0
    assert is_skipped or wall.strftime("%H:%M") == day_start


@pytest.mark.parametrize(
    ("zone", "day_start", "day", "start"),
    [
        # 02:30 comes twice: it is the first.
        ("Europe/Berlin", "02:30", "2026-10-25", "2026-10-25T00:30:00Z"),
        ("America/New_York", "01:30", "2026-11-01", "2026-11-01T05:30:00Z"),
        # 02:30 is skipped: the clock shows 03:00 next.
        ("Europe/Berlin", "02:30", "2026-03-29", "2026-03-29T01:00:00Z"),
        # Midnight is skipped.
        ("Africa/Cairo", "00:00", "2026-04-24", "2026-04-23T22:00:00Z"),
        # The whole day was.
        ("Pacific/Apia", "00:00", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "00:00", "2011-12-31", "2011-12-30T10:00:00Z"),
    ],
)
def test_wall_times_that_come_twice_or_not_at_all(
    zone: str, day_start: str, day: str, start: str
) -> None:
    number = date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()
    begins = days_of(preference(zone, day_start)).start_of(number)
    assert datetime.fromtimestamp(begins, UTC) == datetime.fromisoformat(start)


def test_the_hour_that_comes_again_belongs_to_the_day_that_has_begun() -> None:
    days = days_of(preference("Europe/Berlin", "02:30"))
    assert day(days, "2026-10-25T02:29:00+02:00") == date(2026, 10, 24)
    assert day(days, "2026-10-25T02:31:00+02:00") == date(2026, 10, 25)
    assert day(days, "2026-10-25T02:10:00+01:00") == date(2026, 10, 25)
    assert day(days, "2026-10-26T02:29:00+01:00") == date(2026, 10, 25)


def test_a_day_is_lived_in_the_zone_of_its_moment() -> None:
    flight = datetime(2026, 11, 20, 12, tzinfo=UTC)
    days = days_of(preference("America/New_York"), preference("Asia/Tokyo", "04:00", since=flight))
    assert day(days, "2026-11-20T03:00:00Z") == date(2026, 11, 19)
    assert day(days, "2026-11-20T11:59:59Z") == date(2026, 11, 20)
    assert day(days, "2026-11-20T18:59:59Z") == date(2026, 11, 20)
    assert day(days, "2026-11-20T19:00:00Z") == date(2026, 11, 21)


@given(history=HISTORIES, instants=st.lists(INSTANTS, max_size=20))
@settings(max_examples=20, deadline=None)
def test_a_new_preference_moves_no_day_before_it(
    history: list[Preference], instants: list[datetime]
) -> None:
    *before, last = history
    if not before:
        return
    lived = [at.timestamp() for at in instants if at.timestamp() < last.since]
    old, new = days_of(*before), days_of(*history)
    assert [new.day_of(at) for at in lived] == [old.day_of(at) for at in lived]


@given(history=HISTORIES, instant=INSTANTS)
@settings(max_examples=20, deadline=None)
def test_the_arrays_say_what_the_calendar_says(
    history: list[Preference], instant: datetime
) -> None:
    days, at = days_of(*history), instant.timestamp()
    assert days.instants == sorted(days.instants)
    position = max(i for i, step in enumerate(days.instants) if step <= at)
    assert (at + days.shifts[position]) // DAY == days.day_of(at)


def test_a_date_that_a_journey_leaves_out_lies_between_no_days() -> None:
    landing = datetime(2026, 11, 10, 10, 30, tzinfo=UTC)
    across = days_of(preference("Pacific/Midway"), preference("Pacific/Kiritimati", since=landing))
    before = across.day_of((landing - timedelta(minutes=1)).timestamp())
    after = across.day_of(landing.timestamp())
    assert (date_of(before), date_of(after)) == (date(2026, 11, 9), date(2026, 11, 11))
    assert across.days_between(before, after) == 0
    assert days_of().days_between(before, after) == 1


def test_every_zone_that_iana_lists_is_known_and_no_other_name() -> None:
    assert len(TIME_ZONES) > 590
    assert {"Europe/Berlin", "US/Pacific", "EST5EDT", "CET", "Asia/Calcutta"} <= TIME_ZONES
    assert TIME_ZONES.isdisjoint({"posixrules", "localtime", "PST", "EST5EDT4", "europe/berlin"})
    assert {str(time_zone(name)) for name in TIME_ZONES} == TIME_ZONES
