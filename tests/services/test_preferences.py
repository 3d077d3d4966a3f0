import asyncio
from datetime import timedelta

import pytest

from app.errors import Full
from app.models.preferences import PreferenceChanges, UserPreferences
from app.models.time_zone import TIME_ZONES
from app.services import Connection, preferences
from app.services.changes import fetch_progress
from app.services.mood import fetch_mood
from app.services.preferences import MOST_KEPT, fetch_preferences
from tests.services.test_mood import store
from tests.support.mood import NOW, Completion


async def change(db: Connection, **changes: str | None) -> UserPreferences:
    async with db.transaction():
        return await preferences.set_preferences(db, "user_123", PreferenceChanges(**changes))


async def kept(db: Connection) -> int:
    rows: int = await db.fetchval("SELECT count(*) FROM user_preferences")
    return rows


async def test_what_is_left_out_stays_and_null_is_the_default(db: Connection) -> None:
    assert await fetch_preferences(db, "user_123") == UserPreferences()
    assert await change(db, time_zone="Asia/Tokyo") == UserPreferences(time_zone="Asia/Tokyo")
    both = UserPreferences(time_zone="Asia/Tokyo", day_start="04:30")
    assert await change(db, day_start="04:30") == both
    assert await fetch_preferences(db, "user_123") == both
    assert await change(db, time_zone=None) == UserPreferences(day_start="04:30")
    assert await fetch_preferences(db, "other") == UserPreferences()


async def test_what_is_said_again_is_not_kept_again(db: Connection) -> None:
    for _ in range(3):
        await change(db, time_zone="UTC")
    assert await kept(db) == 1
    await change(db, time_zone="Asia/Tokyo")
    await change(db, time_zone="UTC")
    assert await kept(db) == 3


async def test_the_first_preference_reaches_back_and_the_next_does_not(db: Connection) -> None:
    late_in_the_evening_of_new_york = NOW.replace(hour=3)
    await store(db, "user_123", [Completion(late_in_the_evening_of_new_york)], [])
    now = NOW + timedelta(3650)

    async def last_day() -> str:
        return str((await fetch_mood(db, "user_123", None, now)).streak.last_day)

    assert await last_day() == "2026-11-25"
    await change(db, time_zone="America/New_York")
    assert await last_day() == "2026-11-24"
    await change(db, time_zone="Asia/Tokyo")
    assert await last_day() == "2026-11-24"


async def test_two_at_once_lose_nothing(crowd: list[Connection]) -> None:
    zones = ["Asia/Tokyo", "Europe/Berlin", "America/New_York"]
    await asyncio.gather(
        *(change(db, time_zone=zone) for db, zone in zip(crowd, zones * 2, strict=False)),
        change(crowd[-1], day_start="05:00"),
    )
    assert (await fetch_preferences(crowd[0], "user_123")).day_start == "05:00"
    starts = "SELECT array_agg(day_start ORDER BY since) FROM user_preferences"
    found = await crowd[0].fetchval(starts)
    assert found == sorted(found)


async def test_a_replica_is_known_to_lack_a_preference(db: Connection) -> None:
    before = await fetch_progress(db, "user_123")
    await change(db, time_zone="Asia/Tokyo")
    assert await fetch_progress(db, "user_123") > before


async def test_preferences_of_one_user_are_bounded(db: Connection) -> None:
    zones = sorted(TIME_ZONES)
    await db.executemany(
        "INSERT INTO user_preferences VALUES ('user_123', $1, $2, '00:00')",
        [(NOW - timedelta(days), zones[days % len(zones)]) for days in range(1, MOST_KEPT)],
    )
    await change(db, time_zone="Asia/Tokyo")
    with pytest.raises(Full, match="changed 2,000 times"):
        await change(db, time_zone="UTC")
    assert await change(db, time_zone="Asia/Tokyo") == UserPreferences(time_zone="Asia/Tokyo")
    assert (await fetch_mood(db, "user_123", None, NOW + timedelta(9999))).mood.score == 50
