"""Lists of tasks, in pages. A statement has no conditions but those that are asked for."""

from datetime import datetime
from functools import cache
from typing import NamedTuple
from uuid import UUID

from app.models.task import TaskFilter
from app.services import Connection

PAGE_SIZE = 250
"""Tasks a page at most: about 75 kB, so that none keeps the worker for long."""


class Position(NamedTuple):
    """Where a page ends."""

    created_at: datetime
    id: UUID


class Page(NamedTuple):
    """The JSON of tasks, newest first, between commas; `last` is None where no more follow."""

    tasks: str
    size: int
    last: Position | None


# Built by PostgreSQL and passed on as bytes: a list costs the worker nothing per task.
# The instants look as pydantic writes them: no fraction where it is zero, else six digits.
_TEXT_JSON = "coalesce(to_json({0})::text, 'null')"
_INSTANT_JSON = """coalesce('"' || replace(
            to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', ''
        ) || 'Z"', 'null')"""
_PAGE = f"""
SELECT coalesce(string_agg(task, ','), '') AS tasks, count(*),
    min(created_at) AS created_at, (array_agg(id))[count(*)] AS id
FROM (
    SELECT created_at, id, concat(
        '{{"id":"', id,
        '","user_id":', to_json(user_id),
        ',"title":', to_json(title),
        ',"description":', {_TEXT_JSON.format("description")},
        ',"status":', to_json(status),
        ',"priority":', {_TEXT_JSON.format("priority")},
        ',"created_at":', {_INSTANT_JSON.format("created_at")},
        ',"completed_at":', {_INSTANT_JSON.format("completed_at")},
        ',"due_date":', {_INSTANT_JSON.format("due_date")},
        '}}'
    ) AS task
    FROM tasks
    WHERE user_id = $1 AND deleted_at IS NULL%s
    ORDER BY created_at DESC, id DESC
    LIMIT $2
) AS newest_first
"""  # noqa: S608
_FOLLOWING = "(created_at, id) < (${}, ${})"


@cache
def page_statement(filters: tuple[str, ...] = (), *, following: bool = False) -> str:
    """The statement of a page: user, size, the values of the filters, the position it follows."""
    conditions = [f"{name} = ${number}" for number, name in enumerate(filters, start=3)]
    if following:
        number = 3 + len(filters)
        conditions.append(_FOLLOWING.format(number, number + 1))
    return _PAGE % "".join(f" AND {condition}" for condition in conditions)


async def fetch_page(
    db: Connection, user_id: str, filters: TaskFilter, after: Position | None = None
) -> Page:
    """The next tasks of one user, newest first."""
    given = {name: value for name, value in filters if value is not None}
    statement = page_statement(tuple(given), following=after is not None)
    row = await db.fetchrow(statement, user_id, PAGE_SIZE, *given.values(), *(after or ()))
    assert row is not None  # noqa: S101 - an aggregate always returns one row
    tasks, size, *last = row
    return Page(tasks, size, Position(*last) if size == PAGE_SIZE else None)
