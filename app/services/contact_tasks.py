"""Tasks of contacts and of nobody, as partners see them. No other user's task is among them."""

from collections.abc import Sequence
from uuid import UUID

from app.errors import NotFound
from app.models.contact_task import ContactTask
from app.models.page import Page, Part
from app.models.task import Status
from app.services import Connection
from app.services.pages import BRIEF_BYTES, bounds, cut, newest_first

_COLUMNS = "id, title, description, user_id, status, due_date, created_at, updated_at"


def owned_by_contact(table: str, user_id: str = "{}.user_id") -> str:
    """The SQL condition on rows of this table, by their user: a contact's or nobody's.

    The lengths are the partial index's by which such tasks are found among all others. The user
    is each row's own, or one that is known.
    """
    user_id = user_id.format(table)
    return f"""length({table}.user_id) IN (0, 36) AND (
        {user_id} = ''
        OR EXISTS (SELECT 1 FROM contacts WHERE contacts.user_id = {user_id})
    )"""


_VISIBLE = f"{owned_by_contact('tasks')} AND deleted_at IS NULL"

_FETCH = f"SELECT {_COLUMNS} FROM tasks WHERE id = $1 AND {_VISIBLE}"


async def fetch_task(db: Connection, task_id: UUID) -> ContactTask:
    """One task; NotFound when there is none or it is another user's."""
    row = await db.fetchrow(_FETCH, task_id)
    if row is None:
        raise NotFound(f"Task {task_id} not found")
    return ContactTask.of(dict(row))


# A title is null only where the task is too long for a page without a count of bytes.
_SIZE = "octet_length(title) + coalesce(octet_length(description), 0)"
_SHOWN_SIZE = """200 + octet_length(to_json(title)::text)
    + coalesce(octet_length(to_json(description)::text), 0)"""
_BRIEF = f"""id,
    CASE WHEN {_SIZE} <= {BRIEF_BYTES} THEN title END AS title,
    CASE WHEN octet_length(description) > {BRIEF_BYTES} THEN NULL ELSE description END
        AS description,
    user_id, status, due_date, created_at, updated_at"""


def _list(columns: str, condition: str = _VISIBLE) -> str:
    return f"""
        SELECT {columns} FROM tasks
        WHERE {condition} AND ($1::text IS NULL OR status = $1) AND {newest_first(2)}
    """


def _counted(stored: str) -> str:
    """Cut by what is stored, which is not read for that, and then by what is shown of it."""
    order = "created_at DESC, id DESC"
    return cut(cut(stored, _COLUMNS, f"200 + {_SIZE}", order), _COLUMNS, _SHOWN_SIZE, order)


_OF = f"user_id = $5 AND {owned_by_contact('tasks', '$5')} AND deleted_at IS NULL"
_LIST, _COUNTED_LIST = _list(_BRIEF), _counted(_list(_COLUMNS))
_LIST_OF, _COUNTED_LIST_OF = _list(_BRIEF, _OF), _counted(_list(_COLUMNS, _OF))
_AT_ONCE = 250


async def list_tasks(
    db: Connection, user_id: str | None, status: Status | None, page: Page
) -> Part[ContactTask]:
    """The first part of a page of one contact's tasks, or of all contacts' and nobody's.

    Newest first.
    """
    arguments = (status, *bounds(page, _AT_ONCE), *(() if user_id is None else (user_id,)))
    rows = await db.fetch(_LIST if user_id is None else _LIST_OF, *arguments)
    more = len(rows) == _AT_ONCE
    if any(row["title"] is None for row in rows):
        rows = await db.fetch(_COUNTED_LIST if user_id is None else _COUNTED_LIST_OF, *arguments)
        more = True
    return page.part([ContactTask.of(dict(row)) for row in rows], more=more)


_FIND = f"SELECT {_COLUMNS} FROM tasks WHERE id = ANY ($1) AND {_VISIBLE}"


async def find_tasks(db: Connection, task_ids: Sequence[UUID]) -> list[ContactTask]:
    """Those of the tasks that exist and are no other user's."""
    return [ContactTask.of(dict(row)) for row in await db.fetch(_FIND, task_ids)]
