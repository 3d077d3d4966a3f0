"""/api/v1/categories, and the categories of a task."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request
from pydantic import BaseModel, Field

from app.commands.handlers import categories
from app.commands.handlers.categories import (
    EXAMPLE_ID,
    AssignCategory,
    CreateCategory,
    DeleteCategory,
    ListCategories,
    UnassignCategory,
)
from app.commands.perform import perform
from app.doors.accounts.tasks import (
    UNAUTHORIZED,
    UNVERIFIED,
    AccountTask,
    TaskPath,
    account_router,
    shown,
)
from app.errors import Full, NotFound, Taken
from app.http.examples import refuses
from app.models.category import MOST_CATEGORIES, MOST_OF_A_TASK, Category, CategoryList
from app.models.error import refusals

router = account_router("categories")

CategoryPath = Annotated[UUID, Path(description="The category's id.", examples=[EXAMPLE_ID])]

_REFUSALS = refusals(
    *(400, 401, 403, 404, 429),
    status_400="An id is malformed, or the task to be assigned has the category.",
    status_401=UNAUTHORIZED,
    status_403="It belongs to somebody else, the address is not verified, or it was revoked.",
)


class CategoryPage(BaseModel):
    """All categories of the account, by name."""

    items: list[Category]
    total: Annotated[int, Field(ge=0)]


@router.post(
    "/categories",
    status_code=201,
    summary="Create a category",
    responses=refusals(
        *(400, 401, 403, 408, 409, 413, 415, 429),
        status_401=UNAUTHORIZED,
        status_403=UNVERIFIED,
        status_409=f"The account has a category of this name, or {MOST_CATEGORIES} of any.",
    ),
)
@refuses(on_409=Taken("Category name already exists"))
async def create_category(request: Request, new: CreateCategory) -> Category:
    """Stores a new category."""
    created: Category = await perform(request, categories.create_category, new)
    return created


@router.get(
    "/categories",
    summary="List categories",
    responses=refusals(401, 403, status_401=UNAUTHORIZED, status_403=UNVERIFIED),
)
async def list_categories(request: Request) -> CategoryPage:
    """All categories of the account, by name."""
    found: CategoryList = await perform(request, categories.list_categories, ListCategories())
    return CategoryPage(items=found.categories, total=found.count)


@router.post(
    "/tasks/{task_id}/categories/{cat_id}",
    summary="Assign a category",
    responses=_REFUSALS | refusals(409, status_409=f"The task is in {MOST_OF_A_TASK} categories."),
)
@refuses(on_409=Full(f"A task has room for {MOST_OF_A_TASK} categories"))
async def assign_category(request: Request, task_id: TaskPath, cat_id: CategoryPath) -> AccountTask:
    """Puts the task into the category and returns it with all its categories."""
    payload = AssignCategory(task_id=task_id, category_id=cat_id)
    return shown(await perform(request, categories.assign_category, payload))


@router.delete(
    "/tasks/{task_id}/categories/{cat_id}",
    status_code=204,
    summary="Remove a category from a task",
    responses=_REFUSALS,
)
async def unassign_category(request: Request, task_id: TaskPath, cat_id: CategoryPath) -> None:
    """Takes the task out of the category; 404 where it is not in it."""
    payload = UnassignCategory(task_id=task_id, category_id=cat_id)
    await perform(request, categories.unassign_category, payload)


@router.delete(
    "/categories/{cat_id}",
    status_code=204,
    summary="Delete a category",
    responses=_REFUSALS,
)
@refuses(on_404=NotFound(f"Category not found: {EXAMPLE_ID}"))
async def delete_category(request: Request, cat_id: CategoryPath) -> None:
    """Deletes the category; its tasks stay, without it."""
    await perform(request, categories.delete_category, DeleteCategory(category_id=cat_id))
