"""In which day of its user's an instant was lived, whatever zones they have been in.

An instant is in seconds since 1970-01-01, a day is counted from then: PostgreSQL and Python do the
same arithmetic with them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise, takewhile
from math import ceil, floor, inf
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.models.time_zone import time_zone

DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY = date(2000, 1, 1).toordinal() - _EPOCH
"""Nobody has completed a task of ours before."""


class Preference(NamedTuple):
    """From when on a user's days begin at which wall time of which zone."""

    since: float = -inf
    time_zone: str = "UTC"
    day_start: time = time(0)


class _Step(NamedTuple):
    """From the instant on, an instant lies in the day of `instant + shift` seconds."""

    instant: float
    shift: float


class Calendar:
    """The days of one user, by preferences that followed one another; the first has no beginning.

    `instants` and `shifts` are the calendar as arrays: the day of an instant is the whole days of
    its sum with the shift that stands at the last of the instants that is not after it.
    """

    def __init__(self, preferences: tuple[Preference, ...], last_year: int) -> None:
        steps = list(_steps(preferences, last_year))
        self.instants = [step.instant for step in steps]
        self.shifts = [step.shift for step in steps]
        self._present = preferences[-1]
        self._left_out = list(_left_out(steps))

    def day_of(self, instant: float) -> int:
        """The day in which it was lived, by the preference of that moment."""
        shift = self.shifts[bisect_right(self.instants, instant) - 1]
        return floor((instant + shift) / DAY)

    def today(self, now: float) -> int:
        """The day that it is; the last preference holds, if by another clock it begins only now."""
        return self.day_of(max(now, self._present.since))

    def start_of(self, day: int) -> float:
        """When a day begins, by the last preference."""
        return _start_of(day, time_zone(self._present.time_zone), self._present.day_start)

    def days_between(self, day: int, later: int) -> int:
        """How many days were lived between the two: not those that a journey or a zone left out."""
        days = later - day - 1
        if days > 0 and self._left_out:
            days -= bisect_left(self._left_out, later) - bisect_right(self._left_out, day)
        return max(days, 0)


@lru_cache(1024)
def calendar(preferences: tuple[Preference, ...], last_year: int) -> Calendar:
    """The calendar of a user with this history of preferences, right until that year's end."""
    return Calendar(preferences or (Preference(),), last_year)


def date_of(day: int) -> date:
    """The date that a day is called."""
    return date.fromordinal(_EPOCH + day)


def _start_of(day: int, zone: ZoneInfo, day_start: time) -> float:
    """A wall time that comes twice is its first instant; for one skipped, the end of the gap."""
    wall = datetime.combine(date_of(day), day_start, zone)
    first, second = wall.timestamp(), wall.replace(fold=1).timestamp()
    if first <= second:
        return first
    seconds = range(int(second), int(first) + 1)
    before = _offset(seconds[0], zone)
    return seconds[bisect_left(seconds, True, key=lambda at: _offset(at, zone) != before)]


def _offset(instant: float, zone: ZoneInfo) -> object:
    return datetime.fromtimestamp(instant, zone).utcoffset()


@lru_cache(1024)
def _zone_steps(zone: ZoneInfo, day_start: time, days: range) -> list[_Step]:
    """The steps of somebody who stays in one zone: in the middle of each day of odd length."""
    steps = [_Step(-inf, days.start * DAY - _start_of(days.start, zone, day_start))]
    for day in _near_changes(zone, days):
        start, end = (_start_of(either, zone, day_start) for either in (day, day + 1))
        if end - start != DAY:
            steps.append(_Step((start + end) / 2, (day + 1) * DAY - end))
    return steps


@lru_cache(1024)
def _near_changes(zone: ZoneInfo, days: range) -> list[int]:
    """The days that may be longer or shorter than others."""
    noon = datetime.combine(date_of(days.start), time(12), zone)
    offsets = [(noon + timedelta(past)).utcoffset() for past in range(len(days))]
    changed = (day for day, (now, then) in zip(days, pairwise(offsets)) if now != then)  # noqa: B905
    return sorted({near for day in changed for near in range(max(day - 1, days.start), day + 3)})


def _steps(preferences: tuple[Preference, ...], last_year: int) -> Iterator[_Step]:
    last_day = date(last_year + 1, 1, 1).toordinal() - _EPOCH
    ends = [preference.since for preference in preferences[1:]] + [inf]
    for (since, name, day_start), end in zip(preferences, ends, strict=True):
        # Two days more on both sides, because they are those of UTC.
        first, last = max(since / DAY - 2, _FIRST_DAY), min(end / DAY + 3, last_day)
        steps = _zone_steps(time_zone(name), day_start, range(int(first), int(last)))
        present = bisect_right(steps, since, key=lambda step: step.instant) - 1
        yield _Step(since, steps[present].shift)
        yield from takewhile(lambda step: step.instant < end, steps[present + 1 :])  # noqa: B023


def _left_out(steps: list[_Step]) -> Iterator[int]:
    """The days between the last before a step and the first after it that never were."""
    for before, after in pairwise(steps):
        last, first = ((after.instant + step.shift) / DAY for step in (before, after))
        for day in range(ceil(last), floor(first)):
            if not _was_lived(day, steps):
                yield day


def _was_lived(day: int, steps: list[_Step]) -> bool:
    ends = [step.instant for step in steps[1:]] + [inf]
    return any(
        start + shift < (day + 1) * DAY and end + shift > day * DAY
        for (start, shift), end in zip(steps, ends, strict=True)
    )
