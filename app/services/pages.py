"""Pages of a list, newest first, found through an index however far down they lie."""

from app.models.page import Page

_NEWEST_FIRST = """(created_at, id) < (coalesce({0}::timestamptz, 'infinity'), {1}::uuid)
ORDER BY created_at DESC, id DESC
LIMIT {2}"""


def newest_first(number: int) -> str:
    """The last condition, order and limit of a statement whose next parameter has this number."""
    return _NEWEST_FIRST.format(*(f"${number + offset}" for offset in range(3)))


def bounds(page: Page) -> tuple[object, object, int]:
    """The three parameters of `newest_first`."""
    after = page.after
    return (after and after.created_at, after and after.id, page.limit)
