"""A user's mood as it is shown."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.models.stats import Count

Label = Literal["ecstatic", "happy", "content", "bored", "worried", "sad"]
ReasonCode = Literal[
    "base",
    "done_today",
    "on_time_week",
    "streak",
    "overdue",
    "oldest_overdue",
    "silence",
    "new_user",
    "clamp",
]


class Reason(BaseModel):
    """One of the things that make the score what it is."""

    code: ReasonCode
    points: int
    text: Annotated[str, Field(description="The same for people, in English.")]


class Mood(BaseModel):
    """How the cat looks, and why."""

    score: Annotated[int, Field(ge=0, le=100, description="The sum of the points.")]
    label: Label
    reasons: list[Reason]


class StreakShown(BaseModel):
    """Days in a row with a completion."""

    current: Annotated[Count, Field(description="Days up to today or yesterday.")]
    longest: Count
    last_day: Annotated[date | None, Field(description="The last day with a completion.")]
    at_risk_until: Annotated[
        datetime | None,
        Field(description="When the day ends that has no completion yet; null: nothing to lose."),
    ]
    freezes_left: Annotated[int, Field(ge=0, le=2, description="Single days that may be missed.")]


class Today(BaseModel):
    """The user's day that it is."""

    date: date
    completed: Annotated[Count, Field(description="Tasks done today.")]
    due: Annotated[Count, Field(description="Open tasks due within today, passed or not.")]
    overdue: Annotated[Count, Field(description="Open tasks whose due date has passed.")]


class DayCount(BaseModel):
    """One day's completions; a task counts once a day."""

    date: date
    completed: Count


class MoodReport(BaseModel):
    """The mood with what it rests on."""

    mood: Mood
    streak: StreakShown
    today: Today
    week: Annotated[
        list[DayCount],
        Field(min_length=7, max_length=7, description="The last seven days, oldest first."),
    ]
    next_due: Annotated[datetime | None, Field(description="When the next open task is due.")]
    computed_at: datetime
    valid_until: Annotated[
        datetime, Field(description="Until when only a write can change the answer.")
    ]
