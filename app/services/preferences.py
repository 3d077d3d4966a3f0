"""Where users live and when their days begin, and did before."""

from datetime import time
from math import inf

from asyncpg import Record

from app.errors import Full
from app.models.calendar import Preference
from app.models.preferences import PreferenceChanges, UserPreferences
from app.services import Connection
from app.services.changes import TAKE_TURN

MOST_KEPT = 2000
"""Changes of one user. None is forgotten, which would move days that were lived."""

HISTORY = """
    SELECT coalesce(array_agg(date_part('epoch', since) ORDER BY since), '{}') AS since,
        coalesce(array_agg(time_zone ORDER BY since), '{}') AS time_zones,
        coalesce(array_agg(day_start ORDER BY since), '{}') AS day_starts
    FROM user_preferences WHERE user_id = $1
"""


def history(row: Record) -> tuple[Preference, ...]:
    """What HISTORY found, oldest first: a user's first preference holds for all time before it."""
    since = [-inf, *row["since"][1:]]
    return tuple(map(Preference, since, row["time_zones"], row["day_starts"]))


_FETCH = """
SELECT time_zone, to_char(day_start, 'HH24:MI') AS day_start FROM user_preferences
WHERE user_id = $1 ORDER BY since DESC LIMIT 1
"""


async def fetch_preferences(db: Connection, user_id: str) -> UserPreferences:
    """The preferences in force."""
    row = await db.fetchrow(_FETCH, user_id)
    return UserPreferences() if row is None else UserPreferences(**row)


# No earlier than the one before, by whatever clock; what is said twice is not written twice.
INSERT = f"""
INSERT INTO user_preferences (user_id, since, time_zone, day_start)
SELECT $1::text, greatest(clock_timestamp(), max(since) + interval '1 microsecond'), $2, $3
FROM user_preferences WHERE user_id = $1
HAVING count(*) < {MOST_KEPT}
RETURNING true
"""


async def set_preferences(
    db: Connection, user_id: str, changes: PreferenceChanges
) -> UserPreferences:
    """Changes the preferences from now on, and returns them; in a transaction.

    Full when they have been changed 2,000 times.
    """
    await db.execute(TAKE_TURN, user_id)
    row = await db.fetchrow(_FETCH, user_id)
    present = UserPreferences() if row is None else UserPreferences(**row)
    wanted = changes.applied(present)
    if row is None or wanted != present:
        day_start = time.fromisoformat(wanted.day_start)
        if not await db.fetchval(INSERT, user_id, wanted.time_zone, day_start):
            raise Full(f"The preferences were changed {MOST_KEPT:,} times; there is no room")
    return wanted
