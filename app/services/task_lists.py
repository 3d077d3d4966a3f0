"""Lists of tasks, part by part. A statement has no conditions but those that are asked for.

A part is so many tasks, or so many bytes. A page of brief tasks cannot be longer than that, so the
bytes are counted only where a task is not brief.
"""

from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any, NamedTuple

from asyncpg import Record

from app.models.spelling import PLAIN, Spelling
from app.models.task_list import NEWEST_FIRST, Position, Slice, TaskFilter, TaskSort
from app.services import Connection
from app.services.folding import FOLDED_DESCRIPTION, FOLDED_TITLE, TITLE_KEY, fold
from app.services.pages import BRIEF_BYTES, PAGE_BYTES, cut
from app.services.task_json import columns_of, task_json


class Page(NamedTuple):
    """The JSON of a slice's first tasks between commas, as many as are fetched at once.

    `last` is None where no more can follow in the list, `rest` where the slice ends here. `total`
    is the number of tasks in the whole list, where it was asked for.
    """

    tasks: bytes
    size: int
    last: Position | None
    rest: Slice | None
    total: int | None = None


_CONDITIONS = {
    "status": "status = {}",
    "completed": "(status = 'completed') = {}",
    "priority": "priority = {}",
    "tags": "tags @> {}::text[]",
    "due_from": "due_date >= {}",
    "due_to": "due_date <= {}",
    "deleted": "(deleted_at IS NOT NULL) = {}",
    "search": f"({FOLDED_TITLE} LIKE {{0}} OR {FOLDED_DESCRIPTION} LIKE {{0}})",
}
# Later than any due date and, for the other direction, no later than the earliest, so that tasks
# without one come last.
_NEVER = "timestamptz '9998-12-31 23:59:59.999999Z'"
_BEFORE_ALL = "timestamptz '1900-01-01 00:00:00Z'"
_SORT_KEYS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "due_date": f"coalesce(due_date, {_NEVER})",
    "-due_date": f"coalesce(due_date, {_BEFORE_ALL})",
    "priority": "coalesce(array_position("
    "ARRAY['low', 'medium', 'high', 'urgent'], priority::text), 0)",
    "title": TITLE_KEY,
}


class Shape(NamedTuple):
    """What makes one statement another: not the values that are asked for."""

    filters: tuple[str, ...]
    sort: TaskSort
    following: bool
    skipping: bool
    spelling: Spelling = PLAIN

    def order(self, key: str = "key") -> str:
        direction = "DESC" if self.sort[0] == "-" else "ASC"
        return f"{key} {direction}, id {direction}"


def _conditions(filters: tuple[str, ...], numbers: Iterator[int]) -> str:
    given = [_CONDITIONS[name].format(f"${next(numbers)}") for name in filters]
    kept = [] if "deleted" in filters else ["deleted_at IS NULL"]
    return " AND ".join(["user_id = $1", *kept, *given])


def selection(columns: str, shape: Shape) -> str:
    numbers = count(3)
    key = _SORT_KEYS.get(shape.sort) or _SORT_KEYS[shape.sort.removeprefix("-")]
    conditions = _conditions(shape.filters, numbers)
    if shape.following:
        beyond = "<" if shape.sort[0] == "-" else ">"
        conditions += f" AND ({key}, id) {beyond} (${next(numbers)}, ${next(numbers)})"
    offset = f"OFFSET ${next(numbers)}" if shape.skipping else ""
    return f"""
        SELECT {columns}, {key} AS key
        FROM tasks
        WHERE {conditions}
        ORDER BY {shape.order(key)}
        LIMIT $2 {offset}
    """


def counted_total(shape: Shape) -> str:
    """How many tasks the whole list has, with the parameters of the selection."""
    return f"SELECT count(*) FROM tasks WHERE {_conditions(shape.filters, count(3))}"


class Request(NamedTuple):
    """A statement's shape and its arguments."""

    shape: Shape
    arguments: list[Any]

    @classmethod
    def of(cls, user_id: str, filters: TaskFilter, sort: TaskSort, part: Slice) -> "Request":
        given = _given(filters)
        shape = Shape(tuple(given), sort, part.after is not None, bool(part.offset))
        offset = [part.offset] if part.offset else []
        arguments = [user_id, part.at_once, *given.values(), *(part.after or ()), *offset]
        return cls(shape, arguments)


