"""/api/v1/categories, and the categories of a task."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Security
from pydantic import BaseModel, Field

from app.commands.handlers import categories
from app.commands.handlers.categories import (
    EXAMPLE_ID,
    EXAMPLE_TASK_ID,
    AssignCategory,
    CreateCategory,
    DeleteCategory,
    ListCategories,
    UnassignCategory,
)
from app.credentials import ACCOUNT_TOKEN, account_token
from app.models.category import CategorizedTask, Category, CategoryLabel, CategoryList
from app.models.error import refusals
from app.models.task import Priority, Status
from app.routers.accounts import SHAPE
from app.routes import guarded, perform

router = APIRouter(
    prefix="/api/v1",
    route_class=guarded(account_token, SHAPE),
    dependencies=[Security(ACCOUNT_TOKEN)],
    tags=["categories"],
)

TaskPath = Annotated[UUID, Path(description="The task's id.", examples=[EXAMPLE_TASK_ID])]
CategoryPath = Annotated[UUID, Path(description="The category's id.", examples=[EXAMPLE_ID])]

_UNAUTHORIZED = "The token is missing, invalid or expired."
_UNVERIFIED = "The address is not verified."
_REFUSALS = refusals(
    *(400, 401, 403, 404),
    status_400="An id is malformed, or the task to be assigned has the category.",
    status_401=_UNAUTHORIZED,
    status_403="It belongs to somebody else, or the address is not verified.",
)


class CategoryPage(BaseModel):
    """All categories of the account, by name."""

    items: list[Category]
    total: Annotated[int, Field(ge=0)]


class AccountTask(BaseModel):
    """A task as this door shows it."""

    id: UUID
    title: str
    description: str | None
    due_date: datetime | None
    priority: Priority | None
    status: Status
    created_at: datetime
    updated_at: datetime
    version: int
    categories: list[CategoryLabel]


def account_task(task: CategorizedTask) -> AccountTask:
    """The task in this door's shape."""
    return AccountTask.model_construct(**vars(task))


@router.post(
    "/categories",
    status_code=201,
    summary="Create a category",
    responses=refusals(
        *(400, 401, 403, 408, 409, 413),
        status_401=_UNAUTHORIZED,
        status_403=_UNVERIFIED,
        status_409="The account has a category of this name.",
    ),
)
async def create_category(request: Request, new: CreateCategory) -> Category:
    """Stores a new category."""
    created: Category = await perform(request, categories.create_category, new)
    return created


@router.get(
    "/categories",
    summary="List categories",
    responses=refusals(401, 403, status_401=_UNAUTHORIZED, status_403=_UNVERIFIED),
)
async def list_categories(request: Request) -> CategoryPage:
    """All categories of the account, by name."""
    found: CategoryList = await perform(request, categories.list_categories, ListCategories())
    return CategoryPage(items=found.categories, total=found.count)


@router.post(
    "/tasks/{task_id}/categories/{cat_id}",
    summary="Assign a category",
    responses=_REFUSALS,
)
async def assign_category(request: Request, task_id: TaskPath, cat_id: CategoryPath) -> AccountTask:
    """Puts the task into the category and returns it with all its categories."""
    payload = AssignCategory(task_id=task_id, category_id=cat_id)
    return account_task(await perform(request, categories.assign_category, payload))


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
async def delete_category(request: Request, cat_id: CategoryPath) -> None:
    """Deletes the category; its tasks stay, without it."""
    await perform(request, categories.delete_category, DeleteCategory(category_id=cat_id))
