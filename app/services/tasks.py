"""Tasks in PostgreSQL, by their owners: `app.models.owner` says which may be touched."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from asyncpg import Record

from app.errors import Foreign, NotFound, VersionConflict
from app.models.origin import PLATFORM, Origin
from app.models.owner import is_bound
from app.models.task import Task, TaskChanges, TaskFields
from app.services import Connection
from app.services.changes import begin_count, counted, locked, recorded
from app.services.folding import FOLDS, Folds, folds, folds_of, refolded
from app.services.overwritten import BEFORE, CHANGED, OLD, TRANSITION
from app.services.owners import reach

COLUMNS = (
    "id, user_id, title, description, status, priority, created_at, completed_at, due_date, tags, "
    "updated_at, version, deleted_at"
)
WRITTEN = ", ".join(f"tasks.{name}" for name in COLUMNS.split(", "))
"""The same where another table has some of these names."""

# A write that says completed stamps the instant, any other status clears it.
_COMPLETED_AT = "CASE WHEN {status} = 'completed' THEN {instant} END"

OWN = "id = $1 AND user_id = $2"
"""The SQL condition on the task of an id and an owner, withdrawn or not."""
OWNED = f"{OWN} AND deleted_at IS NULL"


_IS_FOREIGN = """
SELECT EXISTS (SELECT 1 FROM tasks WHERE id = $1 AND user_id <> $2 AND deleted_at IS NULL)
"""


async def absence(db: Connection, task_id: UUID, owner: str | None) -> NotFound:
    """Why the owner has no such task: Foreign where another one has it."""
    foreign = is_bound(owner) and await db.fetchval(_IS_FOREIGN, task_id, owner)
    return (Foreign if foreign else NotFound)(f"Task not found: {task_id}")


async def found_task(db: Connection, row: Record | None, task_id: UUID, owner: str | None) -> Task:
    """Builds without validating: what is stored is shown, whichever door wrote it."""
    if row is None:
        raise await absence(db, task_id, owner)
    return Task.model_construct(**row)


async def write(
    db: Connection, statement: str, task_id: UUID, owner: str | None, *arguments: object
) -> Record | None:
    """Runs a statement that changes a task; None where there is none to be changed."""

    async def attempt(user_id: str) -> Record | None:
        row = await db.fetchrow(statement, task_id, user_id, *arguments)
        if row is None and await begin_count(db, task_id, user_id):
            row = await db.fetchrow(statement, task_id, user_id, *arguments)
        return row

    return await reach(db, "tasks", task_id, owner, attempt)


INSERT = f"""
WITH {counted("$1")}, written AS (
    INSERT INTO tasks (user_id, title, description, status, priority, due_date, tags,
        created_at, updated_at, completed_at, {FOLDS})
    SELECT $1, $2, $3, $4::text, $5, $6, $7, instant, instant,
        {_COMPLETED_AT.format(status="$4::text", instant="instant")},
        {", ".join(folds(8, "$2::varchar", "$3"))}
    FROM counted
    RETURNING {COLUMNS}
), {recorded("'created'", "written AS old, counted", 11)}
SELECT {COLUMNS} FROM written
"""


async def insert_task(
    db: Connection, user_id: str, task: TaskFields, origin: Origin = PLATFORM
) -> Task:
    """Stores a new task with a time-ordered id."""
    folded = Folds.of(task.title, task.description)
    row = await db.fetchrow(INSERT, *_values(user_id, task, origin, folded))
    assert row is not None  # noqa: S101 - an insert without a condition returns its row
    return Task.model_construct(**row)


async def insert_tasks(db: Connection, new: Sequence[tuple[str, TaskFields, Origin]]) -> list[Task]:
    """Stores new tasks of these users, in order and in one round trip, all or none."""
    folded = await folds_of((task.title, task.description) for _, task, _ in new)
    values = [_values(*one, own) for one, own in zip(new, folded, strict=True)]
    rows = await db.fetchmany(INSERT, values)
    return [Task.model_construct(**row) for row in rows]


def _values(user_id: str, task: TaskFields, origin: Origin, folded: Folds) -> tuple[Any, ...]:
    return (
        user_id,
        task.title,
        task.description,
        task.status,
        task.priority,
        task.due_date,
        task.tags,
        *folded,
        *origin,
    )


_FETCH = f"SELECT {COLUMNS} FROM tasks WHERE {OWNED}"


async def fetch_task(db: Connection, task_id: UUID, owner: str | None) -> Task:
    """One task; NotFound when there is none, Foreign when it belongs to another owner."""
    row = await reach(db, "tasks", task_id, owner, partial(db.fetchrow, _FETCH, task_id))
    return await found_task(db, row, task_id, owner)


_REFOLDED = refolded("'{}' = ANY ($3)", 10, "$4::varchar", "$5")


def _update(
    status: str,
    completed_at: str,
    condition: str,
    origin: int,
    fields: str = "$3::text[]",
    before: str = BEFORE,
) -> str:
    record = recorded(
        "'updated'", CHANGED, origin, fields=fields, before=before, transition=TRANSITION
    )
    return f"""
