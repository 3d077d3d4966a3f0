"""What can be done with categories."""

from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from app.commands.action import Action, Context, action
from app.errors import AlreadyAssigned, Full, NotFound, Taken
from app.models.caller import PEOPLE, SERVICES
from app.models.category import (
    DEFAULT_COLOR,
    CategorizedTask,
    Category,
    CategoryFields,
    CategoryId,
    CategoryList,
    DeletedCategory,
)
from app.models.task import Task, TaskId
from app.services import categories

EXAMPLE_TASK_ID = "550e8400-e29b-41d4-a716-446655440000"
EXAMPLE_ID = "0199d1a8-7c1e-7b1f-9a53-2f6f0d6b7a11"


class CreateCategory(CategoryFields):
    """The fields of a new category."""


@action(
    scope="categories:write",
    writes=True,
    transaction=True,
    additive=True,
    allow=PEOPLE | SERVICES,
    raises=(Taken, Full),
    examples=({"name": "Litter", "color": DEFAULT_COLOR},),
)
async def create_category(context: Context, payload: CreateCategory) -> Category:
    """Stores a new category for the user, who may have 200, and returns it with its id."""
    return await categories.insert_category(context.db, context.user_id, payload)


class ListCategories(BaseModel):
    """Empty: the categories are the user's."""


@action(scope="categories:read", allow=PEOPLE | SERVICES, examples=({},))
async def list_categories(context: Context, payload: ListCategories) -> CategoryList:
    """Returns the user's categories by name, and their count."""
    found = await categories.list_categories(context.db, context.user_id)
    return CategoryList.model_construct(categories=found, count=len(found))


class DeleteCategory(BaseModel):
    """Names the category to delete."""

    category_id: CategoryId


@action(
    scope="categories:write",
    writes=True,
    transaction=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound,),
    examples=({"category_id": EXAMPLE_ID},),
)
async def delete_category(context: Context, payload: DeleteCategory) -> DeletedCategory:
    """Deletes a category for good; its tasks stay, without it."""
    await categories.delete_category(
        context.db, payload.category_id, context.holder, context.origin.together
    )
    return DeletedCategory(deleted_id=payload.category_id)


class AssignCategory(BaseModel):
    """Names a task and a category of the same user."""

    task_id: TaskId
    category_id: CategoryId


@action(
    scope="categories:write",
    writes=True,
    transaction=True,
    additive=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound, AlreadyAssigned, Full),
    examples=({"task_id": EXAMPLE_TASK_ID, "category_id": EXAMPLE_ID},),
)
async def assign_category(context: Context, payload: AssignCategory) -> CategorizedTask:
    """Puts a task into a category, 50 at most, and returns the task with all its categories."""
    return await categories.assign_category(
        context.db, payload.task_id, payload.category_id, context.holder, context.origin
    )


class UnassignCategory(AssignCategory):
    """Names a task and the category to take from it."""


@action(
    scope="categories:write",
    writes=True,
    transaction=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound,),
    examples=({"task_id": EXAMPLE_TASK_ID, "category_id": EXAMPLE_ID},),
)
async def unassign_category(context: Context, payload: UnassignCategory) -> CategorizedTask:
    """Takes a task out of a category and returns the task with those left."""
    return await categories.unassign_category(
        context.db, payload.task_id, payload.category_id, context.holder, context.origin
    )


def categorized(task_action: Action) -> Action:
    """An action that returns a task, returning it with its categories, all or nothing."""

    async def perform(context: Context, payload: Any) -> CategorizedTask:
        task: Task = await task_action.perform(context, payload)
        labels = await categories.fetch_labels(context.db, task.user_id, [task.id])
        return CategorizedTask.model_construct(**vars(task), categories=labels[task.id])

    return replace(task_action, perform=perform, transaction=task_action.writes)
