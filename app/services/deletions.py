"""Tasks that go: for good, or until they are brought back."""

from uuid import UUID

from app.models.origin import PLATFORM, Origin
from app.models.task import Task
from app.services import Connection
from app.services.changes import deleting, locked, recorded
from app.services.overwritten import ALL_BEFORE, CONTENT_WRITTEN
from app.services.tasks import COLUMNS, OWN, OWNED, WRITTEN, absence, found_task, write

DELETE = f"""
WITH {deleting(OWN, CONTENT_WRITTEN, "($3 OR deleted_at IS NULL)")}, {
    recorded("'deleted'", "written AS old", 4, before=ALL_BEFORE)
}
SELECT id FROM written
"""


async def delete_task(
    db: Connection,
    task_id: UUID,
    owner: str | None,
    origin: Origin = PLATFORM,
    *,
    or_withdrawn: bool = False,
) -> None:
    """Removes a task for good, and on request one that was withdrawn."""
    if await write(db, DELETE, task_id, owner, or_withdrawn, *origin) is None:
        raise await absence(db, task_id, owner)


WITHDRAW = f"""
WITH {locked("id, user_id", OWNED)}, written AS (
    UPDATE tasks SET deleted_at = instant, updated_at = instant, version = version + 1
    FROM old WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING tasks.id
), {recorded("'deleted'", "old", 3)}
SELECT id FROM written
"""


async def withdraw_task(
    db: Connection, task_id: UUID, owner: str | None, origin: Origin = PLATFORM
) -> None:
    """Deletes a task so that restore_task can bring it back, until it is purged."""
    if await write(db, WITHDRAW, task_id, owner, *origin) is None:
        raise await absence(db, task_id, owner)


_WITHDRAWN = f"{OWN} AND deleted_at IS NOT NULL"
RESTORE = f"""
WITH {locked("id, user_id", _WITHDRAWN)}, written AS (
    UPDATE tasks SET deleted_at = NULL, updated_at = instant, version = version + 1
    FROM old WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING {WRITTEN}
), {recorded("'restored'", "old", 3)}
SELECT {COLUMNS} FROM written
"""


async def restore_task(
    db: Connection, task_id: UUID, owner: str | None, origin: Origin = PLATFORM
) -> Task:
    """Brings back a withdrawn task; NotFound when there is none."""
    row = await write(db, RESTORE, task_id, owner, *origin)
    return await found_task(db, row, task_id, owner)
