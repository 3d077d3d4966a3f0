"""Tasks of contacts and of nobody, as partners see them. No other user's task is among them."""

from collections.abc import Sequence
from uuid import UUID

from app.errors import NotFound
from app.models.contact_task import ContactTask
from app.models.page import Page
from app.models.task import Status
from app.services import Connection
from app.services.pages import bounds, newest_first

_COLUMNS = "id, title, description, user_id, status, due_date, created_at, updated_at"


def owned_by_contact(table: str) -> str:
    """The SQL condition on rows of this table, by their `user_id`: a contact's or nobody's.

    The lengths are the partial index's by which such tasks are found among all others.
    """
    return f"""length({table}.user_id) IN (0, 36) AND (
        {table}.user_id = ''
        OR EXISTS (SELECT FROM contacts WHERE contacts.user_id = {table}.user_id)
    )"""


_VISIBLE = f"{owned_by_contact('tasks')} AND deleted_at IS NULL"

_FETCH = f"SELECT {_COLUMNS} FROM tasks WHERE id = $1 AND {_VISIBLE}"  # noqa: S608


async def fetch_task(db: Connection, task_id: UUID) -> ContactTask:
    """One task; NotFound when there is none or it is another user's."""
    row = await db.fetchrow(_FETCH, task_id)
    if row is None:
        raise NotFound(f"Task {task_id} not found")
    return ContactTask.of(dict(row))


_LIST = f"""
SELECT {_COLUMNS} FROM tasks
WHERE {_VISIBLE} AND ($1::text IS NULL OR status = $1) AND {newest_first(2)}
"""  # noqa: S608

_LIST_OF = f"""
SELECT {_COLUMNS} FROM tasks
WHERE user_id = $5 AND {_VISIBLE} AND ($1::text IS NULL OR status = $1) AND {newest_first(2)}
"""  # noqa: S608


async def list_tasks(
    db: Connection, user_id: str | None, status: Status | None, page: Page
) -> list[ContactTask]:
    """One page of the tasks of one contact, or of all contacts and nobody, newest first."""
    arguments = (status, *bounds(page))
    rows = await (
        db.fetch(_LIST, *arguments) if user_id is None else db.fetch(_LIST_OF, *arguments, user_id)
    )
    return [ContactTask.of(dict(row)) for row in rows]


_FIND = f"SELECT {_COLUMNS} FROM tasks WHERE id = ANY ($1) AND {_VISIBLE}"  # noqa: S608


async def find_tasks(db: Connection, task_ids: Sequence[UUID]) -> list[ContactTask]:
    """Those of the tasks that exist and are no other user's."""
    return [ContactTask.of(dict(row)) for row in await db.fetch(_FIND, task_ids)]
