"""Everything kept of a user, shown or removed."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class UserExport(BaseModel):
    """Everything kept of a user: a list for each table, without secrets."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Any]  # lists of objects, a type that generators cannot write

    user_id: str
    exported_at: datetime


class PurgedUser(BaseModel):
    """What was removed of a user for good, and the change that tells of it."""

    user_id: str
    sequence: Annotated[int, Field(description="Of the change `user.purged`, the user's next.")]
    removed: Annotated[dict[str, int], Field(description="Rows by table.")]
