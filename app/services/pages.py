"""Pages of a list: so many entries, so many bytes, found through an index however far down."""

from app.models.page import Page

PAGE_BYTES = 256 * 1024
"""What is fetched at once, unless a single entry is longer."""
BRIEF_BYTES = 700
"""Texts up to this length are brief: 250 such entries are within PAGE_BYTES without a count."""

_NEWEST_FIRST = """(created_at, id) < (coalesce({0}::timestamptz, 'infinity'), {1}::uuid)
ORDER BY created_at DESC, id DESC
LIMIT {2}"""


def newest_first(number: int) -> str:
    """The last condition, order and limit of a statement whose next parameter has this number."""
    return _NEWEST_FIRST.format(*(f"${number + offset}" for offset in range(3)))


def bounds(page: Page, most: int) -> tuple[object, object, int]:
    """The three parameters of `newest_first`, for so many entries at most."""
    start = page.start
    return (start and start.created_at, start and start.id, min(page.limit, most))


def cut(selection: str, columns: str, size: str, order: str) -> str:
    """The first rows of a selection, as many as PAGE_BYTES hold by their `size`; one at least.

    A running sum is a quarter of what a page of brief entries costs: only for the others.
    OFFSET 0 keeps the planner from measuring each row twice.
    """
    return f"""
        SELECT {columns} FROM (
            SELECT {columns}, bytes,
                sum(bytes) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS bytes_so_far
            FROM (
                SELECT {columns}, {size} AS bytes FROM ({selection}) AS selected OFFSET 0
            ) AS measured
        ) AS counted
        WHERE bytes_so_far <= {PAGE_BYTES} OR bytes_so_far = bytes
        ORDER BY {order}
    """
