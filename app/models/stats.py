"""What Cat House shows of a user's progress."""

from typing import Annotated

from pydantic import BaseModel, Field

Count = Annotated[int, Field(ge=0)]


class Stats(BaseModel):
    """Counts of one user's tasks at one instant. Cancelled tasks are counted nowhere."""

    total_tasks: Count
    pending_tasks: Count
    in_progress_tasks: Count
    completed_tasks: Count
    completion_rate: Annotated[
        float, Field(ge=0, le=100, description="Completed of total in percent, two decimals.")
    ]
    overdue_tasks: Annotated[int, Field(ge=0, description="Open tasks whose due date has passed.")]
