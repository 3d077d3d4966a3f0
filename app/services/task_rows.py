"""Lists of tasks as rows, for doors with a spelling of their own."""

from functools import cache
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from app.models.task import Task
from app.models.task_list import Position, TaskFilter, TaskSort
from app.services import Connection
from app.services.pages import BRIEF_BYTES, cut
from app.services.task_lists import TEXT_SIZE, Request, Shape, Slice, selection
from app.services.tasks import COLUMNS


class Rows(NamedTuple):
    """A slice's first tasks, as many as are fetched at once, and what is left of it."""

    tasks: list[Task]
    rest: Slice | None


class CategorizedRows(NamedTuple):
    """The same, with the ids of the categories that each is in."""

    tasks: list[Task]
    category_ids: list[list[UUID]]
    rest: Slice | None


# Tags are null only where the task is not brief. What is compressed is longer than it looks.
_BRIEF = f"""id, user_id, title,
    CASE WHEN octet_length(description) > {BRIEF_BYTES} THEN NULL ELSE description END
        AS description,
    status, priority, created_at, completed_at, due_date,
    CASE WHEN {TEXT_SIZE} + pg_column_size(tags) <= {BRIEF_BYTES}
        AND pg_column_compression(tags) IS NULL THEN tags END AS tags,
    updated_at, version, deleted_at"""
_FEW_CATEGORIES = 8
_CATEGORY_IDS = """ARRAY(
        SELECT category_id FROM task_categories WHERE task_id = tasks.id {}
    ) AS category_ids"""


class _Columns(NamedTuple):
    """Those of brief tasks, those of any, the names of these, and their bytes."""

    brief: str
    stored: str
    names: str
    size: str


_PLAIN = _Columns(
    _BRIEF, COLUMNS, COLUMNS, f"300 + {TEXT_SIZE} + octet_length(array_to_string(tags, ''))"
)
_CATEGORIZED = _Columns(
    f"{_BRIEF}, {_CATEGORY_IDS.format(f'LIMIT {_FEW_CATEGORIES + 1}')}",
    f"{COLUMNS}, {_CATEGORY_IDS.format('')}",
    f"{COLUMNS}, category_ids",
    f"{_PLAIN.size} + 300 * cardinality(category_ids)",
)


@cache
def _rows_statement(columns: _Columns, shape: Shape, *, counted: bool = False) -> str:
    if not counted:
        return selection(columns.brief, shape)
    stored = selection(columns.stored, shape)
    return cut(stored, f"{columns.names}, key", columns.size, shape.order())


def _is_brief(row: Record) -> bool:
    return row["tags"] is not None and len(row.get("category_ids", ())) <= _FEW_CATEGORIES


async def _fetch_rows(
    db: Connection, columns: _Columns, request: Request, part: Slice
) -> tuple[list[Record], Slice | None]:
    """The first tasks of a slice, as many as are fetched at once, and what is left of it."""
    rows = await db.fetch(_rows_statement(columns, request.shape), *request.arguments)
    may_go_on = len(rows) == part.at_once
    if not all(map(_is_brief, rows)):
        statement = _rows_statement(columns, request.shape, counted=True)
        rows, may_go_on = await db.fetch(statement, *request.arguments), True
    last = Position(rows[-1]["key"], rows[-1]["id"]) if rows and may_go_on else None
    return rows, part.without(len(rows), last)


async def fetch_rows(
    db: Connection, user_id: str, filters: TaskFilter, sort: TaskSort, part: Slice
) -> Rows:
    """The first tasks of a part of the list of a user's tasks."""
    request = Request.of(user_id, filters, sort, part)
    rows, rest = await _fetch_rows(db, _PLAIN, request, part)
    return Rows([Task.model_construct(**row) for row in rows], rest)


async def fetch_categorized_rows(
    db: Connection, user_id: str, filters: TaskFilter, sort: TaskSort, part: Slice
) -> CategorizedRows:
    """The same, with the ids of the categories that each is in."""
    request = Request.of(user_id, filters, sort, part)
    rows, rest = await _fetch_rows(db, _CATEGORIZED, request, part)
    tasks = [Task.model_construct(**row) for row in rows]
    return CategorizedRows(tasks, [row["category_ids"] for row in rows], rest)