WITH {locked(OLD, f"{OWNED} AND {condition}")}, written AS (
    UPDATE tasks SET
        title = CASE WHEN 'title' = ANY ($3) THEN $4 ELSE old.title END,
        description = CASE WHEN 'description' = ANY ($3) THEN $5 ELSE old.description END,
        status = {status},
        priority = CASE WHEN 'priority' = ANY ($3) THEN $7 ELSE old.priority END,
        due_date = CASE WHEN 'due_date' = ANY ($3) THEN $8 ELSE old.due_date END,
        tags = CASE WHEN 'tags' = ANY ($3) THEN $9 ELSE old.tags END,
        {_REFOLDED},
        completed_at = {completed_at},
        updated_at = instant,
        version = version + 1
    FROM old WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING {WRITTEN}
), {record}
SELECT {COLUMNS} FROM written
"""


UPDATE = _update(
    "CASE WHEN 'status' = ANY ($3) THEN $6::text ELSE old.status END",
    "CASE WHEN 'status' = ANY ($3) THEN "
    f"{_COMPLETED_AT.format(status='$6::text', instant='instant')} ELSE old.completed_at END",
    "($13::int IS NULL OR version = $13)",
    origin=14,
)


async def update_task(
    db: Connection,
    task_id: UUID,
    owner: str | None,
    changes: TaskChanges,
    expected_version: int | None = None,
    origin: Origin = PLATFORM,
) -> Task:
    """Overwrites the fields that are set in `changes` and raises the version by one.

    VersionConflict when the task has another version than the expected one.
    """
    arguments = (*_assignments(changes), expected_version, *origin)
    row = await write(db, UPDATE, task_id, owner, *arguments)
    if row is None and expected_version is not None:
        present = await fetch_task(db, task_id, owner)
        raise VersionConflict(f"The task was changed in the meantime: version {present.version}")
    return await found_task(db, row, task_id, owner)


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
        *Folds.of(changes.title, changes.description),
    )


_IF_COMPLETED = "CASE WHEN old.status = 'completed' THEN {} ELSE {} END"
REOPEN = _update(
    _IF_COMPLETED.format("$6::text", "old.status"),
    "NULL",
    # Where nothing else is to be written, an open task is not.
    "(status = 'completed' OR $3::text[] <> '{status}')",
    origin=13,
    fields=_IF_COMPLETED.format("$3::text[]", "array_remove($3::text[], 'status')"),
    before=_IF_COMPLETED.format(BEFORE, f"{BEFORE} - '{{status,completed_at}}'::text[]"),
)


async def reopen_task(
    db: Connection,
    task_id: UUID,
    owner: str | None,
    changes: TaskChanges,
    origin: Origin = PLATFORM,
) -> Task:
    """Makes a completed task pending, and overwrites the fields that are set in `changes`."""
    changes = changes.model_copy(update={"status": "pending"})
    row = await write(db, REOPEN, task_id, owner, *_assignments(changes), *origin)
    return await fetch_task(db, task_id, owner) if row is None else Task.model_construct(**row)


_TOGGLED = "CASE WHEN old.status = 'completed' THEN 'pending' ELSE 'completed' END"
TOGGLE = f"""
WITH {locked(OLD, OWNED)}, written AS (
    UPDATE tasks SET
        status = {_TOGGLED},
        completed_at = {_COMPLETED_AT.format(status=_TOGGLED, instant="instant")},
        updated_at = instant,
        version = version + 1
    FROM old WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING {WRITTEN}
), {
    recorded(
        "'updated'",
        CHANGED,
        3,
        fields="'{status}'::text[]",
        before="jsonb_build_object('status', old.status, 'completed_at', old.completed_at)",
        transition=TRANSITION,
    )
}
SELECT {COLUMNS} FROM written
"""


async def toggle_task(
    db: Connection, task_id: UUID, owner: str | None, origin: Origin = PLATFORM
) -> Task:
    """Completes a task, or reopens a completed one; of two at once the second undoes the first."""
    row = await write(db, TOGGLE, task_id, owner, *origin)
    return await found_task(db, row, task_id, owner)
