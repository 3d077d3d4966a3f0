"""A user as administrators see them."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.models.change import Change
from app.models.mood import MoodReport
from app.models.stats import Stats


class UserCard(BaseModel):
    """A user's tasks by status, mood and last changes."""

    user_id: str
    tasks: Stats
    mood: MoodReport
    picture: Annotated[str, Field(description="The mood as SVG.")]
    changes: Annotated[list[Change], Field(description="The last 20, the newest first.")]
