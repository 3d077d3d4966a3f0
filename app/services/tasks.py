"""Tasks in PostgreSQL. An owner of None crosses owners: the caller is trusted to."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from app.errors import Foreign, NotFound, VersionConflict
from app.models.task import Task, TaskChanges, TaskFields
from app.services import Connection
from app.services.changes import recorded

COLUMNS = """id, user_id, title, description, status, priority, created_at, completed_at,
    due_date, tags, updated_at, version, deleted_at"""

# A write that says completed stamps the instant, any other status clears it.
_COMPLETED_AT = "CASE WHEN {status} = 'completed' THEN now() END"

_OWNED = "id = $1 AND ($2::text IS NULL OR user_id = $2) AND deleted_at IS NULL"


_IS_FOREIGN = """
SELECT EXISTS (SELECT FROM tasks WHERE id = $1 AND user_id <> $2 AND deleted_at IS NULL)
"""


async def _absence(db: Connection, task_id: UUID, owner: str | None) -> NotFound:
    """Why the owner has no such task: Foreign where another one has it."""
    foreign = owner is not None and await db.fetchval(_IS_FOREIGN, task_id, owner)
    return (Foreign if foreign else NotFound)(f"Task not found: {task_id}")


async def _task(db: Connection, row: Record | None, task_id: UUID, owner: str | None) -> Task:
    """Builds without validating: what is stored is shown, whichever door wrote it."""
    if row is None:
        raise await _absence(db, task_id, owner)
    return Task.model_construct(**row)


_INSERT = f"""
WITH written AS (
    INSERT INTO tasks
        (user_id, title, description, status, priority, due_date, tags, completed_at)
    VALUES ($1, $2, $3, $4::text, $5, $6, $7, {_COMPLETED_AT.format(status="$4::text")})
    RETURNING {COLUMNS}
), {recorded("task", "created")}
SELECT {COLUMNS} FROM written
"""


async def insert_task(db: Connection, user_id: str, task: TaskFields) -> Task:
    """Stores a new task with a time-ordered id."""
    row = await db.fetchrow(
        _INSERT,
        user_id,
        task.title,
        task.description,
        task.status,
        task.priority,
        task.due_date,
        task.tags,
    )
    assert row is not None  # noqa: S101 - an insert without a condition returns its row
    return Task.model_construct(**row)


_FETCH = f"SELECT {COLUMNS} FROM tasks WHERE {_OWNED}"


async def fetch_task(db: Connection, task_id: UUID, owner: str | None) -> Task:
    """One task; NotFound when there is none, Foreign when it belongs to another owner."""
    return await _task(db, await db.fetchrow(_FETCH, task_id, owner), task_id, owner)


def _update(status: str, completed_at: str, condition: str) -> str:
    return f"""
