"""The moods that webhooks were told, and when each may be another."""

from datetime import UTC, datetime

from asyncpg import Record
from pydantic_core import to_json

from app.services import Connection
from app.services.mood import fetch_mood
from app.services.webhooks import MOOD_IS_ASKED_FOR

AT_ONCE = 20

_DUE = f"""
SELECT user_id, label, {MOOD_IS_ASKED_FOR.format(user_id="user_moods.user_id")} AS is_asked_for
FROM user_moods WHERE due_at <= now()
ORDER BY due_at LIMIT {AT_ONCE}
FOR UPDATE SKIP LOCKED
"""
_FORGET = "DELETE FROM user_moods WHERE user_id = $1"
_NOTE = "UPDATE user_moods SET label = $2, due_at = $3 WHERE user_id = $1"
_TELL = """
INSERT INTO changes (kind, operation, user_id, entity_id, fields, changed_at, data)
VALUES ('mood', 'changed', $1, '00000000-0000-0000-0000-000000000000', '{}', clock_timestamp(), $2)
"""


async def tell_due_moods(db: Connection) -> int:
    """Looks at the moods that may have changed and appends to the log those that have.

    In a transaction; returns at how many it looked.
    """
    due = await db.fetch(_DUE)
    for row in due:
        await _tell(db, row)
    return len(due)


async def _tell(db: Connection, row: Record) -> None:
    user_id, told = row["user_id"], row["label"]
    if not row["is_asked_for"]:
        await db.execute(_FORGET, user_id)
        return
    found = await fetch_mood(db, user_id, None, datetime.now(UTC))
    label = found.mood.label
    if label != told:
        data = {"from": told, "to": label, "mood": found.mood}
        await db.execute(_TELL, user_id, to_json(data).decode())
    await db.execute(_NOTE, user_id, label, found.valid_until)
