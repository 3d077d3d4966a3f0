"""Tasks as rows, for doors that spell them in their own way; not commands of their own."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from app.commands.action import Context, action
from app.models.caller import PEOPLE
from app.models.category import CategoryLabel
from app.models.task_list import NEWEST_FIRST, CategorizedRows, Rows, Slice, TaskFilter, TaskSort
from app.services import categories, task_rows


class TaskQuery(NamedTuple):
    """Which tasks, in which order, and which part of them."""

    filters: TaskFilter
    sort: TaskSort = NEWEST_FIRST
    part: Slice = Slice()


def _searches(query: TaskQuery) -> bool:
    return query.filters.search is not None


@action(scope="tasks:read", replicable=True, searches=_searches, allow=PEOPLE)
async def find_tasks(context: Context, payload: TaskQuery) -> Rows:
    """The first tasks of the part, as many as are fetched at once, and what is left of it."""
    return await task_rows.fetch_rows(context.db, context.user_id, *payload)


@action(scope="tasks:read", replicable=True, searches=_searches, allow=PEOPLE)
async def find_categorized_tasks(context: Context, payload: TaskQuery) -> CategorizedRows:
    """The same, with the ids of the categories that each is in."""
    return await task_rows.fetch_categorized_rows(context.db, context.user_id, *payload)


@action(scope="categories:read", allow=PEOPLE)
async def find_labels(context: Context, payload: Collection[UUID]) -> list[CategoryLabel]:
    """Those of the categories with these ids that exist, by name."""
    return await categories.find_labels(context.db, payload)
