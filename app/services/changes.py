"""The change log: one row for every write, in the statement that writes.

A consumer keeps a cursor and misses nothing while it is away. `sequence` counts the changes of the
tasks of one user without gaps; it and every instant of a task are taken where the user's row in
`change_counts` is locked, before anything else is, so that their order is that of the commits and
no two writers of a user can wait for each other. `position` numbers the log as a whole, in
the order of writing: where a number is missing, its transaction may still be running, so a reader
stops there until it knows better (`app.services.deliveries`).
"""

from functools import partial
from typing import NamedTuple
from uuid import UUID

from app.services import Connection
from app.services.owners import Table, reach

NO_FIELDS = "'{}'::text[]"

_LAST = "counts.last_changed_at + interval '1 microsecond'"
# No two changes of a user have the same instant, and no clock that is set back disturbs the order.
_INSTANT = f"greatest(clock_timestamp(), {_LAST})"
# The same of an upsert. Where tables are divided among machines, all that stands in it must be
# immutable, which adding to an instant with a time zone is not.
_UPSERTED_INSTANT = """greatest(excluded.last_changed_at,
                (counts.last_changed_at AT TIME ZONE 'UTC' + interval '1 microsecond')
                    AT TIME ZONE 'UTC')"""


def counted(user_id: str) -> str:
    """A common table expression with the user's next `sequence` and `instant`, to be used up."""
    return f"""
    counted AS (
        INSERT INTO change_counts AS counts (user_id, last_sequence, last_changed_at)
        VALUES ({user_id}, 1, clock_timestamp())
        ON CONFLICT (user_id) DO UPDATE SET
            last_sequence = counts.last_sequence + 1, last_changed_at = {_UPSERTED_INSTANT}
        RETURNING last_sequence AS sequence, last_changed_at AS instant
    )"""


def locked(columns: str, condition: str, more: str = "", locks: str = "") -> str:
    """Two common table expressions: the `old` task, next sequence and instant included, is locked.

    And they are used up where there is one. Whoever waited here sees what the one before wrote.
    The owner is $2, here and in all that follows.
    """
    return f"""
    old AS (
        SELECT {columns}, counts.last_sequence + 1 AS sequence, {_INSTANT} AS instant
        FROM change_counts AS counts JOIN tasks USING (user_id) {more}
        WHERE {condition}
        FOR NO KEY UPDATE OF counts FOR NO KEY UPDATE OF tasks {locks}
    ), counted AS (
        UPDATE change_counts AS counts SET last_sequence = sequence, last_changed_at = instant
        FROM old WHERE counts.user_id = $2
    )"""


def deleting(condition: str, columns: str, deletable: str = "deleted_at IS NULL") -> str:
    """Three common table expressions: the task is deleted, `written` has what was in it.

    The same as `locked`, but the task need not be locked before: a deletion tells what it deletes.
    """
    return f"""
    turn AS (
        SELECT id, counts.last_sequence + 1 AS sequence, {_INSTANT} AS instant
        FROM change_counts AS counts JOIN tasks USING (user_id)
        WHERE {condition}
        FOR NO KEY UPDATE OF counts
    ), written AS (
        DELETE FROM tasks USING turn
        WHERE tasks.id = turn.id AND tasks.user_id = $2 AND {deletable}
        RETURNING {columns}, sequence, instant
    ), counted AS (
        UPDATE change_counts AS counts SET last_sequence = sequence, last_changed_at = instant
        FROM written WHERE counts.user_id = $2
    )"""


