"""The moods that webhooks were told, and when each may be another.

A worker claims a user for a minute. Nobody who writes for the user waits for that, and whatever
becomes of the worker, the user is looked at again; so it is when something was written meanwhile.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from pydantic_core import to_json

from app.services import Connection
from app.services.mood import fetch_mood
from app.services.webhooks import MOOD_IS_ASKED_FOR


class DueMood(NamedTuple):
    """A user whose mood may be another than the one told last, and until when that is ours."""

    user_id: str
    label: str | None
    claimed_until: datetime
    is_asked_for: bool


_DUE = "SELECT user_id FROM user_moods WHERE due_at <= now() ORDER BY due_at LIMIT 20"
_CLAIM = """
UPDATE user_moods SET due_at = now() + interval '1 minute' WHERE user_id = $1 AND due_at <= now()
RETURNING user_id, label, due_at AS claimed_until
"""
_IS_ASKED_FOR = f"SELECT {MOOD_IS_ASKED_FOR.format(user_id='$1')}"


async def claim_due_mood(db: Connection) -> DueMood | None:
    """The user who has been due the longest, if any is, and no other worker has claimed."""
    for row in await db.fetch(_DUE):
        if claimed := await db.fetchrow(_CLAIM, row["user_id"]):
            asked_for = await db.fetchval(_IS_ASKED_FOR, row["user_id"])
            return DueMood(**claimed, is_asked_for=asked_for)
    return None


_FORGET = "DELETE FROM user_moods WHERE user_id = $1 AND due_at = $2"
_TELL = """
WITH noted AS (
    UPDATE user_moods SET label = $3, due_at = $4 WHERE user_id = $1 AND due_at = $2
    RETURNING user_id
)
INSERT INTO changes (kind, operation, user_id, entity_id, fields, changed_at, data)
SELECT 'mood', 'changed', user_id, '00000000-0000-0000-0000-000000000000', '{}',
    clock_timestamp(), $5::jsonb
FROM noted WHERE $5::jsonb IS NOT NULL
"""


async def tell_mood(db: Connection, due: DueMood) -> None:
    """Appends the mood to the log where its label is another than the one told last."""
    if not due.is_asked_for:
        await db.execute(_FORGET, due.user_id, due.claimed_until)
        return
    found = await fetch_mood(db, due.user_id, None, datetime.now(UTC))
    label, told = found.mood.label, None
    if label != due.label:
        told = to_json({"from": due.label, "to": label, "mood": found.mood}).decode()
    await db.execute(_TELL, due.user_id, due.claimed_until, label, found.valid_until, told)
