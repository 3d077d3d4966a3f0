"""The change log: one row for every write, in the statement that writes.

A consumer keeps a cursor and misses nothing while it is away. `sequence` counts the changes of
one user without gaps, in the order they were committed. `position` numbers the log as a whole, in
the order of writing: where a number is missing, its transaction may still be running, so a reader
stops there until it knows better (`app.services.deliveries`).
"""

from typing import NamedTuple

from app.services import Connection


def recorded(kind: str, operation: str, fields: str = "'{}'::text[]") -> str:
    """Two common table expressions that append what the expression `written` wrote.

    `written` must yield `id` and `user_id`; `fields` is an SQL expression for the names of the
    fields that changed. Writers of one user take turns on the user's row in `change_counts`.
    """
    return f"""
    counted AS (
        INSERT INTO change_counts AS counts (user_id, last_sequence)
        SELECT user_id, 1 FROM written
        ON CONFLICT (user_id) DO UPDATE SET last_sequence = counts.last_sequence + 1
        RETURNING last_sequence
    ),
    recorded AS (
        INSERT INTO changes (kind, operation, user_id, entity_id, sequence, fields)
        SELECT '{kind}', '{operation}', written.user_id, written.id, counted.last_sequence,
               {fields}
        FROM written, counted
    )"""


class Progress(NamedTuple):
    """How far the changes of one user have come."""

    user_id: str
    sequence: int


_FETCH_PROGRESS = "SELECT last_sequence FROM change_counts WHERE user_id = $1"


async def fetch_progress(db: Connection, user_id: str) -> Progress:
    """Up to and including the last change that is committed."""
    return Progress(user_id, await db.fetchval(_FETCH_PROGRESS, user_id) or 0)


_HAS_REPLAYED = f"""
SELECT pg_is_in_recovery() AND coalesce(({_FETCH_PROGRESS}), 0) >= $2
"""


async def has_replayed(db: Connection, progress: Progress, seconds: float) -> bool:
    """Whether the connection leads to a replica that has come as far; TimeoutError after a time."""
    return bool(await db.fetchval(_HAS_REPLAYED, *progress, timeout=seconds))
