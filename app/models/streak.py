"""Days in a row, derived from all days with a completion."""

from collections.abc import Iterable
from typing import NamedTuple

from app.models.calendar import Calendar

_EARNED_EVERY = 7
_MOST_FREEZES = 2


class Run(NamedTuple):
    """Days with a completion of which each follows the one before: the first and the last."""

    first: int
    last: int


class Row(NamedTuple):
    """Counted days that stand in a row, though single ones missed between them were bridged."""

    days: int = 0
    freezes: int = 0
    last_day: int | None = None

    def joined(self, run: Run, missed: int) -> "Row":
        """The row after a run that began when so many days had been missed."""
        row = self.bridged(missed)
        days = row.days + run.last - run.first + 1
        earned = days // _EARNED_EVERY - row.days // _EARNED_EVERY
        return Row(days, min(row.freezes + earned, _MOST_FREEZES), run.last)

    def bridged(self, missed: int) -> "Row":
        """The row after so many missed days: a freeze bridges one, two end the row."""
        if missed == 0:
            return self
        if missed == 1 and self.freezes > 0:
            return self._replace(freezes=self.freezes - 1)
        return Row(last_day=self.last_day)


class Streak(NamedTuple):
    """The row that stands today, which is no row where it has no days, and the longest ever."""

    current: Row
    longest: int


def streak(runs: Iterable[Run], calendar: Calendar, today: int) -> Streak:
    """What has become of all runs, oldest first. Today may still come: it is not missed yet."""
    row, longest = Row(), 0
    for run in runs:
        missed = 0 if row.last_day is None else calendar.days_between(row.last_day, run.first)
        row = row.joined(run, missed)
        longest = max(longest, row.days)
    if row.last_day is not None:
        row = row.bridged(calendar.days_between(row.last_day, today))
    return Streak(row, longest)