def recorded(
    operation: str,
    source: str,
    origin: int,
    *,
    fields: str = NO_FIELDS,
    before: str = "NULL",
    transition: str = "NULL",
    undo_of: str = "NULL",
) -> str:
    """A common table expression that appends the change of a task.

    `source` yields its `id`, `user_id`, `sequence` and `instant`; the members of an Origin are the
    parameters from this number on; the rest are SQL expressions.
    """
    kind, name, installation, command, batch, keeps = range(origin, origin + 6)
    return f"""
    recorded AS (
        INSERT INTO changes (kind, operation, user_id, entity_id, sequence, changed_at, fields,
            transition, by_kind, by_name, installation_id, command_id, batch_id, undo_of, before)
        SELECT 'task', {operation}, old.user_id, old.id, sequence, instant, {fields},
            {transition}, ${kind}::text, ${name}::text, ${installation}::text, ${command}::text,
            ${batch}::uuid, {undo_of}, CASE WHEN ${keeps}::boolean THEN {before}::jsonb END
        FROM {source}
    )"""


def recorded_aside(kind: str, operation: str, origin: int, fields: str = NO_FIELDS) -> str:
    """Two common table expressions that append what the expression `written` wrote, no task.

    `written` must yield `id` and `user_id`. It is counted apart from the user's tasks.
    """
    return f"""
    counted AS (
        INSERT INTO change_counts AS counts (user_id, last_sequence, other_changes)
        SELECT user_id, 0, 1 FROM written
        ON CONFLICT (user_id) DO UPDATE SET other_changes = counts.other_changes + 1
    ),
    recorded AS (
        INSERT INTO changes (kind, operation, user_id, entity_id, fields,
            by_kind, by_name, installation_id, command_id, batch_id)
        SELECT '{kind}', '{operation}', written.user_id, written.id, {fields},
            ${origin}::text, ${origin + 1}::text, ${origin + 2}::text, ${origin + 3}::text,
            ${origin + 4}::uuid
        FROM written
    )"""


_LOCK = """
INSERT INTO change_counts AS counts (user_id, last_sequence)
SELECT user_id, 0 FROM {} WHERE id = $1 AND user_id = $2
ON CONFLICT (user_id) DO UPDATE SET last_sequence = counts.last_sequence
RETURNING user_id
"""


async def lock_count(
    db: Connection, table: Table, entity_id: UUID, owner: str | None
) -> str | None:
    """Has all other writers of the entity's user wait, before a statement that looks around.

    That one then sees all that they wrote, not only in what it locks itself. Returns the user; None
    where there is no such entity that the owner may touch.
    """
    lock = partial(db.fetchval, _LOCK.format(table), entity_id)
    return await reach(db, table, entity_id, owner, lock)


# Whoever waited here finds what the one before wrote, and a replica is known to lack it.
TAKE_TURN = """
INSERT INTO change_counts AS counts (user_id, last_sequence, other_changes) VALUES ($1, 0, 1)
ON CONFLICT (user_id) DO UPDATE SET other_changes = counts.other_changes + 1
RETURNING user_id
"""
"""Comes before a write for the user that the log does not tell of, or a purge would miss it."""


_BEGIN = """
INSERT INTO change_counts (user_id, last_sequence)
SELECT user_id, 0 FROM tasks WHERE id = $1 AND user_id = $2
ON CONFLICT DO NOTHING
RETURNING true
"""


async def begin_count(db: Connection, task_id: UUID, user_id: str) -> bool:
    """Makes the counter of the task's user where there is none, the task not being our writing."""
    return bool(await db.fetchval(_BEGIN, task_id, user_id))


class Progress(NamedTuple):
    """How far the changes of one user have come."""

    user_id: str
    changes: int


_FETCH_PROGRESS = "SELECT last_sequence + other_changes FROM change_counts WHERE user_id = $1"


async def fetch_progress(db: Connection, user_id: str) -> Progress:
    """Up to and including the last change that is committed."""
    return Progress(user_id, await db.fetchval(_FETCH_PROGRESS, user_id) or 0)


_HAS_REPLAYED = f"""
SELECT pg_is_in_recovery() AND coalesce(({_FETCH_PROGRESS}), 0) >= $2
"""


async def has_replayed(db: Connection, progress: Progress, seconds: float) -> bool:
    """Whether the connection leads to a replica that has come as far; TimeoutError after a time."""
    return bool(await db.fetchval(_HAS_REPLAYED, *progress, timeout=seconds))
