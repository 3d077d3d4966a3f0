"""Lists of tasks for doors that spell them in their own way; not commands of their own."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from app.commands.action import Context, action
from app.models.caller import PEOPLE
from app.models.category import CategoryLabel
from app.models.spelling import Spelling
from app.models.task_list import NEWEST_FIRST, CategorizedRows, Slice, TaskFilter, TaskSort
from app.services import categories, task_lists, task_rows


class TaskQuery(NamedTuple):
    """Which tasks, in which order, and which part of them."""

    filters: TaskFilter
    sort: TaskSort = NEWEST_FIRST
    part: Slice = Slice()


def _searches(query: TaskQuery) -> bool:
    return query.filters.search is not None


class SpelledQuery(NamedTuple):
    """The same, and how each of them looks."""

    tasks: TaskQuery
    spelling: Spelling


@action(
    scope="tasks:read",
    replicable=True,
    searches=lambda payload: _searches(payload.tasks),
    allow=PEOPLE,
)
async def find_tasks(context: Context, payload: SpelledQuery) -> task_lists.Page:
    """The first tasks of the part as JSON, as many as are fetched at once."""
    tasks, spelling = payload
    return await task_lists.fetch_page(context.db, context.user_id, *tasks, spelling)


@action(scope="tasks:read", replicable=True, searches=_searches, allow=PEOPLE)
async def find_categorized_tasks(context: Context, payload: TaskQuery) -> CategorizedRows:
    """The first tasks of the part, with the ids of the categories that each is in."""
    return await task_rows.fetch_categorized_rows(context.db, context.user_id, *payload)


@action(scope="categories:read", allow=PEOPLE)
async def find_labels(context: Context, payload: Collection[UUID]) -> list[CategoryLabel]:
    """Those of the categories with these ids that exist, by name."""
    return await categories.find_labels(context.db, context.user_id, payload)
