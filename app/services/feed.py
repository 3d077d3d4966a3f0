"""The changes of one user's tasks, in the order in which they were committed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from pydantic_core import from_json

from app.errors import CursorExpired
from app.models.change import Author, Change, ChangedTask
from app.services import Connection
from app.services.pages import cut

_LAST = "SELECT last_sequence FROM change_counts WHERE user_id = $1"


async def fetch_last_sequence(db: Connection, user_id: str) -> int:
    """The sequence of the user's last change; 0 without any."""
    return await db.fetchval(_LAST, user_id) or 0


_TASK = tuple(name for name in ChangedTask.model_fields if name not in {"id", "user_id"})
_CHANGE = """sequence, operation, transition, entity_id, changed_at, fields, before, by_kind,
    by_name, installation_id, command_id"""
_COLUMNS = f"{_CHANGE}, is_there, {', '.join(_TASK)}"
# What is compressed is longer than it looks.
_BEFORE_SIZE = """coalesce(CASE WHEN pg_column_compression(before) IS NULL
    THEN pg_column_size(before) ELSE octet_length(before::text) END, 0)"""
_SIZE = f"""600 + coalesce(octet_length(title), 0) + coalesce(octet_length(description), 0)
    + coalesce(octet_length(array_to_string(tags, '')), 0) + {_BEFORE_SIZE}"""
CHANGES = f"""
SELECT {_CHANGE}, tasks.id IS NOT NULL AS is_there, {", ".join(f"tasks.{name}" for name in _TASK)}
    {{more}}
FROM changes LEFT JOIN tasks
    ON tasks.id = entity_id AND tasks.user_id = {{user_id}} AND deleted_at IS NULL
"""
"""What `change_of` reads, with more columns; a change and its task are of one user."""

_SELECTION = f"""{CHANGES.format(more="", user_id="$1")}
WHERE changes.user_id = $1 AND sequence > $2 AND kind = 'task'
ORDER BY sequence LIMIT $3
"""
_FETCH = cut(_SELECTION, _COLUMNS, _SIZE, "sequence")

# A purge of the user is no change of a task: whoever knew what was before it starts anew.
_IS_KEPT = """
SELECT EXISTS (SELECT 1 FROM changes WHERE user_id = $1 AND sequence = $2 AND kind = 'task')
"""


async def fetch_changes(db: Connection, user_id: str, after: int, limit: int) -> list[Change]:
    """The user's next changes after this one, fewer than the limit where they are long.

    CursorExpired when some of them are not kept any more.
    """
    rows = await db.fetch(_FETCH, user_id, after, limit)
    follows = bool(rows) and rows[0]["sequence"] == after + 1
    if not follows and not await db.fetchval(_IS_KEPT, user_id, after + 1):
        raise CursorExpired
    return [change_of(user_id, row) for row in rows]


_LATEST = f"""{CHANGES.format(more="", user_id="$1")}
WHERE changes.user_id = $1 AND kind = 'task' ORDER BY sequence DESC LIMIT $2
"""


async def fetch_latest_changes(db: Connection, user_id: str, limit: int) -> list[Change]:
    """The user's last changes that are kept, newest first."""
    return [change_of(user_id, row) for row in await db.fetch(_LATEST, user_id, limit)]


def change_of(user_id: str, row: Record) -> Change:
    """The change of a task as the feed shows it."""
    task = {name: row[name] for name in _TASK}
    kind: Any = f"task.{row['transition'] or row['operation']}"
    return Change.model_construct(
        sequence=row["sequence"],
        type=kind,
        task_id=row["entity_id"],
        occurred_at=row["changed_at"],
        fields=row["fields"],
        before=_old_values(row["fields"], row["before"]),
        task=_task(row["entity_id"], user_id, task) if row["is_there"] else None,
        by=_author(row),
        command_id=row["command_id"],
    )


def _task(task_id: UUID, user_id: str, fields: dict[str, Any]) -> ChangedTask:
    return ChangedTask.model_construct(id=task_id, user_id=user_id, **fields)


def _author(row: Record) -> Author | None:
    if row["by_kind"] is None:
        return None
    return Author.model_construct(
        kind=row["by_kind"], name=row["by_name"], installation_id=row["installation_id"]
    )


def _old_values(fields: list[str], before: str | None) -> dict[str, Any] | None:
    if not fields:
        return {}
    if before is None:
        return None
    old = from_json(before)
    if old.get("due_date"):
        old["due_date"] = datetime.fromisoformat(old["due_date"]).astimezone(UTC)
    return {name: old[name] for name in fields if name in old}
