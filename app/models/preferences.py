"""Where a user lives and when their day begins, as they say it."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from app.models.patch import Patch
from app.models.time_zone import TimeZone

DayStart = Annotated[
    str,
    StringConstraints(pattern=r"^((0\d|1[01]):[0-5]\d|12:00)$"),
    Field(description="HH:MM, from 00:00 to 12:00.", examples=["04:00"]),
]


class UserPreferences(BaseModel):
    """The preferences in force; UTC and 00:00 where the user has none."""

    time_zone: str = "UTC"
    day_start: str = "00:00"


class PreferenceChanges(Patch):
    """What to prefer from now on; null is the default."""

    time_zone: TimeZone | None = None
    day_start: DayStart | None = None

    def applied(self, present: UserPreferences) -> UserPreferences:
        """The preferences with these changes."""
        given = self.model_dump(include=self.model_fields_set, exclude_none=True)
        kept = present.model_dump(exclude=self.model_fields_set)
        return UserPreferences(**kept, **given)