def _given(filters: TaskFilter) -> dict[str, Any]:
    asked = filters.model_fields_set
    given = {
        name: value
        for name in _CONDITIONS
        if name in asked and (value := getattr(filters, name)) is not None
    }
    if "search" in given:
        escaped = fold(given["search"]).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        given["search"] = f"%{escaped}%"
    return given


TEXT_SIZE = "octet_length(title) + coalesce(octet_length(description), 0)"


def _brief_json(shape: Shape) -> str:
    is_brief = f"{TEXT_SIZE} <= {BRIEF_BYTES}"
    if "tags" in columns_of(shape.spelling):  # what is compressed is longer than it looks
        is_brief = f"""{TEXT_SIZE} + pg_column_size(tags) <= {BRIEF_BYTES}
            AND pg_column_compression(tags) IS NULL"""
    brief = f"CASE WHEN {is_brief} THEN {task_json(shape.spelling)} END"
    return selection(f"id, {brief} AS task", shape)


def _counted_json(shape: Shape) -> str:
    """Cut by what is stored, which is not read for that, and then by what is shown of it."""
    names, size = columns_of(shape.spelling), f"300 + {TEXT_SIZE}"
    if "tags" in names:
        size += " + octet_length(array_to_string(tags, ''))"
    columns = ", ".join(names)
    stored = cut(selection(columns, shape), f"{columns}, key", size, shape.order())
    # OFFSET 0, or the planner would have the JSON made for each of its mentions.
    task = task_json(shape.spelling)
    shown = f"SELECT id, {task} AS task, key FROM ({stored}) AS stored OFFSET 0"
    return cut(shown, "id, task, key", "octet_length(task)", shape.order())


@cache
def page_statement(
    filters: tuple[str, ...] = (),
    sort: TaskSort = NEWEST_FIRST,
    *,
    following: bool = False,
    skipping: bool = False,
    spelling: Spelling = PLAIN,
    counted: bool = False,
    with_total: bool = False,
) -> str:
    """A page as JSON: user, size, values of the filters, position or offset are its parameters.

    Its tasks are null where they are too long, unless their bytes are counted.
    """
    shape = Shape(filters, sort, following, skipping, spelling)
    selected = _counted_json(shape) if counted else _brief_json(shape)
    total = f"({counted_total(shape)})" if with_total else "NULL::bigint"
    most = "" if counted else f"AND octet_length(string_agg(task, ',')) <= {PAGE_BYTES}"
    return f"""
        SELECT textsend(CASE
                WHEN count(*) = 0 THEN ''
                WHEN count(*) = count(task) {most} THEN string_agg(task, ',')
            END) AS tasks,
            count(*) AS size, (array_agg(key))[count(*)] AS key, (array_agg(id))[count(*)] AS id,
            {total} AS total
        FROM ({selected}) AS page
    """


async def fetch_page(
    db: Connection,
    user_id: str,
    filters: TaskFilter,
    sort: TaskSort = NEWEST_FIRST,
    part: Slice | None = None,
    spelling: Spelling = PLAIN,
    *,
    with_total: bool = False,
) -> Page:
    """The first tasks of a part of the list of a user's tasks, as JSON in a spelling.

    Tasks and total are of one snapshot.
    """
    part = part or Slice()
    request = Request.of(user_id, filters, sort, part)
    request = request._replace(shape=request.shape._replace(spelling=spelling))
    row = await _fetch_json(db, request, with_total=with_total)
    may_go_on = row["size"] == part.at_once
    if row["tasks"] is None:
        row = await _fetch_json(db, request, counted=True, with_total=with_total)
        may_go_on = row["size"] > 0
    last = Position(row["key"], row["id"]) if may_go_on else None
    return Page(row["tasks"], row["size"], last, part.without(row["size"], last), row["total"])


async def _fetch_json(
    db: Connection, request: Request, *, with_total: bool, counted: bool = False
) -> Record:
    filters, sort, following, skipping, spelling = request.shape
    statement = page_statement(
        filters,
        sort,
        following=following,
        skipping=skipping,
        spelling=spelling,
        counted=counted,
        with_total=with_total,
    )
    row = await db.fetchrow(statement, *request.arguments)
    assert row is not None  # noqa: S101 - an aggregate always returns one row
    return row
