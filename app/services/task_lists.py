"""Lists of tasks, in pages. A statement has no conditions but those that are asked for."""

from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any, NamedTuple

from app.models.task import Task
from app.models.task_list import NEWEST_FIRST, Position, TaskFilter, TaskSort
from app.services import Connection
from app.services.tasks import COLUMNS

PAGE_SIZE = 250
"""Tasks a page where nobody asks for fewer: about 75 kB, so that none keeps the worker long."""


class Slice(NamedTuple):
    """Which part of a list: so many tasks after a position, or after so many others."""

    size: int = PAGE_SIZE
    after: Position | None = None
    offset: int = 0


class Page(NamedTuple):
    """The JSON of tasks between commas; `last` is None where no more can follow."""

    tasks: str
    size: int
    last: Position | None


class Rows(NamedTuple):
    """The tasks themselves, for doors with a spelling of their own."""

    tasks: list[Task]
    last: Position | None


_CONDITIONS = {
    "status": "status = {}",
    "completed": "(status = 'completed') = {}",
    "priority": "priority = {}",
    "tags": "tags @> {}::text[]",
    "due_from": "due_date >= {}",
    "due_to": "due_date <= {}",
    "search": "(title ILIKE {0} OR description ILIKE {0})",
}
# Later than any due date, so that tasks without one come last.
_NEVER = "timestamptz '9998-12-31 23:59:59.999999Z'"
_SORT_KEYS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "due_date": f"coalesce(due_date, {_NEVER})",
    "priority": "coalesce(array_position("
    "ARRAY['low', 'medium', 'high', 'urgent'], priority::text), 0)",
    "title": "lower(title)",
}


def _conditions(filters: tuple[str, ...], numbers: Iterator[int]) -> str:
    given = (_CONDITIONS[name].format(f"${next(numbers)}") for name in filters)
    return " AND ".join(("user_id = $1 AND deleted_at IS NULL", *given))


@cache
def _selection(
    columns: str, filters: tuple[str, ...], sort: TaskSort, *, following: bool, skipping: bool
) -> str:
    numbers = count(3)
    key, direction = _SORT_KEYS[sort.removeprefix("-")], "DESC" if sort[0] == "-" else "ASC"
    conditions = _conditions(filters, numbers)
    if following:
        beyond = "<" if direction == "DESC" else ">"
        conditions += f" AND ({key}, id) {beyond} (${next(numbers)}, ${next(numbers)})"
    offset = f"OFFSET ${next(numbers)}" if skipping else ""
    return f"""
        SELECT {columns}, {key} AS key
        FROM tasks
        WHERE {conditions}
        ORDER BY {key} {direction}, id {direction}
        LIMIT $2 {offset}
    """  # noqa: S608 - composed of constants; the values are parameters


def _arguments(user_id: str, filters: dict[str, Any], part: Slice) -> list[Any]:
    return [
        *(user_id, part.size),
        *filters.values(),
        *(part.after or ()),
        *([part.offset] if part.offset else ()),
    ]


def _given(filters: TaskFilter) -> dict[str, Any]:
    asked = filters.model_fields_set
    given = {
        name: value
        for name in _CONDITIONS
        if name in asked and (value := getattr(filters, name)) is not None
    }
    if "search" in given:
        escaped = given["search"].replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        given["search"] = f"%{escaped}%"
    return given


async def fetch_rows(
    db: Connection,
    user_id: str,
    filters: TaskFilter,
    sort: TaskSort = NEWEST_FIRST,
    part: Slice | None = None,
) -> Rows:
    """One part of the list of a user's tasks."""
    part, given = part or Slice(), _given(filters)
    options = {"following": part.after is not None, "skipping": bool(part.offset)}
    statement = _selection(COLUMNS, tuple(given), sort, **options)
    rows = await db.fetch(statement, *_arguments(user_id, given, part))
    last = Position(rows[-1]["key"], rows[-1]["id"]) if len(rows) == part.size else None
    return Rows([Task.model_construct(**row) for row in rows], last)


# Built by PostgreSQL and passed on as bytes: a list costs the worker nothing per task.
# The instants look as pydantic writes them: no fraction where it is zero, else six digits.
_TEXT_JSON = "coalesce(to_json({0})::text, 'null')"
_INSTANT_JSON = """coalesce('"' || replace(
            to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', ''
        ) || 'Z"', 'null')"""
_TASK_JSON = f"""id, concat(
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
    ) AS task"""


@cache
def page_statement(
    filters: tuple[str, ...] = (),
    sort: TaskSort = NEWEST_FIRST,
    *,
    following: bool = False,
    skipping: bool = False,
) -> str:
    """A page as JSON: user, size, values of the filters, position or offset are its parameters."""
    selection = _selection(_TASK_JSON, filters, sort, following=following, skipping=skipping)
    return f"""
        SELECT coalesce(string_agg(task, ','), '') AS tasks, count(*) AS size,
            (array_agg(key))[count(*)] AS key, (array_agg(id))[count(*)] AS id
        FROM ({selection}) AS page
    """  # noqa: S608


async def fetch_page(
    db: Connection,
    user_id: str,
    filters: TaskFilter,
    sort: TaskSort = NEWEST_FIRST,
    part: Slice | None = None,
) -> Page:
    """One part of the list of a user's tasks, as JSON."""
    part, given = part or Slice(), _given(filters)
    options = {"following": part.after is not None, "skipping": bool(part.offset)}
    statement = page_statement(tuple(given), sort, **options)
    row = await db.fetchrow(statement, *_arguments(user_id, given, part))
    assert row is not None  # noqa: S101 - an aggregate always returns one row
    tasks, size, key, task_id = row
    return Page(tasks, size, Position(key, task_id) if size == part.size else None)


@cache
def _count_statement(filters: tuple[str, ...]) -> str:
    return f"SELECT count(*) FROM tasks WHERE {_conditions(filters, count(2))}"  # noqa: S608


async def count_tasks(db: Connection, user_id: str, filters: TaskFilter) -> int:
    """How many tasks the whole list has."""
    given = _given(filters)
    total: int = await db.fetchval(_count_statement(tuple(given)), user_id, *given.values())
    return total