WITH written AS (
    UPDATE tasks SET
        title = CASE WHEN 'title' = ANY ($3) THEN $4 ELSE title END,
        description = CASE WHEN 'description' = ANY ($3) THEN $5 ELSE description END,
        status = {status},
        priority = CASE WHEN 'priority' = ANY ($3) THEN $7 ELSE priority END,
        due_date = CASE WHEN 'due_date' = ANY ($3) THEN $8 ELSE due_date END,
        tags = CASE WHEN 'tags' = ANY ($3) THEN $9 ELSE tags END,
        completed_at = {completed_at},
        updated_at = now(),
        version = version + 1
    WHERE {_OWNED} AND {condition}
    RETURNING {COLUMNS}
), {recorded("task", "updated", "$3::text[]")}
SELECT {COLUMNS} FROM written
"""


_UPDATE = _update(
    "CASE WHEN 'status' = ANY ($3) THEN $6::text ELSE status END",
    f"CASE WHEN 'status' = ANY ($3) THEN {_COMPLETED_AT.format(status='$6::text')} "
    "ELSE completed_at END",
    "($10::int IS NULL OR version = $10)",
)


async def update_task(
    db: Connection,
    task_id: UUID,
    owner: str | None,
    changes: TaskChanges,
    expected_version: int | None = None,
) -> Task:
    """Overwrites the fields that are set in `changes` and raises the version by one.

    VersionConflict when the task has another version than the expected one.
    """
    row = await db.fetchrow(_UPDATE, task_id, owner, *_assignments(changes), expected_version)
    if row is None and expected_version is not None:
        present = await fetch_task(db, task_id, owner)
        raise VersionConflict(f"The task was changed in the meantime: version {present.version}")
    return await _task(db, row, task_id, owner)


def _assignments(changes: TaskChanges) -> Sequence[Any]:
    fields = sorted(changes.model_fields_set & TaskChanges.model_fields.keys())
    return (
        fields,
        changes.title,
        changes.description,
        changes.status,
        changes.priority,
        changes.due_date,
        changes.tags,
    )


_REOPEN = _update(
    "CASE WHEN status = 'completed' THEN $6::text ELSE status END",
    "NULL",
    # Where nothing else is to be written, an open task is not.
    "(status = 'completed' OR $3::text[] <> '{status}')",
)


async def reopen_task(
    db: Connection, task_id: UUID, owner: str | None, changes: TaskChanges
) -> Task:
    """Makes a completed task pending, and overwrites the fields that are set in `changes`."""
    changes = changes.model_copy(update={"status": "pending"})
    row = await db.fetchrow(_REOPEN, task_id, owner, *_assignments(changes))
    return await fetch_task(db, task_id, owner) if row is None else Task.model_construct(**row)


_TOGGLED = "CASE WHEN status = 'completed' THEN 'pending' ELSE 'completed' END"
_TOGGLE = f"""
WITH written AS (
    UPDATE tasks SET
        status = {_TOGGLED},
        completed_at = {_COMPLETED_AT.format(status=_TOGGLED)},
        updated_at = now(),
        version = version + 1
    WHERE {_OWNED}
    RETURNING {COLUMNS}
), {recorded("task", "updated", "'{status}'::text[]")}
SELECT {COLUMNS} FROM written
"""


async def toggle_task(db: Connection, task_id: UUID, owner: str | None) -> Task:
    """Completes a task, or reopens a completed one; of two at once the second undoes the first."""
    return await _task(db, await db.fetchrow(_TOGGLE, task_id, owner), task_id, owner)


_DELETE = f"""
WITH written AS (
    DELETE FROM tasks WHERE {_OWNED} RETURNING id, user_id
), {recorded("task", "deleted")}
SELECT id FROM written
"""


async def delete_task(db: Connection, task_id: UUID, owner: str | None) -> None:
    """Removes a task for good."""
    if await db.fetchval(_DELETE, task_id, owner) is None:
        raise await _absence(db, task_id, owner)


_WITHDRAW = f"""
WITH written AS (
    UPDATE tasks SET deleted_at = now(), updated_at = now(), version = version + 1
    WHERE {_OWNED}
    RETURNING id, user_id
), {recorded("task", "deleted")}
SELECT id FROM written
"""


async def withdraw_task(db: Connection, task_id: UUID, owner: str | None) -> None:
    """Deletes a task so that restore_task can bring it back, until it is purged."""
    if await db.fetchval(_WITHDRAW, task_id, owner) is None:
        raise await _absence(db, task_id, owner)


_RESTORE = f"""
WITH written AS (
    UPDATE tasks SET deleted_at = NULL, updated_at = now(), version = version + 1
    WHERE id = $1 AND ($2::text IS NULL OR user_id = $2) AND deleted_at IS NOT NULL
    RETURNING {COLUMNS}
), {recorded("task", "restored")}
SELECT {COLUMNS} FROM written
"""


async def restore_task(db: Connection, task_id: UUID, owner: str | None) -> Task:
    """Brings back a withdrawn task; NotFound when there is none."""
    return await _task(db, await db.fetchrow(_RESTORE, task_id, owner), task_id, owner)


# The log has said that they are deleted when they were withdrawn.
_PURGE = """
DELETE FROM tasks WHERE id IN (
    SELECT id FROM tasks WHERE deleted_at < now() - make_interval(days => $1)
    ORDER BY deleted_at LIMIT 1000 FOR UPDATE SKIP LOCKED
)
"""


async def purge_tasks(db: Connection, days: int) -> int:
    """Removes up to 1,000 tasks withdrawn more than so many days ago; how many they were."""
    status: str = await db.execute(_PURGE, days)
    return int(status.rpartition(" ")[2])
