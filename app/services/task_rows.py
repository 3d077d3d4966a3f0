"""Lists of tasks as rows, for doors that show more of a task than it has itself."""

from functools import cache

from asyncpg import Record

from app.models.category import MOST_OF_A_TASK
from app.models.task import Task
from app.models.task_list import CategorizedRows, Position, Slice, TaskFilter, TaskSort
from app.services import Connection
from app.services.pages import BRIEF_BYTES, PAGE_BYTES, cut
from app.services.task_lists import TEXT_SIZE, Request, Shape, counted_total, selection
from app.services.tasks import COLUMNS

# Tags are null only where the task is not brief. What is compressed is longer than it looks.
_BRIEF = f"""id, user_id, title,
    CASE WHEN octet_length(description) > {BRIEF_BYTES} THEN NULL ELSE description END
        AS description,
    status, priority, created_at, completed_at, due_date,
    CASE WHEN {TEXT_SIZE} + pg_column_size(tags) <= {BRIEF_BYTES}
        AND pg_column_compression(tags) IS NULL THEN tags END AS tags,
    updated_at, version, deleted_at"""
_SIZE = f"300 + {TEXT_SIZE} + octet_length(array_to_string(tags, ''))"
_SHOWN_SIZE = """300 + octet_length(to_json(title)::text) + octet_length(to_json(tags)::text)
    + coalesce(octet_length(to_json(description)::text), 0)"""


def _counted(stored: str, size: str, shape: Shape) -> str:
    """Cut by what is stored, which is not read for that, and then by what is shown of it."""
    names, order = f"{COLUMNS}, key", shape.order()
    return cut(cut(stored, names, size, order), names, _SHOWN_SIZE, order)


_FEW_CATEGORIES = 8
_CATEGORY_IDS = "SELECT category_id FROM task_categories WHERE task_id = {}.id AND user_id = $1"
# A task that was in more than it may be, before there was a limit, has a page to itself.
_CATEGORY_SIZE = f"""(
    SELECT CASE WHEN count(*) > {MOST_OF_A_TASK} THEN {PAGE_BYTES} ELSE 300 * count(*) END::int
    FROM ({_CATEGORY_IDS.format("tasks")} LIMIT {MOST_OF_A_TASK + 1}) AS up_to_one_more
)"""


@cache
def _categorized(shape: Shape, *, counted: bool = False) -> str:
    """In a page that begins a list there is a row at least, with the total and perhaps no task."""
    page = _categorized_page(shape, counted=counted)
    if shape.following:
        return page
    return f"""
        SELECT page.*, total FROM ({counted_total(shape)}) AS whole (total)
        LEFT JOIN ({page}) AS page ON true ORDER BY {shape.order()}
    """


def _categorized_page(shape: Shape, *, counted: bool) -> str:
    if not counted:
        few = f"{_CATEGORY_IDS.format('tasks')} LIMIT {_FEW_CATEGORIES + 1}"
        return selection(f"{_BRIEF}, ARRAY({few}) AS category_ids", shape)
    stored = selection(f"{COLUMNS}, {_CATEGORY_SIZE} AS category_size", shape)
    page = _counted(stored, f"{_SIZE} + category_size", shape)
    return f"""
        SELECT {COLUMNS}, key, ARRAY({_CATEGORY_IDS.format("page")}) AS category_ids
        FROM ({page}) AS page ORDER BY {shape.order()}
    """


def _is_brief_and_in_few(row: Record) -> bool:
    if row["id"] is None:
        return True
    return row["tags"] is not None and len(row["category_ids"]) <= _FEW_CATEGORIES


async def fetch_categorized_rows(
    db: Connection, user_id: str, filters: TaskFilter, sort: TaskSort, part: Slice
) -> CategorizedRows:
    """The first tasks of a part of the list of a user's tasks, with the ids of their categories.

    At first also with the total.
    """
    shape, arguments = Request.of(user_id, filters, sort, part)
    rows = await db.fetch(_categorized(shape), *arguments)
    may_go_on = len(rows) == part.at_once
    if not all(map(_is_brief_and_in_few, rows)):
        rows = await db.fetch(_categorized(shape, counted=True), *arguments)
        may_go_on = len(rows) > 0
    last = Position(rows[-1]["key"], rows[-1]["id"]) if may_go_on else None
    rest = part.without(len(rows), last)
    total = None if part.after else rows[0]["total"]
    found = [row for row in rows if row["id"] is not None]
    tasks = [Task.model_construct(**row) for row in found]
    return CategorizedRows(tasks, [row["category_ids"] for row in found], rest, total)
