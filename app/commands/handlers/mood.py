"""Why the cat looks like that, and by which clock."""

from datetime import UTC, datetime

from pydantic import BaseModel

from app.commands.action import Context, Example, action
from app.errors import Full
from app.models.caller import ADMINISTRATORS, SERVICES
from app.models.mood import MoodReport
from app.models.preferences import PreferenceChanges, UserPreferences
from app.models.time_zone import TimeZone
from app.services import mood, preferences


class GetMood(BaseModel):
    """In which zone a user lives who has no preference."""

    time_zone: TimeZone | None = None


@action(
    scope="stats:read",
    replicable=True,
    allow=SERVICES | ADMINISTRATORS,
    examples=(
        Example("where the user prefers to live"),
        Example("in Berlin, without a preference", time_zone="Europe/Berlin"),
    ),
)
async def get_mood(context: Context, payload: GetMood) -> MoodReport:
    """Returns the user's mood with the reasons that add up to it, streak, today and last week.

    Everything is derived from the tasks and from what was completed when, at each read.
    """
    return await mood.fetch_mood(context.db, context.user_id, payload.time_zone, datetime.now(UTC))


class SetPreferences(PreferenceChanges):
    """What to prefer from now on; null is the default, UTC and 00:00."""


@action(
    scope="tasks:write",
    writes=True,
    transaction=True,
    raises=(Full,),
    examples=(
        Example("live in Berlin", time_zone="Europe/Berlin"),
        Example("begin the day at four", day_start="04:00"),
    ),
)
async def set_preferences(context: Context, payload: SetPreferences) -> UserPreferences:
    """Sets the user's time zone and when their day begins; what is left out stays.

    Days that were lived stay as they were, except that the first preference reaches back.
    """
    return await preferences.set_preferences(context.db, context.user_id, payload)


class GetPreferences(BaseModel):
    """Empty: the preferences are the user's."""


@action(scope="stats:read", examples=({},))
async def get_preferences(context: Context, payload: GetPreferences) -> UserPreferences:
    """Returns the user's time zone and when their day begins."""
    return await preferences.fetch_preferences(context.db, context.user_id)
