"""Days in a row, derived from all days with a completion."""

from collections.abc import Iterable
from typing import NamedTuple

from app.models.calendar import Calendar

Run = tuple[int, int]
"""The first and the last of days with a completion of which each follows the one before."""

_EARNED_EVERY = 7
_MOST_FREEZES = 2


class Streak(NamedTuple):
    """The row of days that stands today, none where it has 0 days, and the longest ever."""

    current: int = 0
    longest: int = 0
    last_day: int | None = None
    freezes: int = 0


def streak(runs: Iterable[Run], calendar: Calendar, today: int) -> Streak:
    """What has become of all runs, oldest first. Today may still come: it is not missed yet.

    A freeze bridges a single missed day, which then counts in nothing; two end the row.
    """
    days = longest = freezes = 0
    last_day = None
    for first, last in runs:  # there may be thousands, so little is called for each
        missed = 0 if last_day is None else calendar.days_between(last_day, first)
        if missed > 1 or missed > freezes:
            days = freezes = 0
        else:
            freezes -= missed
        before, days, last_day = days, days + last - first + 1, last
        if days >= _EARNED_EVERY and freezes < _MOST_FREEZES:
            earned = days // _EARNED_EVERY - before // _EARNED_EVERY
            freezes = min(freezes + earned, _MOST_FREEZES)
        if days > longest:
            longest = days
    missed = 0 if last_day is None else calendar.days_between(last_day, today)
    if missed > 1 or missed > freezes:
        return Streak(0, longest, last_day)
    return Streak(days, longest, last_day, freezes - missed)
