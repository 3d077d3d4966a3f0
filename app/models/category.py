"""Categories, and tasks with the ones they are in."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.models.constant import AlwaysTrue
from app.models.task import Task
from app.models.text import COMPOSED, VISIBLE

DEFAULT_COLOR = "#6366F1"
MOST_CATEGORIES = 200
"""Of one user."""
MOST_OF_A_TASK = 50
"""That one task is in."""

CategoryId = Annotated[UUID, Field(description="The category's id.")]
CategoryName = Annotated[
    str,
    StringConstraints(min_length=3, max_length=50),
    VISIBLE,
    COMPOSED,
    Field(description="Unique among the user's categories.", examples=["Litter"]),
]
Color = Annotated[
    str, StringConstraints(pattern="^#[0-9A-Fa-f]{6}$"), Field(examples=[DEFAULT_COLOR])
]


class CategoryFields(BaseModel):
    """The fields of a new category."""

    name: CategoryName
    color: Annotated[Color | None, Field(description=f"Absent or null: `{DEFAULT_COLOR}`.")] = None


class CategoryLabel(BaseModel):
    """A category as its tasks show it."""

    id: UUID
    name: str
    color: str


class Category(CategoryLabel):
    """A stored category."""

    created_at: datetime


class CategoryList(BaseModel):
    """The categories of one user, by name."""

    categories: list[Category]
    count: Annotated[int, Field(ge=0)]


class DeletedCategory(BaseModel):
    """Confirms that a category is gone, and from every task."""

    success: AlwaysTrue = True
    deleted_id: UUID


class CategorizedTask(Task):
    """A stored task and its categories, by name."""

    categories: list[CategoryLabel]
